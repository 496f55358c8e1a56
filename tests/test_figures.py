"""Every figure on made-up runs: its axes as the paper's, and what is said where runs lack something."""

from dataclasses import replace

import numpy as np
import pytest

from ltjax.analysis.results import Absent, Results, Study
from ltjax.plots.style import ARMS
from ltjax.settings.loading import load_experiment
from ltjax.studies import FIGURES, in_order
from ltjax.studies.frankle2019.runs import find

from .conftest import with_prune, with_train
from .drawings import CIFAR, empty, labels, lines, panels, same, tickets
from .made_up import made_up, made_up_folder, made_up_sweep
from .made_up_lines import asked

CONTROLS = {"reinit": 2, "random": 1, "resample": 1, "noise_0.5": 1, "noise": 1, "noise_2": 1, "noise_3": 1}
PERCENT = "Percent of Weights Remaining"
EARLY_STOP = "Early-Stop Iteration (Val.)"
TEST, TRAIN = "Accuracy at Early-Stop (Test)", "Accuracy at Early-Stop (Train)"
VALID = "Accuracy at Early-Stop (Val.)"
END_TEST, END_TRAIN = "Accuracy at Iteration 50K (Test)", "Accuracy at Iteration 50K (Train)"

COMPARED = {
    "1": [EARLY_STOP, TEST],
    "4a": [EARLY_STOP, TEST, TRAIN],
    "4b": [END_TEST],
    "4c": [EARLY_STOP, TEST],
    "9": [EARLY_STOP, VALID],
    "12": [EARLY_STOP, TEST, TRAIN, END_TEST, END_TRAIN],
    "14": [END_TEST],
    "17": [EARLY_STOP, TEST],
    "18": [EARLY_STOP, TEST],
    "25": [EARLY_STOP, TEST],
    "untrained": ["Accuracy before Training (Test)"],
}
"""The panels of every figure that compares arms, by the names of their axes in the paper."""

SWEPT = {
    "26": ("lenet_adam_rates", ["2.5e-5", "5e-5", "0.0002", "0.0008", "0.0012", "0.002", "0.0032", "0.0064"]),
    "27": ("lenet_sgd_rates", ["0.003125", "0.00625", "0.0125", "0.025", "0.1", "0.4", "0.8", "1.2"]),
    "28": ("lenet_momentum_rates", ["0.003125", "0.0125", "0.025", "0.05", "0.1", "0.2", "0.4"]),
    "29": ("lenet_pruning_rates", ["10%", "20%", "40%", "60%", "80%"]),
    "30": ("lenet_init_scales", [*(f"σ = {s}" for s in (0.0125, 0.025, 0.05, 0.1, 0.2, 0.4)), "Glorot"]),
    "31": ("lenet_sizes", "25-9 50-17 100-34 150-50 200-67 300-100 400-134 500-167 700-233 900-300".split()),
}
"""The figures of Appendix G: the experiment that sweeps, and the legend."""

LENET = [name for name in FIGURES if name not in CIFAR]

INSIDE = ["15", "16", "19", "20", "21", "22", "23", "24", "layers", "pixels"]


def controlled(**changes):
    """A run of tickets and all their controls, two trials, rounds 0 to 18."""
    arms = {"ticket": 1, **CONTROLS}
    experiment = replace(load_experiment("lenet_iterative"), trials=2, arms=arms)
    return with_prune(replace(experiment, **changes), rounds=18)


def looked_into(folder, optimizer) -> Results:
    """A run on digits with checkpoints of rounds 0, 4, 8 and 12, whose masks are random."""
    small = replace(load_experiment("digits").model, widths=(16, 12))
    experiment = with_train(replace(load_experiment("digits"), trials=1, model=small), optimizer=optimizer)
    random = np.random.default_rng(0)
    shapes = {"fc1": (64, 16), "fc2": (16, 12), "output": (12, 10)}
    theta0, trained = (
        {name: {"kernel": random.normal(size=shape)} for name, shape in shapes.items()} for _ in range(2)
    )
    rounds = {
        round: [{name: {"kernel": random.random(shape) < 0.8**round} for name, shape in shapes.items()}]
        for round in (0, 4, 8, 12)
    }
    made_up_folder(folder, experiment, [theta0], rounds, [trained])
    return Results(folder, experiment, made_up(experiment, same).summary)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A study that has everything, with few lanes."""
    names = ("lenet_oneshot", "lenet_continued", "lenet_step0")
    others = [made_up(replace(load_experiment(name), trials=2), same) for name in names]
    brief = with_prune(load_experiment("lenet_iterative"), rounds=6).prune
    sweeps = [run for name, _ in SWEPT.values()
              for run in made_up_sweep(name, lambda _: same, trials=1, prune=brief)]  # fmt: skip
    seen = [looked_into(tmp_path_factory.mktemp("seen") / name, name) for name in ("adam", "sgd")]
    lines = asked(tmp_path_factory.mktemp("lines") / "run", range(3))
    return Study([made_up(controlled(), same), *others, *sweeps, *seen, lines])


@pytest.fixture(scope="module")
def drawn(study):
    """Every figure that LeNet's runs suffice for, drawn once."""
    alone = Study([made_up(load_experiment("conv2_iterative"), same, curves=False)])
    return {name: FIGURES[name].draw(alone if name == "arms" else study) for name in LENET}


@pytest.mark.parametrize("name", LENET)
def test_every_panel_of_a_figure_shows_something_under_a_sentence_of_its_own(drawn, name):
    assert empty(drawn[name]) == []
    titles = [entry.title for entry in FIGURES.values()]
    assert titles.count(FIGURES[name].title) == 1 and len(FIGURES[name].title) > 20


def test_the_figures_are_the_papers_in_its_order_and_then_our_own():
    paper = ["1", "3", "4a", "4b", "4c", *map(str, range(5, 46))]
    assert in_order() == [
        *paper,
        "arms",
        "connectivity",
        "layers",
        "methods",
        "pixels",
        "runs",
        "sweep",
        "untrained",
    ]


@pytest.mark.parametrize("name", COMPARED)
def test_the_axes_are_the_papers(drawn, name):
    assert [axes.get_ylabel() for axes in panels(drawn[name])] == COMPARED[name]
    for axes in panels(drawn[name]):
        assert axes.get_xlabel() == PERCENT
        assert axes.get_xscale() == ("linear" if name == "4c" else "log")
        left, right = axes.get_xlim()
        assert left > 100 > right


def test_the_ticks_are_the_papers_percentages(drawn):
    def ticks(name):
        (axes, *_) = panels(drawn[name])
        return [axes.xaxis.get_major_formatter()(tick) for tick in axes.get_xticks()]

    assert ticks("14") == ["100", "51.3", "26.3", "13.5", "7.0", "3.6", "1.9"]
    assert ticks("1") == ["100", "41.1", "16.9", "7.0", "2.9"]
    assert ticks("4c") == ["100", "87.5", "75.0", "62.6", "50.1", "37.6", "25.1", "12.7"]


def test_figure_4_shows_one_shot_pruning_where_it_was_run_alike(drawn):
    both = [
        f"{arm} ({kind})" for kind in ("iterative", "one-shot") for arm in ("winning ticket", "random reinit")
    ]
    assert labels(drawn["4a"]) == labels(drawn["4b"]) == labels(drawn["12"]) == both
    run = made_up(replace(tickets(), arms={"ticket": 1, "reinit": 1}), same)
    shorter = with_train(replace(load_experiment("lenet_oneshot"), trials=1), steps=10_000)
    assert labels(FIGURES["4a"].draw(Study([run, made_up(shorter, same)]))) == [
        "winning ticket",
        "random reinit",
    ]


@pytest.mark.parametrize(("name", "y"), [("3", "Test Accuracy"), ("11", "Validation Loss")])
def test_the_courses_are_in_three_panels_of_the_papers_sizes(drawn, name, y):
    early, late, controls = panels(drawn[name])
    assert {axes.get_ylabel() for axes in (early, late, controls)} == {y}
    assert {axes.get_xlabel() for axes in (early, late, controls)} == {"Training Iterations"}
    assert list(lines(early)) == ["100%", "51.3%", "21.1%"]
    assert list(lines(late)) == ["100%", "21.1%", "7.0%", "3.6%", "1.9%"]
    assert list(lines(controls)) == ["100%", "51.3%", "21.1%", "51.3% reinit", "21.1% reinit"]
    window = {"3": ((0, 15_000), (0.94, 0.99)), "11": ((0, 25_000), (0, 0.2))}[name]
    assert (early.get_xlim(), early.get_ylim()) == window


def test_a_course_is_the_mean_over_trials_at_every_evaluation_and_its_bars_the_least_and_the_greatest():
    """Of made-up trials that rise from 10% at step 0 to 95, 95 and 98% at step 8,000, and stay there."""

    def course(arm, round, trial, repeat):
        reached = (0.95, 0.95, 0.98)[trial] if round == 7 else 0.5
        return {"early_stop_test_accuracy": reached, "final_test_accuracy": reached}

    run = made_up(replace(tickets(7), trials=3), course)
    x, *drawn = lines(panels(FIGURES["3"].draw(Study([run])))[0])["21.1%"]
    assert x.tolist() == list(range(0, 15_001, 1000))
    for got, reached in zip(drawn, (0.96, 0.95, 0.98), strict=True):
        assert got == pytest.approx(np.interp(x.astype(float), [0, 8000], [0.1, reached]))


@pytest.mark.parametrize("name", SWEPT)
def test_a_sweep_has_a_line_for_every_point(drawn, name):
    assert labels(drawn[name]) == SWEPT[name][1]
    early, accuracy = panels(drawn[name])
    assert [early.get_ylabel(), accuracy.get_ylabel()] == [EARLY_STOP, VALID]
    assert early.get_xlabel() == ("Weights Remaining (Thousands)" if name == "31" else PERCENT)
    assert early.get_xscale() == "log" and early.get_xlim()[0] > early.get_xlim()[1]


def test_sizes_are_compared_by_their_numbers_of_weights(drawn):
    found = lines(panels(drawn["31"])[0])
    assert found["300-100"][0][0] == 266_200 and found["900-300"][0][0] == 784 * 900 + 900 * 300 + 3000


@pytest.mark.parametrize("name", ["15", "16", "21", "22", "23", "24"])
def test_tickets_are_looked_into_at_the_papers_rounds_and_in_every_layer(drawn, name):
    shown = [axes for axes in drawn[name].axes if axes.axison]
    assert len(shown) == (4 if name in ("15", "16") else 3)
    assert all(axes.get_title().endswith("% remaining") for axes in shown)
    assert labels(drawn[name]) == ["fc1", "fc2", "output"] if name < "23" else ["input", "fc1", "fc2"]


def test_an_outline_has_the_tables_density(study, drawn):
    table = find(study, anatomy=True).anatomy
    rows = table[(table["what"] == "initial") & (table["round"] == 8) & (table["layer"] == "fc1")]
    outline = drawn["15"].axes[2].patches[0].get_data()
    assert outline.values.tolist() == rows["y"].tolist()
    assert (outline.edges[:-1] + outline.edges[1:]) / 2 == pytest.approx(rows["x"].to_numpy())


@pytest.mark.parametrize("name", ["19", "20"])
def test_the_dense_networks_weights_are_divided_in_every_layer(drawn, name):
    assert [axes.get_title() for axes in drawn[name].axes] == ["fc1", "fc2", "output"]
    assert labels(drawn[name]) == ["in the ticket", "not in the ticket"]


def test_pixels_are_an_image_of_the_input_for_every_fourth_round(drawn, study):
    maps = [axes.images[0].get_array() for axes in drawn["pixels"].axes if axes.images]
    assert [each.shape for each in maps] == [(8, 8)] * 3
    table = find(study, anatomy=True).anatomy
    first = table[(table["what"] == "pixels") & (table["round"] == 4)]["y"].to_numpy()
    np.testing.assert_allclose(maps[0].ravel(), 100 * first)


def test_an_input_that_is_no_image_of_the_data_set_is_skipped(study):
    run = find(study, anatomy=True)
    other = replace(run, experiment=replace(run.experiment, data=replace(run.experiment.data, name="mnist")))
    other.__dict__["anatomy"] = run.anatomy
    with pytest.raises(Absent, match="first layer sees the pixels"):
        FIGURES["pixels"].draw(Study([other]))


LACKING = {
    "1": ("random", "--config lenet_iterative --arms.random 2"),
    "4c": ("oneshot", "--config lenet_oneshot"),
    "9": ("continued", "--config lenet_continued --train.steps 10000"),
    "14": ("reinit and random", "--arms.reinit 3 --arms.random 2"),
    "17": ("resample", "--arms.resample 1"),
    "18": ("reinit", "--arms.reinit 3"),
    "25": ("noise_3", "--arms.noise_3 1"),
    **{name: ("sweep", f"--config {experiment}") for name, (experiment, _) in SWEPT.items()},
    **{name: ("sgd" if name in ("16", "22", "24") else "checkpoints", "--config lenet_") for name in INSIDE},
}
"""What is said, and the command, where a study has tickets of 10,000 steps and nothing else."""


@pytest.mark.parametrize("name", LACKING)
def test_a_figure_that_cannot_be_drawn_says_what_is_missing_and_the_command(name):
    study = Study([made_up(with_train(tickets(), steps=10_000), same)])
    with pytest.raises(Absent) as told:
        FIGURES[name].draw(study)
    missing, command = LACKING[name]
    assert missing in told.value.what and command in told.value.command
    assert told.value.command.startswith("ltjax run --config ")


def test_no_two_lines_of_a_figure_look_alike_in_grey_and_an_arm_is_the_same_everywhere(drawn):
    for name in COMPARED:
        for axes in panels(drawn[name]):
            shown = {each.get_label(): each.lines[0] for each in axes.containers}
            looks = {(line.get_marker(), line.get_markerfacecolor() == "white") for line in shown.values()}
            assert len(looks) == len(shown)
            for label, line in shown.items():
                arms = [look for look in ARMS.values() if label == look.label]
                assert all(look.colour == line.get_color() for look in arms)
