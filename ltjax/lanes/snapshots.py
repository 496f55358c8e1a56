"""Snapshots: a part in the middle of its training, kept so that it continues to the same bits.

A round of VGG-19 is 112,480 steps; what a kill costs should be minutes of it.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import numpy as np

from ltjax.lanes import processes
from ltjax.lanes.box import Box
from ltjax.training.step import LaneState

STOP = -1
"""The answer of a box that has no time for more, beside how many evaluations to wait."""


class Snapshot(NamedTuple):
    """Lanes after ``step`` steps.

    ``state`` are the leaves of their ``LaneState`` in its order, NumPy with a leading lane axis; ``seen`` is
    what was measured so far (``history.Recorder.seen``). To be kept, the state is of the lanes that this
    process holds (``holders`` has each lane's process); to continue from, of all. ``captured`` are the leaves
    of the params and collections that were kept on the way, by their step, in the same lanes.
    """

    step: int
    state: list[np.ndarray]
    seen: dict[str, Any]
    holders: Sequence[int] = ()
    captured: Mapping[int, list[np.ndarray]] = MappingProxyType({})


class Snapshots:
    """What a part continues from, if anything, and where its own snapshots go: every so many minutes, and
    where the run's box has no time for more.

    All processes of a job keep theirs at the same step: by the first one's clock, which is asked ever more
    often as the time comes near, since asking makes devices wait.

    Args:
        begun: the snapshot to continue from.
        keep: keeps a snapshot, in place of an earlier one.
        minutes: between two of them, at least; they are taken at evaluations.
        box: the minutes of the run; by default without end.
    """

    def __init__(
        self, begun: Snapshot | None, keep: Callable[[Snapshot], None], minutes: float, box: Box | None = None
    ) -> None:
        self.begun, self._keep, self._seconds, self.box = begun, keep, 60 * minutes, box or Box()
        self._restart()

    def _restart(self) -> None:
        self._last, self._passed, self._ask_at, self._asked = self.box.now(), 0, 0, 0.0
        self._over = False

    def due(self, step: int = 0, ends: bool = False) -> bool:
        """Whether it is time for another; to be asked at every evaluation.

        Args:
            step: that of the next evaluation.
            ends: whether it is the last.
        """
        self._passed += 1
        if self._passed < self._ask_at:
            return False
        self._asked = self.box.now()
        wait = processes.agreed(self._evaluations_to_wait(step, ends))
        self._over, self._ask_at = wait == STOP, self._passed + wait
        return wait in (STOP, 0)

    def _evaluations_to_wait(self, step: int, ends: bool) -> int:
        """0 if it is time, else half of those there seem to be until then, and no more than have passed."""
        if not self.box.goes_on(step, ends):
            return STOP
        spent = self._asked - self._last
        if spent >= self._seconds:
            return 0
        if processes.count() == 1:
            return 1
        seem = (self._seconds - spent) * self._passed / max(spent, 1e-6)
        return max(1, int(min(seem / 2, self.box.intervals() / 4, self._passed)))

    def keep(self, snapshot: Snapshot) -> None:
        """Keep a snapshot.

        Raises:
            Ended: it was kept because the box has no time for more.
        """
        self._keep(snapshot)
        self.box.kept(self.box.now() - self._asked)
        if self._over:
            raise self.box.over(snapshot.step)
        self._restart()


def restored(shapes: LaneState, begun: Snapshot) -> LaneState:
    """The state of a snapshot, NumPy with a leading lane axis; padding repeats the first lane.

    Args:
        shapes: of the state that is wanted, with as many lanes or more.
        begun: of the same network and optimizer.

    Raises:
        ValueError: it is of another.
    """
    leaves, structure = jax.tree.flatten(shapes)
    if [each.shape[1:] for each in leaves] != [each.shape[1:] for each in begun.state]:
        raise ValueError("the snapshot is of another network or optimizer")
    padded = [
        np.concatenate([kept, np.repeat(kept[:1], leaf.shape[0] - len(kept), axis=0)])
        for leaf, kept in zip(leaves, begun.state, strict=True)
    ]
    found: LaneState = jax.tree.unflatten(structure, padded)
    return found


def leaves_of(captured: Mapping[int, Any]) -> dict[int, list[np.ndarray]]:
    """What was kept on the way, as a snapshot has it; ``restored_captures`` is the inverse."""
    return {step: jax.tree.leaves(tree) for step, tree in captured.items()}


def restored_captures(begun: Snapshot, owners: Sequence[int], *like: Any) -> dict[int, Any]:
    """The params and collections that were kept on the way to a snapshot, by their step.

    Args:
        begun: the snapshot, of all lanes.
        owners: the process that holds each lane; what is given back is of this one's lanes.
        like: params and collections of this structure.
    """
    structure = jax.tree.structure(like)
    own = [lane for lane, owner in enumerate(owners) if owner == processes.index()]
    return {
        step: jax.tree.unflatten(structure, [leaf[own] for leaf in leaves])
        for step, leaves in begun.captured.items()
    }
