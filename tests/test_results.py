"""The committed results: the report redraws them from their tables, and the README tells what they say."""

import re
from pathlib import Path

import pandas as pd
import pytest

from ltjax import report, tables
from ltjax.runs import read_config

ROOT = Path(__file__).parent.parent
LENET = ROOT / "docs" / "results" / "lenet"
RUNS = sorted(path.parent for path in LENET.glob("*/config.json"))


@pytest.fixture(scope="module")
def redrawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lenet")
    report.main([*map(str, RUNS), "--to", str(folder)])
    return folder


def test_the_report_redraws_every_committed_figure(redrawn):
    committed, again = ({path.name for path in (home / "figures").glob("*.png")} for home in (LENET, redrawn))
    assert committed == again and len(again) >= 10
    assert (redrawn / "report.html").stat().st_size > 1_000_000


def test_the_committed_verdicts_are_those_of_the_committed_tables(redrawn):
    committed, again = (pd.read_csv(home / "claims.csv").query("network == 'lenet'").reset_index(drop=True)
                        for home in (LENET, redrawn))  # fmt: skip
    pd.testing.assert_frame_equal(committed, again)
    judged = again[again["verdict"] != "not run"]
    assert {f"L{number}" for number in range(1, 10)} <= set(judged["id"])


@pytest.mark.parametrize("page", ["README.md", "docs/results/lenet/README.md"])
def test_a_page_that_tells_verdicts_tells_the_computed_ones(page):
    claims = pd.read_csv(LENET / "claims.csv").set_index("id")
    rows = re.findall(r"^\| ([LB]\d+) \| .* \| (.*?) \| (.*?) \|$", (ROOT / page).read_text(), re.MULTILINE)
    assert {name for name, *_ in rows} >= set(claims.index[claims["verdict"] != "not run"])
    for name, ours, verdict in rows:
        assert ours == claims.loc[name, "ours"] and verdict.strip("*") == claims.loc[name, "verdict"]


@pytest.mark.parametrize("run", RUNS, ids=lambda path: path.name)
def test_committed_tables_are_of_the_papers_length_and_hold_every_row_once(run):
    assert read_config(run).train.steps == 50_000
    rows = tables.read_summary(run / "summary.csv")
    assert not rows.duplicated(tables.LANE).any() and not rows["diverged"].any()
    curves = tables.read_curves(run / "curves")
    assert len(curves) == len(rows) * 501 * 3
