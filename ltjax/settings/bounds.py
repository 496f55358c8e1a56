"""The bounds of every number in a configuration, and what its names and paths may be.

The upper ones are far beyond any experiment and within what arithmetic and folders hold: steps are int32 on
the device, rounds have three digits in the files' names, and every lane has a row in a table.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

from ltjax.core.errors import UserError, shown
from ltjax.core.texts import name_flaw, path_flaw
from ltjax.settings import compatible
from ltjax.settings.schema import Experiment

Bound: TypeAlias = Callable[[Any], str]
"""What a value must be, where it is not; else empty."""

STEPS = 999_999_999
"""So that a step and an interval together are an int32."""

ROUNDS = 999
MANY = 1_000_000
FLOAT32 = (1.1754944e-38, 3.4028235e38)
"""The least and the greatest normal positive number of the device's floats."""


def whole(least: int, most: int) -> Bound:
    """A whole number in [least, most]."""

    def bound(value: int) -> str:
        if value < least:
            return f"must be at least {least}"
        return f"must be at most {most}" if value > most else ""

    return bound


def real(holds: Callable[[float], bool], words: str) -> Bound:
    """A number that ``holds``; not-a-number never does, if that is a comparison."""
    return lambda value: "" if holds(value) else words


def _positive(value: float) -> str:
    if not value > 0:
        return "must be positive"
    least, most = FLOAT32
    return "" if least <= value <= most else f"must lie between {least:g} and {most:g}"


SHARE = real(lambda value: 0 < value < 1, "must lie between 0 and 1, both excluded")
BELOW_1 = real(lambda value: 0 <= value < 1, "must lie in [0, 1)")
AMOUNT = real(lambda value: 0 < value <= MANY, f"must be positive, and at most {MANY}")

BOUNDS: dict[str, Bound] = {
    "trials": whole(1, 10_000),
    "seed": real(lambda value: 0 <= value < 2**32, f"must lie between 0 and {2**32 - 1}"),
    "control_rounds": real(lambda value: value <= ROUNDS, f"must be rounds up to {ROUNDS}"),
    "data.validation": whole(1, MANY * 1000),
    "model.widths": whole(1, MANY),
    "model.channels": whole(1, MANY),
    "model.dropout": BELOW_1,
    "model.init_std": _positive,
    "train.steps": whole(1, STEPS),
    "train.batch": whole(1, MANY * 1000),
    "train.learning_rate": _positive,
    "train.momentum": BELOW_1,
    "train.weight_decay": real(lambda value: 0 <= value <= FLOAT32[1], "must be 0 or more, and finite"),
    "train.warmup": whole(0, STEPS),
    "train.drops": whole(1, STEPS),
    "train.evaluate_every": whole(1, STEPS),
    "train.evaluate_batch": whole(1, MANY * 1000),
    "prune.rounds": whole(0, ROUNDS),
    "prune.rates.conv": SHARE,
    "prune.rates.fc": SHARE,
    "prune.rates.output": SHARE,
    "prune.fractions": SHARE,
    "compute.devices": whole(1, MANY),
    "compute.data": whole(1, MANY),
    "compute.lanes": whole(1, MANY),
    "compute.memory": AMOUNT,
    "compute.snapshot_minutes": AMOUNT,
    "name": name_flaw,
    "data.dir": path_flaw,
    "data.raw": path_flaw,
    "model.start": path_flaw,
}
"""By dotted name; of a setting that is a list, for each of its values. None is always in bounds."""

ARM = whole(0, 10_000)
"""Of every arm's repeats."""

LENGTHS = {"control_rounds": ROUNDS + 1, "model.widths": 100, "model.channels": 100, "train.drops": 100,
           "prune.fractions": ROUNDS}  # fmt: skip
"""Values that a list may have; the program that is compiled grows with each."""

HINTS = {
    "name": "; --workdir puts results elsewhere",
    "prune.rates": "; None leaves these layers unpruned",
}


def check(experiment: Experiment) -> None:
    """Check every setting by itself; a swept one where its points are made.

    Raises:
        UserError: the first that is out of bounds, by its command-line name.
    """
    for name, value in compatible.flatten(experiment).items():
        bound = ARM if name.startswith("arms.") else BOUNDS.get(name, lambda _: "")
        values = value if isinstance(value, tuple) else (value,)
        if len(values) > LENGTHS.get(name, len(values)):
            raise UserError(f"{name} must have at most {LENGTHS[name]} values, not {len(values)}.")
        for each in values:
            if each is not None and (wrong := bound(each)):
                hint = HINTS.get(name, HINTS.get(name.rpartition(".")[0], ""))
                raise UserError(f"{name} {wrong}, not {shown(each)}{hint}.")
