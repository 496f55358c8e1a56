"""Figures of whatever there is: any arms, runs side by side, any sweep, and which of them answers."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from ltjax.analysis.results import Absent, Study
from ltjax.plots.comparing import called
from ltjax.plots.layout import MANY
from ltjax.plots.leaving import GONE, NOTE, mark_exits
from ltjax.settings.loading import load_experiment
from ltjax.studies import FIGURES, picture

from .conftest import with_prune, with_train
from .drawings import labels, lines, panels, same, tickets
from .made_up import made_up


def run(experiment, folder="made-up", course=same, point="", curves=False):
    """A made-up run in a folder of its own."""
    made = made_up(experiment, course, curves=True)
    moved = replace(made, folder=Path(folder), point=point)
    moved.__dict__["curves"] = made.curves if curves else None
    return moved


def small(rounds=2, **arms):
    experiment = with_prune(replace(load_experiment("mnist_5k"), trials=2), rounds=rounds)
    return replace(experiment, arms={"ticket": 1, **arms})


def swept(setting, values, course=lambda value: same):
    """The points of a sweep of a setting of training."""
    return [
        run(with_train(small(), **{setting: value}), f"swept/{at}", course(value), f"{setting}={value}")
        for at, value in enumerate(values)
    ]


def looks(axes):
    """Every line with bars of a panel: its colour, marker and dashes."""
    drawn = {each.get_label(): each.lines[0] for each in axes.containers}
    return {label: (line.get_color(), str(line.get_marker()), line.get_markerfacecolor() == "white")
            for label, line in drawn.items()}  # fmt: skip


# --- any arms ---


@pytest.mark.parametrize("name", ["4a", "4b", "12"])
@pytest.mark.parametrize(
    ("arms", "drawn"),
    [
        ({}, ["winning ticket"]),
        ({"random": 1}, ["winning ticket", "random sparsity"]),
        ({"reinit": 1, "random": 1}, ["winning ticket", "random reinit"]),
        ({"mine": 1}, ["winning ticket", "mine"]),
        ({"reinit": 1, "mine": 1, "hers": 1}, ["winning ticket", "random reinit", "hers", "mine"]),
    ],
)
def test_figure_4_is_drawn_of_tickets_alone_and_of_any_arms(name, arms, drawn):
    assert labels(FIGURES[name].draw(Study([run(small(**arms))]))) == drawn


@pytest.mark.parametrize("name", ["3", "4a", "4b", "11", "12", "untrained", "1", "14", "17", "18", "25"])
def test_arms_of_the_users_own_are_in_every_figure_that_compares_arms_each_with_its_look(name):
    noise = {"noise_0.5": 1, "noise": 1, "noise_2": 1, "noise_3": 1}
    arms = {"ticket": 1, "reinit": 1, "random": 1, "resample": 1, **noise, "mine": 1, "hers": 1}
    whole = run(replace(tickets(3), trials=1, arms=arms), curves=True)
    other = run(replace(load_experiment("lenet_step0"), trials=1))
    axes = [looks(each) for each in panels(FIGURES[name].draw(Study([whole, other])))]
    shown = {label: look for each in axes for label, look in each.items()}
    assert {label.split()[-1] for label in shown} >= {"mine", "hers"}
    assert len(set(shown.values())) == len(shown)


@pytest.mark.parametrize("name", ["5", "13"])
def test_arms_of_the_users_own_stand_beside_each_networks_tickets(name):
    arms = {"ticket": 1, "reinit": 1, "mine": 1, "hers": 1}
    conv = replace(with_prune(load_experiment("conv2_controls"), rounds=2), trials=1, arms=arms)
    found = looks(panels(FIGURES[name].draw(Study([run(conv)])))[0])
    assert list(found) == ["Conv-2", "Conv-2, reinit", "Conv-2, hers", "Conv-2, mine"]
    assert len({colour for colour, *_ in found.values()}) == 1 and len(set(found.values())) == 4


def test_a_run_of_few_sizes_has_its_own_in_legends_and_on_axes():
    study = Study([run(small(4), curves=True)])
    own = ["100%", "70.1%", "49.1%", "34.4%", "24.1%"]
    assert labels(FIGURES["3"].draw(study)) == labels(FIGURES["11"].draw(study)) == own
    axes = panels(FIGURES["4a"].draw(study))[0]
    assert [f"{axes.xaxis.get_major_formatter()(tick)}%" for tick in axes.get_xticks()][::-1] == own


def test_the_title_of_untrained_networks_says_what_is_astonishing_only_where_something_is():
    def course(arm, round, trial, repeat):
        return {"initial_test_accuracy": 0.6 if round == 2 else 0.1}

    titles = [str(FIGURES["untrained"].draw(Study([run(small(), course=each)])).get_label())
              for each in (course, same)]  # fmt: skip
    assert "49.1% of the initial weights" in titles[0] and "right on 60% of the test images" in titles[0]
    assert "they guess" in titles[1]


# --- lines that leave their axes ---


@pytest.mark.parametrize(
    ("y", "entries", "marks"),
    [
        ([0.5, 0.6, 0.7], True, []),
        ([0.5, -0.5, -0.5], True, [(0.5, 0)]),
        ([0.5, 1.5, 0.5], True, [(0.5, 1), (1.5, 1)]),
        ([-0.5, 0.5, 0.5], True, [(0.5, 0)]),
        ([-0.5, 0.5, 0.5], False, []),
        ([-1, -1, -1], True, [(0, 0)]),
        ([2, 2, 2], False, [(2, 1)]),
        ([0.5, np.nan, 0.5], True, []),
    ],
)
def test_a_triangle_marks_where_a_line_leaves_its_axes(y, entries, marks):
    axes = Figure().subplots()
    axes.plot([0, 1, 2], y)
    axes.set_ylim(0, 1)
    mark_exits(axes, entries=entries)
    found = [line for line in axes.lines if line.get_label() == GONE]
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in found] == marks
    assert [line.get_marker() for line in found] == ["^" if edge else "v" for _, edge in marks]


@pytest.mark.parametrize("worst", [0.97, 0.5])
def test_the_legend_says_what_triangles_mean_where_there_are_some(worst):
    def course(arm, round, trial, repeat):
        return {"early_stop_test_accuracy": worst if round == 2 else 0.98}

    (legend,) = FIGURES["4a"].draw(Study([run(small(), course=course)])).legends
    assert legend.get_title().get_text() == (NOTE if worst == 0.5 else "")


# --- runs side by side ---


@pytest.mark.parametrize(
    ("others", "names"),
    [
        ([{"learning_rate": 0.01}], ["learning_rate 0.003", "learning_rate 0.01"]),
        ([{"learning_rate": 0.01, "optimizer": "sgd"}], ["adam", "sgd"]),
        ([{}], ["mnist_5k (0)", "mnist_5k (1)"]),
    ],
)
def test_runs_are_named_by_what_differs_and_else_by_their_folders(others, names):
    study = Study([run(with_train(small(), **each), f"{at}") for at, each in enumerate([{}, *others])])
    found = called(study.runs)
    assert all(name in label for name, label in zip(names, found, strict=True))
    assert labels(FIGURES["runs"].draw(study)) == found


def test_runs_of_different_extent_are_not_named_by_it():
    study = Study([run(small(1), "a"), run(replace(small(2, reinit=1), trials=1, name="longer"), "b")])
    assert called(study.runs) == ["mnist_5k", "longer"]


def test_one_run_is_not_set_beside_itself():
    for one in ([run(small())], swept("learning_rate", [0.1, 0.2])):
        with pytest.raises(Absent, match="none to set beside it"):
            FIGURES["runs"].draw(Study(one))


# --- the points of a sweep ---


def by_rate(rate):
    return lambda *_: {"early_stop_test_accuracy": 0.95 + rate / 100, "early_stop_step": 1000 * rate}


def test_a_sweeps_points_stand_in_order_against_what_was_swept():
    figure = FIGURES["sweep"].draw(Study(swept("learning_rate", [2.0, 1.0, 3.0], by_rate)))
    accuracy, steps, *by_size = panels(figure)
    assert accuracy.get_xlabel() == steps.get_xlabel() == "train.learning_rate"
    assert list(lines(accuracy)) == ["100%", "70.1%", "49.1%"]
    x, mean, *_ = lines(accuracy)["70.1%"]
    assert list(x) == [1, 2, 3] and mean == pytest.approx([0.96, 0.97, 0.98])
    assert lines(steps)["100%"][1] == pytest.approx([1000, 2000, 3000])
    assert all(list(lines(axes)) == ["1", "2", "3"] for axes in by_size)


def test_a_sweep_of_names_has_them_along_its_axis():
    axes = panels(FIGURES["sweep"].draw(Study(swept("optimizer", ["sgd", "adam", "momentum"]))))[0]
    assert axes.get_xlabel() == "train.optimizer"
    assert [text.get_text() for text in axes.get_xticklabels()] == ["sgd", "adam", "momentum"]


@pytest.mark.parametrize("count", [MANY, MANY + 1])
def test_a_colour_bar_replaces_the_legend_of_more_than_twelve_points(count):
    figure = FIGURES["sweep"].draw(Study(swept("learning_rate", [0.001 * 2**at for at in range(count)])))
    legends = [axes.get_legend() for axes in figure.axes if axes.get_legend()]
    bars = [bar for axes in figure.axes for bar in axes.child_axes]
    assert (len(legends), len(bars)) == ((2, 0) if count == MANY else (1, 1))
    for bar in bars:
        shown = [bar.yaxis.get_major_formatter()(at) for at in bar.get_yticks()]
        assert bar.get_ylabel() == "train.learning_rate" and (shown[0], shown[-1]) == ("0.001", "4.096")
    assert panels(figure)[0].get_xscale() == "log"


def test_a_study_without_a_sweep_has_no_figure_of_one():
    with pytest.raises(Absent, match="no sweep of two points"):
        FIGURES["sweep"].draw(Study([run(small())]))


# --- the one that answers ---


CONV = replace(with_prune(load_experiment("conv2_iterative"), rounds=2), trials=1)
ONESHOT = replace(load_experiment("lenet_oneshot"), trials=1)

ANSWERS = {
    "a run of tickets": ([run(small())], "4a"),
    "a run with an own arm": ([run(small(mine=1))], "4a"),
    "a one-shot run": ([run(ONESHOT)], "arms"),
    "a run of another network": ([run(CONV)], "arms"),
    "a sweep": (swept("learning_rate", [0.1, 0.2]), "sweep"),
    "a sweep of another network": (
        [run(with_train(CONV, learning_rate=rate), f"s/{rate}", point=f"learning_rate={rate}")
         for rate in (0.1, 0.2)], "sweep"),
    "two runs": ([run(small(), "a"), run(small(), "b")], "runs"),
    "an iterative and a one-shot run": ([run(tickets(2), "a"), run(ONESHOT, "b")], "4a"),
    "an iterative and a one-shot run trained otherwise": (
        [run(with_train(tickets(2), steps=10_000), "a"), run(ONESHOT, "b")], "runs"),
}  # fmt: skip


@pytest.mark.parametrize("study", ANSWERS)
def test_the_picture_of_a_study_answers_it_and_can_be_drawn(study):
    runs, name = ANSWERS[study]
    assert picture(Study(runs)) == name
    assert panels(FIGURES[name].draw(Study(runs)))
