"""Made-up runs of all that the claims ask for: they say what the paper says, and are made in seconds."""

from dataclasses import replace
from functools import cache

import numpy as np

from ltjax.analysis.results import Study
from ltjax.settings import loading, sweeps
from tests.made_up import made_up, remaining

SPEED = [1, .95, .9, .8, .75, .7, .66, .62, .64, .66, .7, .75, .82, .88, .95, 1.02, 1.15, 1.3, 1.5, 1.6,
         1.7, *[1.8] * 30]  # fmt: skip
GAIN = [0, .05, .1, .15, .2, .25, .3, .35, .36, .35, .3, .25, .2, .12, .05, -.01, -.1, -.2, -.4, -.5,
        -.6, *[-.7] * 30]  # fmt: skip
"""The paper's tickets, round by round: early-stop step relative to dense, and points above dense."""


def lane(speed=1.0, gain=0.0, dense=98.0, **more):
    """A summary row: early stop relative to step 8,000, and points above a dense network's accuracy."""
    accuracy = (dense + gain) / 100
    return {
        "early_stop_step": round(8_000 * speed), "early_stop_test_accuracy": accuracy,
        "validation": accuracy - 0.001, "final_test_accuracy": accuracy - 0.002, **more,
    }  # fmt: skip


def ticket(n, **more):
    return lane(SPEED[n], GAIN[n], **more)


# What the paper says of every run that the claims ask for: (experiment, arm, round) to a lane.


def controls(experiment, arm, n):
    if arm == "ticket":
        return ticket(n)
    control = lane(1 + 0.08 * n, -0.15 if n > 5 else 0.05)
    return control | {"final_test_accuracy": 0.975} if arm == "random" else control


def oneshot(experiment, arm, n):
    size = 100 * remaining(experiment, n) / 266_200
    fast, good = 17.6 < size < 67.5, 5.17 < size < 95.0
    return lane(0.8 if fast else 1.1, (0.2 if fast else 0.02) if good else -0.1) if n else lane()


def continued(experiment, arm, n):
    return lane(1.4, -0.3) if n > 8 else ticket(n)


def adam(experiment, arm, n):
    rate = experiment.train.learning_rate
    slow = {2e-4: 3, 8e-4: 1.3}.get(rate, 1)
    return lane(6.2, 0.2 * (n == 5), 97) if rate in (2.5e-5, 6.4e-3) else lane(slow * SPEED[n], GAIN[n])


def sgd(experiment, arm, n):
    return lane(SPEED[min(n, 8)], 0.2 if n else 0)


def momentum(experiment, arm, n):
    rate = experiment.train.learning_rate
    if rate == 0.025:
        return lane(1, -0.1 if n else 0, 98.5)
    return ticket(n, dense=98.2 if rate in (0.05, 0.1) else 97.0)


def rates(experiment, arm, n):
    fine = experiment.prune.rates.fc < 0.3
    return lane(0.8 if fine else 1, 0 if fine else -0.3) if n else lane()


def scales(experiment, arm, n):
    return ticket(n)


def sizes(experiment, arm, n):
    gain = 0.3 if remaining(experiment, n) > 12_000 else -0.2
    return lane(1, gain if n else 0, 96.5 + 0.5 * np.log10(experiment.model.widths[0]))


def embedded(experiment, arm, n):
    """What the embedded experiment's claims say, at a fiftieth of the paper's steps."""
    found = controls(experiment, arm, n) if arm == "reinit" else lane(1 - 0.1 * n, 0.1 * n)
    control = {"early_stop_test_accuracy": 0.978} if arm == "reinit" and n > 3 else {}
    return found | {"early_stop_step": found["early_stop_step"] // 50} | control


COURSES = {
    "controls": controls, "oneshot": oneshot, "continued": continued,
    "adam_rates": adam, "sgd_rates": sgd, "momentum_rates": momentum,
    "pruning_rates": rates, "init_scales": scales, "sizes": sizes, "mnist_5k": embedded,
}  # fmt: skip


ROUNDS = {"adam_rates": 10, "momentum_rates": 10, "init_scales": 10}
"""Rounds of the runs that the claims need fewer of than were swept."""


def runs_of(name, change=None):
    """The runs of a named experiment, small: as the paper says, or with ``change`` on top."""
    known = loading.experiments()
    experiment = loading.load_experiment(name if name in known else f"lenet_{name}")
    if experiment.sweep:
        rounds = ROUNDS.get(name, experiment.prune.rounds)
        return made(replace(experiment, trials=1), rounds, COURSES[name], change)
    return made(replace(experiment, trials=2), experiment.prune.rounds, COURSES[name], change)


def made(experiment, rounds, course, change=None):
    """An experiment's runs with one repeat of every arm: what ``course`` says, with ``change`` on top."""

    def at(each):
        return lambda arm, n, *_: course(each, arm, n) | (change(each, arm, n) or {} if change else {})

    experiment = replace(experiment, arms=dict.fromkeys(experiment.arms, 1),
                         prune=replace(experiment.prune, rounds=rounds))  # fmt: skip
    points = sweeps.points(experiment)
    return [made_up(each, at(each), point=point) for point, each in points.items()]


@cache
def good(name):
    return runs_of(name)


def study(**replaced):
    """All that the claims ask for, as the paper says; other runs, or None, by the name of the experiment."""
    found = {name: good(name) for name in COURSES if name not in replaced}
    return Study([run for runs in [*found.values(), *replaced.values()] for run in runs or []])


def replace_rows(run, **columns):
    """The run with other values in columns of its summary."""
    return made_of(run, run.experiment, run.summary.assign(**columns))


def replace_experiment(run, **changes):
    """The run as one of another experiment."""
    return made_of(run, replace(run.experiment, **changes), run.summary)


def upto(run, last):
    """The run before rounds after ``last`` were trained."""
    return made_of(run, run.experiment, run.summary[run.summary["round"] <= last])


def made_of(run, experiment, summary):
    found = replace(run, experiment=experiment, summary=summary)
    found.__dict__["curves"] = run.curves
    return found
