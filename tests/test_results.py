"""The committed results: the report redraws them from their tables, and the README tells what they say."""

import re
import runpy
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from ltjax.cli.commands import report
from ltjax.cli.commands import run as run_command
from ltjax.lanes import history
from ltjax.plots import saving
from ltjax.runs import tables
from ltjax.runs.folder import read_config
from ltjax.settings import compatible
from ltjax.settings.plain import flatten

from .conftest import sketch
from .test_docs import shown

pytestmark = pytest.mark.rendered

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
RESULTS = DOCS / "results"
LENET = RESULTS / "lenet"

STEPS = {"lenet": 50_000, "conv2": 20_000}
"""The networks with committed results, and the length of their trainings: the paper's."""

FIGURES = {"lenet": 16, "conv2": 3}
"""How many figures there are at least."""

REPRODUCED = {*(f"L{number}" for number in range(1, 10)), "L16", "L17"}
"""The claims that LeNet's runs can judge."""

RUNS = sorted(path.parent for path in RESULTS.glob("*/*/config.json"))
CURVES = [run for run in RUNS if (run / "curves").exists()]


def commands(home, name):
    """The arguments of the commands of one name that a page of results shows, without their folders."""
    return [arguments for called, *arguments in shown(home / "README.md") if called == name]


@pytest.fixture(scope="module", params=sorted(STEPS))
def redrawn(request, tmp_path_factory):
    """The folder of committed results, and one with what the page's own command makes of its tables."""
    folder, home = tmp_path_factory.mktemp(request.param), RESULTS / request.param
    ((*runs, option, to),) = commands(home, "report")
    assert option == "--to" and ROOT / to == home
    assert {ROOT / run for run in runs} == {run for run in RUNS if run.parent == home}
    with pytest.MonkeyPatch.context() as patch:
        if request.param != RENDERED:
            patch.setattr(saving, "save", sketch)
        report.main([*(str(ROOT / run) for run in runs), "--to", str(folder)])
    return home, folder


RENDERED = "conv2"
"""The network whose figures are made files, and not only drawn: a second for each."""


def test_the_report_redraws_every_committed_figure(redrawn):
    committed, again = ({path.name for path in (home / "figures").glob("*.png")} for home in redrawn)
    assert committed == again and len(again) >= FIGURES[redrawn[0].name]
    page = (redrawn[1] / "report.html").read_text()
    shown = re.findall(r'aria-label="Enlarge ([^"]+)"><img src="data:image/', page)
    assert len(set(shown)) == len(again)  # one of them stands at the top too


def test_the_committed_verdicts_are_those_of_the_committed_tables(redrawn):
    network = redrawn[0].name
    committed, again = (pd.read_csv(home / "claims.csv") for home in redrawn)
    committed, again = (
        rows[rows["network"] == network].reset_index(drop=True) for rows in (committed, again)
    )
    pd.testing.assert_frame_equal(committed, again)
    if network == "lenet":
        assert set(again.loc[again["verdict"] == "reproduced", "id"]) == REPRODUCED
        assert set(again["verdict"]) == {"reproduced", "not run"}


def test_the_page_of_the_papers_lenet_tells_the_computed_verdicts():
    claims = pd.read_csv(LENET / "claims.csv").set_index("id")
    rows = re.findall(
        r"^\| ([LB]\d+) \| .* \| (.*?) \| (.*?) \|$", (LENET / "README.md").read_text(), re.MULTILINE
    )
    assert {name for name, *_ in rows} >= set(claims.index[claims["verdict"] != "not run"])
    for name, ours, verdict in rows:
        assert ours == claims.loc[name, "ours"] and verdict.strip("*") == claims.loc[name, "verdict"]


@pytest.mark.parametrize("network", STEPS)
def test_the_tables_of_a_page_are_those_of_its_runs(network):
    script = runpy.run_path(str(DOCS / "tables.py"))
    text = (RESULTS / network / "README.md").read_text()
    assert {found[2] for found in script["ROUNDS"].finditer(text)} == {
        run.name for run in RUNS if run.parent.name == network
    }
    assert script["page"](text, RESULTS / network) == text, "python docs/tables.py writes it anew"


@pytest.mark.parametrize("run", RUNS, ids=lambda path: path.name)
def test_the_commands_that_a_page_shows_give_a_runs_configuration(run):
    stored = read_config(run)
    asked = [run_command.parse(arguments).experiment for arguments in commands(run.parent, "run")]
    first, *others = (each for each in asked if each.name == stored.name)
    first = replace(first, numerics=stored.numerics)  # chosen by the machine that a run begins on
    for each in others:
        assert not compatible.differences(first, each)
        first = compatible.extended(first, each)
    assert flatten(compatible.begun(first)) == flatten(stored)


def test_committed_environments_name_no_folder():
    for run in RUNS:
        assert not re.search(r'"[^"]*/[^"]*"|DIR|workdir', (run / "environment.json").read_text()), run


@pytest.mark.parametrize("run", RUNS, ids=lambda path: path.name)
def test_committed_tables_are_of_the_length_that_they_say(run):
    assert read_config(run).train.steps == STEPS[run.parent.name]
    rows = tables.read_summary(run / "summary.csv")
    assert not rows.duplicated(history.LANE).any() and not rows["diverged"].any()


@pytest.mark.parametrize("run", CURVES, ids=lambda path: path.name)
def test_committed_curves_hold_each_kept_step_once_of_every_lane_and_every_early_stop(run):
    train = read_config(run).train
    rows, curves = tables.read_summary(run / "summary.csv"), tables.read_curves(run / "curves")
    key = [*history.LANE, "step", "split"]
    assert not curves.duplicated(key).any()
    lanes = rows.groupby(["arm", "round"]).size()
    steps = curves.groupby(["arm", "round", "step", "split"]).size().unstack("split")
    assert (steps.sub(lanes, axis=0).dropna(how="any") == 0).all(axis=None) and steps.notna().all(axis=None)
    assert len(steps) >= len(lanes) * 9
    ends = steps.reset_index("step").groupby(["arm", "round"])["step"].agg(["min", "max"])
    assert set(ends["min"]) == {0} and set(ends["max"]) == {train.steps}
    stops = rows.merge(
        curves[curves["split"] == "test"], left_on=[*history.LANE, "early_stop_step"],
        right_on=[*history.LANE, "step"],
    )  # fmt: skip
    assert len(stops) == len(rows) and (stops["early_stop_test_accuracy"] == stops["accuracy"]).all()


def test_thinned_curves_keep_the_beginning_whole_and_every_early_stop_of_all_lanes():
    thinned = runpy.run_path(str(DOCS / "thin.py"))["thinned"]
    curves = pd.DataFrame(
        [
            (arm, trial, 0, 0, step, split, 0.1, 0.9)
            for arm in ("ticket", "reinit")
            for trial in (0, 1)
            for step in range(0, 1001, 10)
            for split in ("train", "validation", "test")
        ],
        columns=history.CURVES,
    )
    summary = pd.DataFrame(
        {"arm": ["ticket", "ticket", "reinit"], "round": 0, "early_stop_step": [430, 770, 20]}
    )
    kept = thinned(curves, summary, whole=50, every=500)
    whole = {0, 10, 20, 30, 40, 50, 500, 1000}
    assert set(kept.loc[kept["arm"] == "ticket", "step"]) == whole | {430, 770}
    assert set(kept.loc[kept["arm"] == "reinit", "step"]) == whole
    assert len(kept) == (len(whole) * 2 + 2) * 2 * 3
