"""Whatever the metric of a run is, its readers call it by its name and know which way is better."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from ltjax.analysis.results import Absent, Study
from ltjax.claims.finding import finding, swept_finding, winning_round
from ltjax.cli.display import Summary
from ltjax.cli.loggers import Logs
from ltjax.core.types import Lane
from ltjax.export import card
from ltjax.plots.comparing import every_arm
from ltjax.runs.learned import Learned
from ltjax.settings.loading import load_experiment
from ltjax.studies import CLAIMS, FIGURES, judge, picture
from ltjax.training.metrics import Shown, shown_of

from .conftest import with_prune, with_train
from .made_up import made_up
from .test_page import Parsed, render

DENSE = {
    "accuracy": 0.93, "r2": 0.93, "perplexity": 5.0, "top_k": 0.93, "mean_squared_error": 0.02, "mine": 7.0,
}  # fmt: skip
GAIN = {
    "accuracy": 0.005, "r2": 0.005, "perplexity": -0.5, "top_k": 0.005, "mean_squared_error": -0.005,
    "mine": 2.5,
}  # fmt: skip
"""What makes tickets better than the dense network."""

TOLD = {
    "accuracy": ("0.50 points more accurate", "test %", "93.00"),
    "r2": ("0.0050 higher in r2", "test r2", "0.9300"),
    "perplexity": ("0.50 lower (better) in perplexity", "test perplexity", "5.000"),
    "top_k": ("0.50 points higher in top k", "test top k %", "93.00"),
    "mean_squared_error": (
        "0.0050 lower (better) in mean squared error", "test mean squared error", "0.02000",
    ),
    "mine": ("2.5 higher in mine", "test mine", "7.000"),
}  # fmt: skip
"""Of each metric: what the tickets are, the heading of a column, and the dense network's value in a table."""

ARMS = {"ticket": 1, "reinit": 1}
EXPERIMENT = with_prune(replace(load_experiment("mnist_5k"), trials=2, arms=ARMS), rounds=2)
SPLITS = ("early_stop_test", "early_stop_train", "initial_test", "final_test", "final_train")

metrics = pytest.mark.parametrize("name", TOLD)


def known(name):
    return Shown("mine", percent=False) if name == "mine" else shown_of(name)


def run_of(name, better=1.0, experiment=EXPERIMENT, point="", folder="made-up"):
    """A run whose tickets of round 1 stop earlier, and are better by ``better`` times the metric's gain."""

    def course(arm, round, trial, repeat):
        ticket = arm == "ticket" and round == 1
        value = DENSE[name] + (better * GAIN[name] if ticket else 0.0)
        return dict.fromkeys((f"{each}_accuracy" for each in SPLITS), value) | {
            "initial_test_accuracy": 2 * DENSE[name] if GAIN[name] < 0 else 0.0,
            "early_stop_step": 150 if ticket else 200, "validation": value,
        }  # fmt: skip

    made = made_up(experiment, course)
    named = {f"{each}_accuracy": f"{each}_{name}" for each in SPLITS}
    run = replace(made, summary=made.summary.rename(columns=named), point=point, folder=Path(folder))
    run.__dict__["curves"] = made.curves.rename(columns={"accuracy": name})
    run.__dict__["learned"] = Learned(known(name))
    run.__dict__["anatomy"] = None
    return run


def silent(text, name):
    """Whether a text tells of accuracy only where that is the metric."""
    return name == "accuracy" or "accura" not in text.lower()


@metrics
def test_the_terminals_table_has_the_metric_in_its_headings(name):
    run = run_of(name)
    console = Console(file=io.StringIO(), width=200)
    console.print(Summary(run.summary, run.metric))
    text = console.file.getvalue()
    _, heading, dense = TOLD[name]
    assert f"{heading} there" in text and f"{heading} at end" in text and dense in text
    assert silent(text, name)


@metrics
def test_a_finding_tells_by_how_much_tickets_are_better_in_the_metric(name):
    text = finding(run_of(name))
    assert f"not 200) and are {TOLD[name][0]} on test" in text and silent(text, name)


@metrics
def test_tickets_win_by_the_metrics_own_direction(name):
    assert winning_round(run_of(name)) == 1
    assert winning_round(run_of(name, better=-1)) is None
    assert ("(worse) in" in finding(run_of(name))) == (GAIN[name] < 0)  # what reinitialised tickets are


@metrics
def test_points_of_a_sweep_are_compared_in_the_metric(name):
    points = [run_of(name, better, point=f"a={better}", folder=f"swept/{better}") for better in (1, 2)]
    text = swept_finding(points)
    assert TOLD[name][0] in text and silent(text, name)


@metrics
def test_loggers_are_told_the_metric_by_its_name(name):
    written = []
    sink = type("Sink", (), {"write": lambda self, *told: written.append(told), "close": lambda self: None})()
    run, logs = run_of(name), Logs([sink], {"": name})
    logs.observe(1, (("", Lane("ticket", 0)),), 20, {"test": np.array([0.5])})
    logs.finished(1, "", run.summary[run.summary["round"] == 1])
    keys = {key for *_, values in written for key in values}
    assert {f"test_{name}", f"early_stop_test_{name}", f"final_test_{name}"} <= keys
    assert silent(" ".join(keys), name)


@metrics
@pytest.mark.parametrize("drawn", ["arms", "methods", "runs", "sweep"])
def test_figures_label_their_axes_by_the_metric_and_reach_as_far_as_the_best(drawn, name):
    points = [
        run_of(name, better, with_train(EXPERIMENT, learning_rate=rate), f"learning_rate={rate}", f"a/{rate}")
        for better, rate in ((1, 1e-3), (-100, 2e-3))
    ]
    alone = [replace_point(run) for run in points]
    methods = [run_of(name, better, with_prune(EXPERIMENT, criterion=of))
               for better, of in ((1, "magnitude"), (-100, "random"))]  # fmt: skip
    figure = {
        "arms": lambda: every_arm(alone[0]),
        "methods": lambda: FIGURES["methods"].draw(Study(methods)),
        "runs": lambda: FIGURES["runs"].draw(Study(alone)),
        "sweep": lambda: FIGURES["sweep"].draw(Study(points)),
    }[drawn]()
    label = f"{known(name).called.title()} at Early-Stop (Test)"
    tested = [axes for axes in figure.axes if axes.get_ylabel() == label]
    said = [figure.get_label(), *(axes.get_ylabel() for axes in figure.axes)]
    assert tested and silent(" ".join(said), name)
    for low, high in (axes.get_ylim() for axes in tested):
        assert low < DENSE[name] + GAIN[name] < high
        assert drawn == "arms" or not low < DENSE[name] - 100 * GAIN[name] < high


def replace_point(run):
    made = replace(run, point="", folder=Path(f"{run.folder}-alone"))
    made.__dict__.update({key: run.__dict__[key] for key in ("curves", "learned", "anatomy")})
    return made


@metrics
def test_the_page_has_the_metric_in_table_and_plot(name):
    page = render([run_of(name)])
    text = " ".join(Parsed(page).text.split())
    _, heading, dense = TOLD[name]
    assert f"{heading} there" in text and f"train{heading[4:]} at end" in text and dense in text
    assert f'<span id="measure">{known(name).called}</span>' in page
    before_settings, _, _ = text.partition("Not run, not drawn")
    assert silent(before_settings, name)


@metrics
def test_a_card_has_the_metric_by_its_name(name):
    shown = known(name)
    values = {f"{place}_{name}": DENSE[name] for place in card.VALUES}
    rows = list(card._values({"metric": shown._asdict(), name: values}))
    assert rows[0] == ["test, at the end of training", TOLD[name][2] + "%" * shown.percent]


@metrics
def test_a_papers_figures_and_claims_pass_over_runs_of_another_metric(name):
    if name == "accuracy":
        return
    study = Study([run_of(name)])
    for of, figure in FIGURES.items():
        if of not in ("arms", "methods"):
            with pytest.raises(Absent):
                figure.draw(study)
    assert picture(study) == "arms"
    assert {verdict.status for verdict in judge(study, CLAIMS)} == {"not run"}


def test_runs_of_different_metrics_are_not_drawn_in_one_panel():
    study = Study([run_of("accuracy", folder="one"), run_of("r2", folder="other")])
    with pytest.raises(Absent, match="runs of one metric: these have accuracy and r2"):
        FIGURES["runs"].draw(study)
    assert "different metrics (accuracy, r2)" in swept_finding(study.runs)
