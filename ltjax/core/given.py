"""The masks of another run's tickets, by ``RUN:ROUND``: what reads a run's folder enters here how it does.

So lower floors need not know what a run's folder is.
"""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import NamedTuple, TypeAlias

from ltjax.core.registry import Registry, registry
from ltjax.core.types import Mask

Reader: TypeAlias = Callable[[Path, int, Collection[int]], dict[int, Mask]]
"""Reads the masks of the tickets of a round in a folder, by trial."""

READERS: Registry[Reader] = registry("reader of masks")


class Place(NamedTuple):
    """Where tickets lie: the folder of a run, or of a point of a swept one, and the round."""

    folder: Path
    round: int


def place_of(text: str) -> Place | None:
    """The place that a text such as ``runs/lenet:7`` names; None where it names none.

    Example:
        >>> place_of("runs/k=0:7") == Place(Path("runs/k=0"), 7), place_of("runs/lenet"), place_of("runs:x")
        (True, None, None)
    """
    folder, _, round = text.rpartition(":")
    whole = round.isascii() and round.isdigit() and len(round) < 4
    return Place(Path(folder), int(round)) if folder and whole else None


def read(text: str, trials: Collection[int]) -> dict[int, Mask]:
    """The masks that a text such as ``runs/lenet:7`` names, by trial.

    Raises:
        UserError: there is no such run, or it lacks the round or a trial.
    """
    place = place_of(text)
    assert place  # settings have been checked
    return READERS.find("run")(*place, trials)
