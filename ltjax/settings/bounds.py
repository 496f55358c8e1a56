"""What a number, a name or a path in a configuration must be: a field states it in its annotation.

The upper bounds are far beyond any experiment and within what arithmetic and folders hold: steps are int32 on
the device, rounds have three digits in the files' names, and every lane has a row in a table.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ltjax.core.given import place_of
from ltjax.core.texts import name_flaw, path_flaw

STEPS = 999_999_999
"""So that a step and an interval together are an int32."""

ROUNDS = 999
MANY = 1_000_000
FLOAT32 = (1.1754944e-38, 3.4028235e38)
"""The least and the greatest normal positive number of the device's floats."""


@dataclass(frozen=True)
class Bound:
    """What a value must be.

    Args:
        flaw: what a value must be, where it is not; else empty. None is always in bounds.
        hint: added to the message.
        most: values that a list may have; the program that is compiled grows with each.
    """

    flaw: Callable[[Any], str]
    hint: str = ""
    most: int | None = None


def whole(least: int, most: int, *, values: int | None = None) -> Bound:
    """A whole number in [least, most]; of a list, each of at most so many ``values``."""

    def flaw(value: int) -> str:
        if value < least:
            return f"must be at least {least}"
        return f"must be at most {most}" if value > most else ""

    return Bound(flaw, most=values)


def real(holds: Callable[[float], bool], words: str, *, hint: str = "", values: int | None = None) -> Bound:
    """A number that ``holds``; not-a-number never does, if that is a comparison."""
    return Bound(lambda value: "" if holds(value) else words, hint, values)


EPOCHS = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)ep")
"""A number of steps that is given in epochs, such as ``2ep``."""


def _steps(value: int | str) -> str:
    if isinstance(value, str):
        return "" if EPOCHS.fullmatch(value) else "must be steps, or epochs as in 2ep"
    return "" if 0 <= value <= STEPS else f"must lie between 0 and {STEPS}"


STEPS_OR_EPOCHS = Bound(_steps)


def share(*, hint: str = "", values: int | None = None) -> Bound:
    """A number between 0 and 1, both excluded."""
    return real(lambda value: 0 < value < 1, "must lie between 0 and 1, both excluded", hint=hint,
                values=values)  # fmt: skip


def _positive(value: float) -> str:
    if not value > 0:
        return "must be positive"
    least, most = FLOAT32
    return "" if least <= value <= most else f"must lie between {least:g} and {most:g}"


def _rate_by_path(value: str) -> str:
    pattern, _, rate = value.rpartition("=")
    try:
        holds = rate == "None" or 0 < float(rate) < 1
    except ValueError:
        holds = False
    told = "must be a path and a rate between 0 and 1, or None, as in 'encoder/*=0.1'"
    return "" if pattern and holds else told


def _ticket(value: str) -> str:
    place = place_of(value)
    return path_flaw(str(place.folder)) if place else "must be a run's folder and a round, as in runs/lenet:7"


TICKET = Bound(_ticket)
RATE_BY_PATH = Bound(_rate_by_path, most=1000)
POSITIVE = Bound(_positive)
BELOW_1 = real(lambda value: 0 <= value < 1, "must lie in [0, 1)")
NOT_NEGATIVE = real(lambda value: 0 <= value <= FLOAT32[1], "must be 0 or more, and finite")
AMOUNT = real(lambda value: 0 < value <= MANY, f"must be positive, and at most {MANY}")
PATH = Bound(path_flaw)
NAME = Bound(name_flaw, "; --workdir puts results elsewhere")
