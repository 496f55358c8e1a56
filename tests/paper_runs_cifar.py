"""Made-up runs of Conv-2/4/6, VGG-19 and Resnet-18 that say what the paper says."""

from dataclasses import replace
from functools import cache

from ltjax.analysis.results import Study
from ltjax.settings import loading
from tests import paper_runs
from tests.paper_runs import lane, made

CONV = ("conv2", "conv4", "conv6")
DEEP = ("resnet18", "vgg19")

DENSE = {"conv2": 67.7, "conv4": 75.0, "conv6": 79.2}
FAST = {"conv2": (3.5, 11), "conv4": (3.5, 12), "conv6": (2.5, 10)}
HIGH = {"conv2": (3.4, 14), "conv4": (3.5, 11), "conv6": (3.3, 7)}
"""The paper's tickets: times sooner and points above dense at best, and in which round."""

DROPOUT = {"conv2": (2.1, 2.3, 1.3), "conv4": (2.9, 4.8, 1.58), "conv6": (2.3, 4.1, 1.5)}
"""Points that dropout adds, points that pruning adds to those, and times sooner at best."""

ADAM = {
    "conv2": {2e-4: (67.6, 3.3, 4.8), 3e-4: (66, 5, 4), 4e-4: (65.2, 6.5, 3)},
    "conv4": {2e-4: (74, 3.6, 5.1), 3e-4: (74.9, 3.7, 4.27), 4e-4: (75.5, 3.6, 3)},
    "conv6": {2e-4: (78, 2.5, 6.26), 3e-4: (79.1, 2.4, 2.61), 4e-4: (79.2, 2.7, 2.5)},
}
"""By Adam's learning rate: dense on validation, points above it and times sooner at best."""


def tent(n, top, round):
    """From 0 in round 0 straight to the best, and slowly down again."""
    return top * (n / round if n <= round else 1 - (n - round) / 25)


def ticket(n, dense, speed, gain, fast=11, high=11):
    """A lane that is at its fastest in one round and at its most accurate in another."""
    return lane(1 / (1 + tent(n, speed - 1, fast)), tent(n, gain, high), dense)


def conv_controls(experiment, arm, n):
    net = experiment.model.name
    (speed, fast), (gain, high) = FAST[net], HIGH[net]
    if arm == "ticket":
        return ticket(n, DENSE[net], speed, gain, fast, high)
    return lane(1 + 0.05 * n, 0.1 if n < 4 else -0.4, DENSE[net])


def conv_continued(experiment, arm, n):
    return lane(1.2, -1, DENSE[experiment.model.name]) if n > 7 else conv_controls(experiment, "ticket", n)


def conv_dropout(experiment, arm, n):
    added, more, speed = DROPOUT[experiment.model.name]
    return ticket(n, DENSE[experiment.model.name] + added, speed, more)


def conv_dropout_rates(experiment, arm, n):
    return lane(dense=10 if n < 6 else 60)


def conv_adam_rates(experiment, arm, n):
    rate = experiment.train.learning_rate
    if rate == 8e-4:
        return lane(1.2, -1, 60) if n else lane(dense=60)
    dense, gain, speed = ADAM[experiment.model.name][rate]
    return ticket(n, dense + 0.1, speed, gain)


def conv_sgd_rates(experiment, arm, n):
    return lane(1, 0 if n == 0 else -0.5 if n < 5 else 1, DENSE[experiment.model.name] - 2.5)


def conv_momentum_rates(experiment, arm, n):
    return ticket(n, DENSE[experiment.model.name], 3, 2)


def conv_layers(experiment, arm, n):
    if experiment.prune.rates.fc is None:
        return ticket(n, 70, 2, 1)
    return lane(1.1, -0.5, 70) if n else lane(dense=70)


def end(dense, gain=0.0, early=85.0):
    """A lane of SGD's: accuracy after 20,000 steps and, the same on test and on validation, at the end."""
    accuracy = (dense + gain) / 100
    return {
        "early_stop_step": 20_000, "early_stop_test_accuracy": early / 100,
        "final_test_accuracy": accuracy, "validation": accuracy,
    }  # fmt: skip


TOP = {"resnet18": 90.5, "vgg19": 92.5}
LOSES = {"resnet18": 6, "vgg19": 7}
"""Accuracy of dense networks at 0.1, and the last round in which reinitialised networks match them."""


def deep_lr01(experiment, arm, n):
    net = experiment.model.name
    return end(TOP[net], -0.25 * max(0, n - LOSES[net]) - 0.05 * (arm != "ticket"))


def deep_lr001(experiment, arm, n):
    loss = -0.04 * n if arm == "ticket" else -0.2 * n
    return end(89.7 if experiment.model.name == "resnet18" else 91.5, loss, 87 if n else 85)


def deep_warmup(experiment, arm, n):
    dense, last = (90.3, 10) if experiment.model.name == "resnet18" else (93.5, 19)
    return end(dense, 0 if n == 0 else 0.2 if n <= last else -1)


def deep_warmup_layerwise(experiment, arm, n):
    dense, last, lost = (90.3, 6, -0.3) if experiment.model.name == "resnet18" else (93.5, 12, -1.5)
    return end(dense, 0 if n == 0 else 0.1 if n <= last else lost)


def deep_rates(experiment, arm, n):
    if n and experiment.train.learning_rate > 0.01:
        return end(91, -1.0 if arm == "ticket" else -1.1)
    return end(90, -0.1 if arm == "ticket" else -2)


def deep_warmups(experiment, arm, n):
    gains = {0: 0, 500: 0.2, 1000: 0.5, 5000: 1.5, 10_000: 1.8, 20_000: 2, 50_000: 2.1}
    return end(89, gains[experiment.train.schedule.parameters["warmup"]])


ROUNDS = {"adam_rates": 19, "sgd_rates": 10, "momentum_rates": 10, "layers": 10, "dropout_rates": 11,
          "dropout": 17, "continued": 17, "controls": 19}  # fmt: skip
SWEPT = {
    "adam_rates": {"train.learning_rate": (2e-4, 3e-4, 4e-4, 8e-4)},
    "dropout_rates": {"train.learning_rate": (1e-4,)},
}
"""Rounds that the claims need of convolutional networks, and of swept values those that they need."""

CONV_KINDS = {
    "controls": conv_controls, "continued": conv_continued, "dropout": conv_dropout,
    "dropout_rates": conv_dropout_rates, "adam_rates": conv_adam_rates, "sgd_rates": conv_sgd_rates,
    "momentum_rates": conv_momentum_rates, "layers": conv_layers,
}  # fmt: skip
DEEP_KINDS = {
    "lr01": deep_lr01, "lr001": deep_lr001, "warmup": deep_warmup, "warmup_layerwise": deep_warmup_layerwise,
    "rates": deep_rates, "warmups": deep_warmups,
}  # fmt: skip
COURSES = {f"{net}_{kind}": course for net in CONV for kind, course in CONV_KINDS.items()}
COURSES |= {f"{net}_{kind}": course for net in DEEP for kind, course in DEEP_KINDS.items()}


def runs_of(name, change=None):
    """The runs of a named experiment, small: as the paper says, or with ``change`` on top; LeNet's too."""
    if name not in COURSES:
        return paper_runs.runs_of(name, change)
    net, _, kind = name.partition("_")
    experiment = replace(loading.load_experiment(name), trials=1)
    if kind in SWEPT:
        experiment = replace(experiment, sweep=SWEPT[kind])
    rounds = ROUNDS.get(kind) or {"resnet18": 12, "vgg19": 15 if kind in ("rates", "warmups") else 19}[net]
    return made(experiment, rounds, COURSES[name], change)


@cache
def good(name):
    """A named experiment's runs as the paper says."""
    return runs_of(name)


def study(replaced=None, net=""):
    """All that the claims ask for, as the paper says; other runs, or None, by the name of the experiment.

    With ``net`` only that network's, which are judged sooner.
    """
    names = [name for name in ("controls", *COURSES) if name.startswith(net)]
    found = {name: good(name) for name in names} | (replaced or {})
    return Study([run for runs in found.values() for run in runs or []])
