"""When two configurations are the same experiment, and how one becomes JSON and comes back."""

import dataclasses
import json
import zlib
from typing import Any

from ltjax.core.errors import UserError, sentence
from ltjax.core.texts import read_json
from ltjax.settings.fields import SHAPE, Setting, choices_of, replaced, settings_of
from ltjax.settings.plain import built, plain
from ltjax.settings.schema import Experiment

CHECKSUM = "crc32"
"""The name under which a configuration's JSON keeps the checksum of its settings."""


def to_json(experiment: Experiment) -> str:
    """The whole experiment as JSON text, and a checksum of it; ``from_json`` is the inverse."""
    settings = plain(experiment)
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
        return built(settings)
    except (ValueError, TypeError) as error:
        raise UserError(f"this is no configuration of ltjax ({error})") from error


def begun(experiment: Experiment) -> Experiment:
    """The experiment of a run, as it was begun: before runs said what their numerics are, these were all."""
    numerics = experiment.numerics
    convolution = "direct" if numerics.convolution == "auto" else numerics.convolution
    begun = dataclasses.replace(numerics, convolution=convolution, x64=bool(numerics.x64))
    return dataclasses.replace(experiment, numerics=begun)


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
        return built(experiment)
    except (ValueError, TypeError) as error:
        raise UserError(sentence(error)) from error


def differences(stored: Experiment, asked: Experiment) -> list[str]:
    """What forbids continuing ``stored`` as ``asked``, a line each; empty when they are one experiment."""
    ours, theirs = settings_of(stored), settings_of(asked)
    other = {name for name, choice in choices_of(stored).items() if choice.name != theirs[name].value}
    return [
        _told(name, ours.get(name), theirs.get(name))
        for name in sorted({*ours, *theirs})
        if name not in stored.sweep and name.rpartition(".")[0] not in other  # whose parameters are others
        and not _fits(ours.get(name), theirs.get(name))
    ]  # fmt: skip


def _fits(ours: Setting | None, theirs: Setting | None) -> bool:
    """Whether a setting allows to continue, by its role."""
    known = ours or theirs
    if known is None or known.role in ("place", "compute", "numerics"):
        return True
    if ours is None or theirs is None:
        return False
    role = ours.facts.role
    if role and role.name == "extent":
        return role.fits(ours.value, theirs.value)
    return bool(ours.value == theirs.value)


def _told(name: str, ours: Setting | None, theirs: Setting | None) -> str:
    one, other = ("nothing" if each is None else (each.facts.role or SHAPE).told(each.value)
                  for each in (ours, theirs))  # fmt: skip
    return f"{name}: the run {'varies' if name == 'sweep' else 'has'} {one}, asked is {other}"


def extended(stored: Experiment, asked: Experiment) -> Experiment:
    """The stored experiment grown to hold what is asked: the more of trials, rounds, repeats and points."""
    theirs, grown = settings_of(asked), stored
    for name, ours in settings_of(stored).items():
        role = ours.facts.role
        if role and role.name == "extent" and name in theirs:
            said = [value for each, value in ((stored, ours.value), (asked, theirs[name].value))
                    if role.heard(each)]  # fmt: skip
            grown = replaced(grown, name, role.grow(said[0], said[-1]) if said else ours.value)
    return grown
