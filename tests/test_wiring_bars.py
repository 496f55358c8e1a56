"""Error bars from the least to the greatest trial, and gains paired by trial: on trials that lie unevenly.

Two of three trials are alike and the third is twice as far from the mean: there no standard deviation, and
none of its multiples, is what is asked for. Of two trials, or of three that are equally spaced, it could be.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from ltjax import load_experiment, studies
from ltjax.analysis.results import VALIDATION, Results, Study
from ltjax.claims import statistics
from ltjax.report import facts, lines
from ltjax.studies import CLAIMS, FIGURES

from .conftest import with_prune
from .made_up import made_up, made_up_sweep
from .paper_runs import controls

OFF = (-1.0, -1.0, 2.0)
"""Where three trials lie about their mean, in some unit."""

UNIT = 0.001


def uneven(arm: str, round: int, trial: int, repeat: int) -> Mapping[str, float]:
    """Lanes whose every accuracy and loss lies off by trial; all stop early at one step."""
    off = UNIT * OFF[trial]
    named = ("early_stop_test_accuracy", "early_stop_train_accuracy", "initial_test_accuracy",
             "final_test_accuracy", "final_train_accuracy", "validation")  # fmt: skip
    return {**dict.fromkeys(named, 0.9 + off), "early_stop_validation_loss": 0.1 + off}


def stopping(arm: str, round: int, trial: int, repeat: int) -> Mapping[str, float]:
    """The same, with early stops that lie off too; curves then bend at other steps in each trial."""
    return {**uneven(arm, round, trial, repeat), "early_stop_step": 8_000 + 400 * OFF[trial]}


def run(name: str, course=stopping, rounds: int = 8, **changes) -> Results:
    experiment = replace(load_experiment(name), trials=3, **changes)
    return made_up(with_prune(experiment, rounds=min(rounds, experiment.prune.rounds)), course)


BOTH = {"ticket": 1, "reinit": 1}

DRAWN = {
    "1": lambda: [run("lenet_iterative", arms={"ticket": 1, "random": 1})],
    "3": lambda: [run("lenet_iterative", uneven, arms=BOTH)],
    "4a": lambda: [run("lenet_iterative", arms=BOTH), run("lenet_oneshot", arms=BOTH)],
    "5": lambda: [run("conv2_iterative", arms=BOTH, rounds=3)],
    "7": lambda: [run("vgg19_lr01", uneven, arms=BOTH, rounds=3)],
    "9": lambda: [run("lenet_iterative"), run("lenet_continued")],
    "11": lambda: [run("lenet_iterative", uneven, arms=BOTH)],
    "29": lambda: made_up_sweep("lenet_pruning_rates", lambda _: stopping, trials=3),
    "untrained": lambda: [run("lenet_iterative", arms=BOTH)],
}
"""A figure of every kind that has bars, and the runs that it is drawn from."""


def bars(figure) -> list[tuple[float, float, float]]:
    """Every bar of a figure: its least, the line's mean there, its greatest."""
    found = []
    for axes in figure.axes:
        for container in axes.containers:
            line, _, (drawn,) = container.lines
            means = dict(zip(map(float, line.get_xdata()), line.get_ydata(), strict=True))
            found += [(low, means[float(x)], high) for (x, low), (_, high) in drawn.get_segments()]
    return found


@pytest.mark.parametrize("name", DRAWN)
def test_bars_reach_from_the_least_trial_to_the_greatest(name):
    found = bars(FIGURES[name].draw(Study(DRAWN[name]())))
    apart = [(mean - low, high - mean) for low, mean, high in found]
    # all curves begin at one loss before training, where bars have no length
    assert sum(below > UNIT / 2 for below, _ in apart) > 0.7 * len(apart) > 0
    for below, above in apart:
        assert above == pytest.approx(2 * below, rel=1e-6, abs=1e-9)
        # by about a unit: a thousandth (of a loss past its lowest, more), or 400 steps
        assert below < 2 * UNIT or below == pytest.approx(400)


def test_the_page_tells_and_plots_the_least_and_the_greatest_trial():
    made = run("lenet_iterative", uneven, rounds=1)
    first = facts.rounds(made.summary)[0]
    cells = dict(zip(facts.columns(), first.cells, strict=True))
    assert cells["test % there"] == cells["test % at end"] == ("90.00", "89.90–90.20")
    assert cells["early-stop step"] == ("8,000", "")
    [shown], _ = lines.explorable([("made up", made)])
    for line in shown["lines"]:
        at = line["step"].index(8_000)
        for split in ("train", "validation", "test"):
            mean, least, most = (values[at] for values in line["splits"][split]["accuracy"])
            assert (mean, least, most) == (90.0, 89.9, 90.2)


DENSE, MORE = (0.90, 0.95, 0.97), (0.01, 0.02, 0.06)
"""Test accuracy of three dense networks, and how much better each one's ticket is: in no order of theirs."""


def paired(arm: str, round: int, trial: int, repeat: int) -> Mapping[str, float]:
    dense, step = DENSE[trial], (2_000, 4_000, 8_000)[trial]
    if round == 0:
        return {"early_stop_test_accuracy": dense, "validation": dense, "early_stop_step": step}
    best = dense + MORE[trial] - 0.01 * (arm == "reinit") * (1 + repeat)
    return {"early_stop_test_accuracy": best, "validation": best, "early_stop_step": step * (1 + trial) / 4}


@pytest.fixture(scope="module")
def gained():
    """Tickets, and reinits of two repeats, 1 and 2 points below the ticket of their trial."""
    return run("lenet_iterative", paired, rounds=2, arms={"ticket": 1, "reinit": 2})


def test_a_gain_is_over_the_dense_network_of_the_same_trial(gained):
    for column in ("early_stop_test_accuracy", VALIDATION):
        found = statistics.gain(gained, column)
        np.testing.assert_allclose(found.loc[0], [0, 0, 0], atol=1e-9)
        np.testing.assert_allclose(found.loc[1], [1, 2, 6])
        # a trial's repeats are averaged, and set against the ticket's dense network
        np.testing.assert_allclose(statistics.gain(gained, column, "reinit").loc[2], [-0.5, 0.5, 4.5])


def test_an_early_stop_is_set_against_the_dense_networks_of_the_same_trial(gained):
    np.testing.assert_allclose(statistics.earlier(gained).loc[1], [75, 50, 25])
    np.testing.assert_allclose(statistics.sooner(gained).loc[1], [4, 2, 4 / 3])


def test_a_claim_tells_the_least_and_the_greatest_of_gains_paired_by_trial():
    """L4, of points above dense over rounds 7 to 10; the dense networks differ more than tickets gain."""

    def course(arm, round, trial, repeat):
        row = dict(controls(None, arm, round))
        if arm == "ticket" and 7 <= round <= 10:
            row["early_stop_test_accuracy"] = 0.98 + 0.003 + 0.001 * OFF[trial]
        row["early_stop_test_accuracy"] += (0.0, -0.04, 0.01)[trial]
        return row

    study = Study([run("lenet_iterative", course, rounds=20)])
    [verdict] = studies.judge(study, {"L4": CLAIMS["L4"]})
    assert (verdict.minimum, verdict.maximum) == (pytest.approx(0.2), pytest.approx(0.5))
    assert verdict.trials == 3 and "+0.30" in verdict.ours and verdict.status == "reproduced"
