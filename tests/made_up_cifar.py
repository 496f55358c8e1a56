"""Made-up runs of the CIFAR networks, such as the paper's: of every named experiment, in seconds."""

from dataclasses import replace
from functools import cache
from math import log2, pi, sin

from ltjax.analysis.results import Results, Study
from ltjax.settings.loading import experiments, load_experiment

from .made_up import made_up, made_up_sweep

DENSE = {"conv2": 0.66, "conv4": 0.74, "conv6": 0.78, "resnet18": 0.9, "vgg19": 0.92}
"""Test accuracy of each network before pruning."""

PAPER = tuple(DENSE)

NAMES = [name for name in sorted(experiments()) if name.startswith(PAPER)]


def as_the_paper_says(experiment):
    """A course: tickets faster and better up to half of the rounds, controls ever slower and worse."""
    model, train = experiment.model, experiment.train
    dense = DENSE[model.name] + 0.05 * model.dropout - 0.005 * abs(log2(train.learning_rate / 3e-4)) ** 0.5
    slowness = 0.1 + 0.1 * model.dropout

    def course(arm, n, trial, repeat):
        size = n / max(experiment.prune.rounds, 1)
        better = sin(pi * min(1.2 * size, 1.2)) if arm == "ticket" else -size
        accuracy = dense + 0.03 * better + 0.002 * trial
        return {
            "early_stop_step": 100 * round(slowness * (1 - 0.6 * better) * train.steps / 100),
            "early_stop_test_accuracy": accuracy, "validation": accuracy - 0.002,
            "early_stop_train_accuracy": accuracy + 0.1, "final_test_accuracy": accuracy - 0.01,
            "final_train_accuracy": min(1, 1.04 - 0.08 * size),
        }  # fmt: skip

    return course


@cache
def runs_of(name: str, trials: int = 1, whole: bool = False) -> list[Results]:
    """The runs of a named experiment, with few rounds or with the ``whole`` number of its own."""
    named = load_experiment(name)
    prune = replace(named.prune, rounds=named.prune.rounds if whole else 3 if named.sweep else 6)
    if named.sweep:
        return made_up_sweep(name, as_the_paper_says, trials=trials, prune=prune)
    small = replace(named, trials=trials, prune=prune, arms=dict.fromkeys(named.arms, 1))
    return [made_up(small, as_the_paper_says(small))]


def study_of(*names: str, **size) -> Study:
    """A study of these named experiments."""
    return Study([run for name in names for run in runs_of(name, **size)])
