"""Snapshots: a part in the middle of its training, kept so that it continues to the same bits.

A round of VGG-19 is 112,480 steps; what a kill costs should be minutes of it.
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from ltjax.training import LaneState


class Snapshot(NamedTuple):
    """Lanes after ``step`` steps.

    ``state`` are the leaves of their ``LaneState`` in its order, NumPy with a leading lane axis; ``seen`` is
    what was measured so far (``history.Recorder.seen``).
    """

    step: int
    state: list[np.ndarray]
    seen: dict[str, Any]


class Snapshots:
    """What a part continues from, if anything, and where its own snapshots go, every so many minutes.

    Args:
        begun: the snapshot to continue from.
        keep: keeps a snapshot, in place of an earlier one.
        minutes: between two of them, at least; they are taken at evaluations.
    """

    def __init__(self, begun: Snapshot | None, keep: Callable[[Snapshot], None], minutes: float) -> None:
        self.begun, self._keep, self._seconds = begun, keep, 60 * minutes
        self._last = time.monotonic()

    def due(self) -> bool:
        """Whether it is time for another."""
        return time.monotonic() - self._last >= self._seconds

    def keep(self, snapshot: Snapshot) -> None:
        """Keep a snapshot."""
        self._keep(snapshot)
        self._last = time.monotonic()


def restored(fresh: LaneState, begun: Snapshot) -> LaneState:
    """A fresh state whose first lanes are the snapshot's.

    Args:
        fresh: NumPy with a leading lane axis; lanes beyond the snapshot's are padding.
        begun: of the same network and optimizer.

    Raises:
        ValueError: it is of another.
    """
    leaves, structure = jax.tree.flatten(fresh)
    if [each.shape[1:] for each in leaves] != [each.shape[1:] for each in begun.state]:
        raise ValueError("the snapshot is of another network or optimizer")
    joined = [
        np.concatenate([kept, leaf[len(kept) :]]) for leaf, kept in zip(leaves, begun.state, strict=True)
    ]
    found: LaneState = jax.tree.unflatten(structure, joined)
    return found
