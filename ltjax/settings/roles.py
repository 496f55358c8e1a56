"""The settings that are a lane's arguments: they may differ between lanes of one compiled program."""

from collections.abc import Mapping
from typing import Any

from ltjax.settings.fields import replaced, settings_of
from ltjax.settings.schema import Experiment

TRACED = ("train.", "data.augment.", "loss.")
"""Beginnings of the names of what a training step computes with."""


def lane_values(experiment: Experiment) -> dict[str, float | int]:
    """The numbers, by dotted name, that a lane's step is given: traced settings whose role is *value*.

    Example:
        >>> lane_values(Experiment())
        {'train.learning_rate': 0.0012, 'train.schedule.warmup': 0}
    """
    return {
        name: each.value for name, each in settings_of(experiment).items()
        if name.startswith(TRACED) and each.role == "value"
        and isinstance(each.value, int | float) and not isinstance(each.value, bool)
    }  # fmt: skip


def with_values(experiment: Experiment, values: Mapping[str, Any]) -> Experiment:
    """The experiment with other values of some settings, which may be traced: nothing is checked."""
    for name, value in values.items():
        experiment = replaced(experiment, name, value)
    return experiment
