"""When two configurations are the same experiment, and how one becomes JSON and comes back."""

import dataclasses
import json
import types
import typing
from typing import Any

from ltjax.config import Experiment
from ltjax.errors import UserError

EXTENDABLE = ("trials", "prune.rounds")
"""What a finished run can be given more of; arms are extendable too, each by name."""

INCIDENTAL = ("name", "data.dir", "data.raw", "compute.devices", "compute.batching")
"""Where things lie and run: no part of what the experiment is."""


def to_json(experiment: Experiment) -> str:
    """The whole experiment as JSON text; ``from_json`` is the inverse."""
    return json.dumps(dataclasses.asdict(experiment), indent=2) + "\n"


def from_json(text: str) -> Experiment:
    """The experiment of a ``config.json``.

    Raises:
        UserError: the text is not one.
    """
    try:
        return typing.cast(Experiment, _build(Experiment, json.loads(text)))
    except (ValueError, TypeError, AttributeError) as error:
        raise UserError(f"this is no configuration of ltjax ({error})") from error


def _build(kind: Any, value: Any) -> Any:
    """``value``, as JSON has it, as the dataclass or tuple that ``kind`` asks for."""
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        if not isinstance(value, dict):
            raise ValueError(f"{value!r} where settings by name are expected")
        if unknown := set(value) - set(hints):
            raise ValueError(f"unknown field '{min(unknown)}' in {typing.cast(type, kind).__name__}")
        return typing.cast(Any, kind)(**{key: _build(hints[key], value[key]) for key in value})
    origin, choices = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple and isinstance(value, list):
        return tuple(value)
    allowed = {
        tuple: (tuple,), dict: (dict,), typing.Literal: (str,), types.UnionType: choices, None: (kind,)
    }[origin]  # fmt: skip
    if not isinstance(value, (*allowed, *((int,) if float in allowed else ()))):
        raise ValueError(f"{value!r} where {kind} is expected")
    return value


def flatten(experiment: Experiment) -> dict[str, Any]:
    """Every setting by its dotted name, as the command line calls it: ``prune.rates.fc`` …"""

    def walk(value: Any, name: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            return {name: value}
        prefix = f"{name}." if name else ""
        return {k: v for key in value for k, v in walk(value[key], prefix + key).items()}

    return walk(dataclasses.asdict(experiment), "")


def differences(stored: Experiment, asked: Experiment) -> list[str]:
    """What forbids continuing ``stored`` as ``asked``, a line each; empty when they are one experiment."""
    ours, theirs = flatten(stored), flatten(asked)
    return [
        f"{name}: the run has {ours.get(name)!r}, asked is {theirs.get(name)!r}"
        for name in sorted({*ours, *theirs})
        if ours.get(name) != theirs.get(name)
        and name not in (*EXTENDABLE, *INCIDENTAL)
        and not name.startswith("arms.")
    ]


def extended(stored: Experiment, asked: Experiment) -> Experiment:
    """The stored experiment grown to hold what is asked: the more of trials, rounds and repeats."""
    arms = {arm: max(stored.arms.get(arm, 0), asked.arms.get(arm, 0))
            for arm in {**stored.arms, **asked.arms}}  # fmt: skip
    prune = dataclasses.replace(stored.prune, rounds=max(stored.prune.rounds, asked.prune.rounds))
    return dataclasses.replace(stored, arms=arms, prune=prune, trials=max(stored.trials, asked.trials))
