"""The snapshots of a run's folder: the one part in the middle of its training, kept until it is done."""

import shutil
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from ltjax.core.types import Lane
from ltjax.lanes import processes
from ltjax.lanes.box import Box
from ltjax.lanes.snapshots import Snapshot, Snapshots
from ltjax.lottery.loop import Part
from ltjax.runs import checkpoints, paths

CAPTURED = "captured_"
"""What the names begin with under which a snapshot has the dense network at a step before."""


class Begun:
    """Where a run keeps snapshots; give ``of`` to ``find_tickets``.

    Args:
        folder: the run's folder; of a sweep the whole run's, since its points train together.
        minutes: between two snapshots, at least.
        writing: what to be in while one is written.
        box: the minutes of the run; by default without end.
    """

    def __init__(
        self, folder: Path, minutes: float, writing: Callable[[], AbstractContextManager[None]] = nullcontext,
        box: Box | None = None,
    ) -> None:  # fmt: skip
        self._folder, self._minutes, self._writing = paths.begun(folder), minutes, writing
        self._box = box or Box()
        self._before = self._began = 0.0
        if processes.first():
            checkpoints.sweep(self._folder)

    def of(self, round: int, part: Part, others: Sequence[Part] = ()) -> Snapshots:
        """The snapshots of a part; it continues from one that has all of its lanes.

        Args:
            round: the round.
            part: the lanes that train.
            others: those that each of them is trained for too, if any: lanes of other points.

        Raises:
            UserError: there is one, but damaged; the message says what to remove.
        """
        told = {"round": round, "lanes": _plain(part), "others": [_plain(each) for each in others]}
        self._before, self._began = 0.0, self._box.now()
        return Snapshots(
            self._find(told), lambda snapshot: self._keep(snapshot, told), self._minutes, self._box
        )

    def before(self) -> float:
        """Seconds that the part being trained took before this start, up to its snapshot; told once."""
        before, self._before = self._before, 0.0
        return before

    def sweep(self, trained: Callable[[int, str], Collection[Lane]]) -> None:
        """Remove the snapshots of what is trained by now.

        Args:
            trained: the lanes that are, by round and point.
        """
        notes = {path: checkpoints.note(path) for path in checkpoints.finished(self._folder)}
        _remove(*(
            path for path, note in notes.items()
            if all(Lane(*lane) in trained(note["round"], point)
                   for each in _groups(note) for point, *lane in each)
        ))  # fmt: skip

    def clear(self) -> None:
        """Remove all snapshots: everything is trained, and kept as parts."""
        _remove(*checkpoints.finished(self._folder))
        if processes.first():
            shutil.rmtree(self._folder, ignore_errors=True)

    def _find(self, told: dict[str, Any]) -> Snapshot | None:
        """A snapshot that has these lanes, perhaps among others that are done by now."""
        for path in reversed(checkpoints.finished(self._folder)):
            note = checkpoints.note(path)
            places = [_place(note, lane) for lane in told["lanes"]]
            if note["round"] == told["round"] and None not in places:
                self._before = float(note.get("seconds", 0.0))
                return _of_lanes(checkpoints.load(path), note, [at for at in places if at is not None])
        return None

    def _keep(self, snapshot: Snapshot, told: dict[str, Any]) -> None:
        # by number, in the order of the leaves: a checkpoint holds plain dictionaries
        state = _numbered(snapshot.state)
        captured = {f"{CAPTURED}{step}": _numbered(leaves) for step, leaves in snapshot.captured.items()}
        path = self._folder / f"round_{told['round']:03d}_step_{snapshot.step:09d}"
        older = [each for each in checkpoints.finished(self._folder) if each != path]
        with self._writing():
            _remove(path)  # of other lanes, from before they changed
            seconds = self._before + self._box.now() - self._began
            note = {**told, "step": snapshot.step, "seconds": seconds}
            by_lane = {"state": state, **captured}
            checkpoints.save(path, {"seen": snapshot.seen}, note, by_lane, snapshot.holders)
            _remove(*older)


def _remove(*snapshots: Path) -> None:
    """Remove what there is of these; all processes wait for it."""

    def remove() -> None:
        for each in snapshots:
            if each.exists():
                checkpoints.remove(each)

    processes.first_alone(remove)


def _plain(lanes: Part) -> list[list[Any]]:
    return [[point, *lane] for point, lane in lanes]


def _groups(note: dict[str, Any]) -> list[list[list[Any]]]:
    """The lanes of a snapshot, each with those that it is trained for too."""
    others = note.get("others") or [[] for _ in note["lanes"]]
    return [[lane, *each] for lane, each in zip(note["lanes"], others, strict=True)]


def _place(note: dict[str, Any], lane: list[Any]) -> int | None:
    """The place of a lane in a snapshot, perhaps of one that is trained for it."""
    return next((place for place, each in enumerate(_groups(note)) if lane in each), None)


def _numbered(leaves: Sequence[Any]) -> dict[str, np.ndarray]:
    return {f"{at:04}": np.asarray(leaf) for at, leaf in enumerate(leaves)}


def _of_lanes(tree: dict[str, Any], note: dict[str, Any], lanes: list[int]) -> Snapshot:
    """Some of a snapshot's lanes, by their places in it."""
    seen = {name: {split: values[:, lanes] for split, values in tree["seen"][name].items()}
            for name in tree["seen"] if name != "steps"}  # fmt: skip
    captured = {
        int(name.removeprefix(CAPTURED)): [each[at][lanes] for at in sorted(each)]
        for name, each in tree.items() if name.startswith(CAPTURED)
    }  # fmt: skip
    state = [tree["state"][at][lanes] for at in sorted(tree["state"])]
    return Snapshot(note["step"], state, {"steps": tree["seen"]["steps"], **seen}, captured=captured)
