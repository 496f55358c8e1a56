"""Sweeps: one experiment at several points, which differ only in the settings that vary.

The i-th point takes the i-th value of every swept setting. Points that differ only in values train as
lanes of one program (``program_key``); where shapes differ, each has a program of its own.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from typing import Any

from ltjax.core.errors import UserError, shown, unknown
from ltjax.core.texts import name_flaw
from ltjax.settings import compatible
from ltjax.settings.fields import choices_of, replaced, settings_of
from ltjax.settings.plain import flatten, lacking
from ltjax.settings.roles import TRACED, lane_values
from ltjax.settings.schema import Experiment

MOST = 1000
"""Points of a sweep."""


def points(experiment: Experiment) -> dict[str, Experiment]:
    """The points of an experiment by name, in order; without a sweep, itself under the empty name.

    Names are the first swept setting's last word and value: ``learning_rate=0.0012``, ``widths=25-9``; where
    it does not tell the points apart, all swept settings': ``conv=0.1,fc=None``.

    Raises:
        UserError: a swept setting is none, the settings have different numbers of values or too many, or a
            point's name could not be a folder's.
    """
    if not experiment.sweep:
        return {"": experiment}
    if len({len(values) for values in experiment.sweep.values()}) != 1:
        sizes = ", ".join(f"{name} has {len(values)}" for name, values in experiment.sweep.items())
        raise UserError(f"the settings of a sweep need as many values each; {sizes}.")
    if len(next(iter(experiment.sweep.values()))) > MOST:
        raise UserError(f"a sweep must have at most {MOST} points.")
    names, plain = list(experiment.sweep), replace(experiment, sweep={})
    every = [
        reduce(lambda point, each: with_setting(point, *each), _chosen_first(names, values), plain)
        for values in zip(*experiment.sweep.values(), strict=True)
    ]
    if not every:
        raise UserError(f"the sweep of {' and '.join(map(shown, names))} has no values.")
    for telling in (names[:1], names):
        called = [_called(point, telling) for point in every]
        if len(set(called)) == len(every):
            _check_names(called)
            return dict(zip(called, every, strict=True))
    twice = max(called, key=called.count)
    raise UserError(f"two points are called {shown(twice)}; the settings of a sweep must tell them apart.")


def _chosen_first(names: Sequence[str], values: Sequence[Any]) -> list[tuple[str, Any]]:
    """The settings of a point and their values: a choice comes before its parameters."""
    return sorted(zip(names, values, strict=True), key=lambda each: each[0].count("."))


def _check_names(called: Sequence[str]) -> None:
    for name in called:
        if wrong := name_flaw(name):
            raise UserError(f"a point of the sweep would be called {shown(name)}, which {wrong}.")


def _called(point: Experiment, names: Sequence[str]) -> str:
    """A point's name; of a setting's own value, in which 1 and 1.0 are one."""
    settings = flatten(point)
    return ",".join(point_name(name, settings.get(name)) for name in names)


def point_name(setting: str, value: Any) -> str:
    """The name of a sweep's point, fit for a folder: ``learning_rate=0.0012``."""
    parts = value if isinstance(value, (list, tuple)) else [value]
    return f"{setting.rsplit('.', 1)[-1]}={'-'.join(str(part) for part in parts)}".replace("/", "_")


def with_setting(experiment: Experiment, name: str, value: Any) -> Experiment:
    """The experiment with one setting changed, by its dotted name.

    A parameter that the point's choice does not have may be None, where other points' choices have it.

    Raises:
        UserError: there is no such setting, or it cannot vary.
    """
    settings = settings_of(experiment)
    fixed = {each for each, setting in settings.items() if setting.facts.fixed}
    if {name, name.split(".")[0]} & fixed:
        raise UserError(f"{name} cannot be swept: all points have one name, data set and set of arms.")
    if name not in settings:
        parent, _, parameter = name.rpartition(".")
        choice = choices_of(experiment).get(parent)
        if choice and value is None:
            return experiment
        if choice:
            raise UserError(f"--sweep {name}: {lacking(parent, choice, parameter)}")
        raise unknown("setting", name, settings.keys() - fixed)
    return compatible.checked(replaced(experiment, name, tuple(value) if isinstance(value, list) else value))


def program_key(experiment: Experiment) -> str:
    """What two experiments must have in common to train as lanes of one program.

    Left out is what only decides the values a lane starts with: θ₀, the mask, learning rate and warmup.
    """
    own = {name: type(value).__name__ for name, value in lane_values(experiment).items()}
    return json.dumps({
        name: own.get(name, each.value) for name, each in settings_of(experiment).items()
        if each.role in ("shape", "compute", "numerics") or name.startswith(TRACED)
    })  # fmt: skip
