"""When two configurations are the same experiment, and how one becomes JSON and comes back."""

import dataclasses
import json
import types
import typing
import zlib
from typing import Any

from ltjax.core.errors import UserError, sentence, shown, unknown
from ltjax.core.texts import LONGEST, is_plain, read_json
from ltjax.settings.schema import Experiment

EXTENDABLE = ("trials", "prune.rounds", "prune.fractions", "control_rounds")
"""What a finished run can be given more of; arms and a sweep's points are extendable too."""

INCIDENTAL = ("name", "data.dir", "data.raw")
"""Where things lie: no part of what the experiment is, nor is how the work is laid out (``compute``) or what
changes its bits alone (``numerics``)."""

DRAWN = ("numerics.random_numbers",)
"""Numerics by which everything is drawn, as by the seed: with others it is another experiment."""


CHECKSUM = "crc32"
"""The name under which a configuration's JSON keeps the checksum of its settings."""


def to_json(experiment: Experiment) -> str:
    """The whole experiment as JSON text, and a checksum of it; ``from_json`` is the inverse."""
    settings = dataclasses.asdict(experiment)
    return json.dumps({**settings, CHECKSUM: _checksum(settings)}, indent=2) + "\n"


def from_json(text: str) -> Experiment:
    """The experiment of a ``config.json``; one without a checksum, as written by hand, will do.

    Raises:
        UserError: the text is not one, or its settings are not those that its checksum is of.
    """
    try:
        settings = read_json(text)
        if isinstance(settings, dict) and (kept := settings.pop(CHECKSUM, None)) is not None:
            _check(settings, kept)
            numerics = settings.setdefault("numerics", {"convolution": "direct"})
            if isinstance(numerics, dict):
                numerics.setdefault("x64", False)  # as far as is known
        return from_settings(settings)
    except (ValueError, TypeError) as error:
        raise UserError(f"this is no configuration of ltjax ({error})") from error


def begun(experiment: Experiment) -> Experiment:
    """The experiment of a run, as it was begun: before runs said what their numerics are, these were all."""
    numerics = experiment.numerics
    convolution = "direct" if numerics.convolution == "auto" else numerics.convolution
    begun = dataclasses.replace(numerics, convolution=convolution, x64=bool(numerics.x64))
    return dataclasses.replace(experiment, numerics=begun)


def from_settings(settings: Any) -> Experiment:
    """The experiment of a configuration's settings, as ``dataclasses.asdict`` or JSON has them.

    Raises:
        ValueError, TypeError: they are none.
    """
    return typing.cast(Experiment, _build(Experiment, settings, ""))


def _check(settings: dict[str, Any], kept: object) -> None:
    if kept != _checksum(settings):
        raise ValueError(
            f"its settings are not those that were written; where you changed them, remove its '{CHECKSUM}'"
        )


def _checksum(settings: dict[str, Any]) -> int:
    return zlib.crc32(json.dumps(settings, sort_keys=True).encode())


def checked(experiment: Experiment) -> Experiment:
    """The experiment, if every setting has the type it should have; lists for tuples, say, are made such.

    Raises:
        UserError: one has not; the message names it.
    """
    try:
        return from_settings(experiment)
    except (ValueError, TypeError) as error:
        raise UserError(sentence(error)) from error


def _build(kind: Any, value: Any, name: str) -> Any:
    """``value``, as JSON or a program has it, as what ``kind`` asks for; ``name`` is for the message."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if dataclasses.is_dataclass(kind):
        return _build_dataclass(kind, value, name)
    if origin in (types.UnionType, typing.Union):
        return None if value is None else _build(next(k for k in inner if k is not type(None)), value, name)
    if kind is Any:
        return _build_swept(value, name)
    if origin is tuple and isinstance(value, list | tuple):
        return tuple(_build(inner[0], each, name) for each in value)
    if origin is dict and isinstance(value, dict):
        return {_build(str, key, name): _build(inner[1], each, f"{name}.{key}")
                for key, each in value.items()}  # fmt: skip
    if origin is typing.Literal and isinstance(value, str) and value in inner:
        return value
    if kind is float and isinstance(value, int) and abs(value) < 1e300 and not isinstance(value, bool):
        return float(value)
    if isinstance(kind, type) and isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
        if isinstance(value, str) and not is_plain(value):
            told = f"plain text of at most {LONGEST} characters"
            raise ValueError(f"{name} is {shown(value)}, where {told} is expected")
        return value
    raise ValueError(f"{name} is {shown(value)}, where {_described(kind)} is expected")


def _build_swept(value: Any, name: str) -> Any:
    """A value of a swept setting: of some setting's type; whether of its own, its point is checked for."""
    several = isinstance(value, list | tuple)
    for each in value if several else (value,):
        if not isinstance(each, int | float | str | None):
            raise ValueError(f"{name} has {shown(each)}, where numbers, text or lists of them are expected")
    return tuple(value) if several else value


def _build_dataclass(kind: Any, value: Any, name: str) -> Any:
    hints = typing.get_type_hints(kind)
    if isinstance(value, kind):
        value = vars(value)
    if not isinstance(value, dict):
        raise ValueError(f"{name or 'it'} is {shown(value)}, where settings by name are expected")
    prefix = f"{name}." if name else ""
    for key in value:
        if key not in hints:
            raise ValueError(unknown("setting", f"{prefix}{key}", [prefix + each for each in hints]))
    return kind(**{key: _build(hints[key], value[key], prefix + key) for key in value})


def _described(kind: Any) -> str:
    words = {int: "a whole number", float: "a number", str: "text"}
    if typing.get_origin(kind) is typing.Literal:
        return " or ".join(map(repr, typing.get_args(kind)))
    return words.get(kind, f"a list ({kind})" if typing.get_origin(kind) is tuple else str(kind))


def flatten(experiment: Experiment) -> dict[str, Any]:
    """Every setting by its dotted name, as the command line calls it: ``prune.rates.fc`` …"""

    def walk(value: Any, name: str) -> dict[str, Any]:
        settings = vars(value) if dataclasses.is_dataclass(value) else value
        if not isinstance(settings, dict):
            return {name: value}
        prefix = f"{name}." if name else ""
        return {k: v for key in settings for k, v in walk(settings[key], prefix + key).items()}

    return walk(experiment, "")


def differences(stored: Experiment, asked: Experiment) -> list[str]:
    """What forbids continuing ``stored`` as ``asked``, a line each; empty when they are one experiment."""
    ours, theirs = flatten(stored), flatten(asked)
    found = [
        f"{name}: the run has {ours.get(name)!r}, asked is {theirs.get(name)!r}"
        for name in sorted({*ours, *theirs})
        if ours.get(name) != theirs.get(name)
        and name not in (*EXTENDABLE, *INCIDENTAL, *stored.sweep)
        and (name in DRAWN or name.split(".")[0] not in ("arms", "sweep", "compute", "numerics"))
    ]
    one, two = stored.prune.fractions, asked.prune.fractions
    if any(mine != yours for mine, yours in zip(one, two, strict=False)):
        found.append(f"prune.fractions: the run has {one}, asked is {two}")
    if list(stored.sweep) != list(asked.sweep):  # whose order names the points
        found.append(f"sweep: the run varies {_names(stored)}, asked is {_names(asked)}")
    return found


def _names(experiment: Experiment) -> str:
    return " and ".join(experiment.sweep) or "nothing"


def extended(stored: Experiment, asked: Experiment) -> Experiment:
    """The stored experiment grown to hold what is asked: the more of trials, rounds, repeats and points."""
    arms = {arm: max(stored.arms.get(arm, 0), asked.arms.get(arm, 0))
            for arm in {**stored.arms, **asked.arms}}  # fmt: skip
    prune = dataclasses.replace(
        stored.prune,
        rounds=max(stored.prune.rounds, asked.prune.rounds),
        fractions=max(stored.prune.fractions, asked.prune.fractions, key=len),
    )
    return dataclasses.replace(
        stored, arms=arms, prune=prune, trials=max(stored.trials, asked.trials),
        control_rounds=_control_rounds(stored, asked), sweep=_joined(stored, asked),
    )  # fmt: skip


def _control_rounds(stored: Experiment, asked: Experiment) -> tuple[int, ...] | None:
    """The rounds of both, None being all of them; an experiment without controls has no say."""
    said = [each.control_rounds for each in (stored, asked)
            if any(repeats for arm, repeats in each.arms.items() if arm != "ticket")]  # fmt: skip
    if not said:
        return stored.control_rounds
    if any(rounds is None for rounds in said):
        return None
    return tuple(sorted({round for rounds in said for round in rounds or ()}))


def _joined(stored: Experiment, asked: Experiment) -> dict[str, tuple[Any, ...]]:
    """The points of both sweeps, the stored ones first."""
    if not stored.sweep:
        return {}
    rows = list(zip(*stored.sweep.values(), strict=True))
    rows += [
        row for row in zip(*(asked.sweep[name] for name in stored.sweep), strict=True) if row not in rows
    ]
    return dict(zip(stored.sweep, zip(*rows, strict=True), strict=True))
