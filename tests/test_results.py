"""The committed results: the report redraws them from their tables, and the README tells what they say."""

import re
from pathlib import Path

import pandas as pd
import pytest

from ltjax.cli.commands import report
from ltjax.lanes import history
from ltjax.runs import tables
from ltjax.runs.folder import read_config

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "docs" / "results"
LENET = RESULTS / "lenet"

STEPS = {"lenet": 50_000, "conv2": 2_000}
"""The networks with committed results, and the length of their trainings: the paper's for LeNet's alone."""

FIGURES = {"lenet": 10, "conv2": 1}
"""How many figures there are at least."""

RUNS = sorted(path.parent for path in RESULTS.glob("*/*/config.json"))


@pytest.fixture(scope="module", params=sorted(STEPS))
def redrawn(request, tmp_path_factory):
    """The folder of committed results, and one with what the report makes of its tables."""
    folder, home = tmp_path_factory.mktemp(request.param), RESULTS / request.param
    report.main([*(str(run) for run in RUNS if run.parent == home), "--to", str(folder)])
    return home, folder


def test_the_report_redraws_every_committed_figure(redrawn):
    committed, again = ({path.name for path in (home / "figures").glob("*.png")} for home in redrawn)
    assert committed == again and len(again) >= FIGURES[redrawn[0].name]
    assert (redrawn[1] / "report.html").stat().st_size > 1_000_000


def test_the_committed_verdicts_are_those_of_the_committed_tables(redrawn):
    network = redrawn[0].name
    committed, again = (pd.read_csv(home / "claims.csv") for home in redrawn)
    committed, again = (
        rows[rows["network"] == network].reset_index(drop=True) for rows in (committed, again)
    )
    pd.testing.assert_frame_equal(committed, again)
    if network == "lenet":
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
def test_committed_tables_are_as_long_as_they_say_and_hold_every_row_once(run):
    train = read_config(run).train
    assert train.steps == STEPS[run.parent.name]
    rows = tables.read_summary(run / "summary.csv")
    assert not rows.duplicated(history.LANE).any() and not rows["diverged"].any()
    curves = tables.read_curves(run / "curves")
    assert len(curves) == len(rows) * (train.steps // train.evaluate_every + 1) * 3
