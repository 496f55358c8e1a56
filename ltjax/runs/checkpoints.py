"""Checkpoints: pytrees of NumPy arrays with a note, by Orbax. The only user of Orbax.

What processes hold together (``by_lane``) each writes its own lanes of; what is read is NumPy's, by any
process alone, however many wrote it. Each checkpoint holds the CRC-32 of every leaf, or of every lane where
lanes are stacked, so a damaged file is told and never trained on.
"""

import json
import logging
import shutil
import sys
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import jax
import numpy as np
from orbax.checkpoint import v1 as ocp

from ltjax.core.errors import UserError
from ltjax.core.trees import leaves_by_path
from ltjax.lanes import processes

# where files fail, Orbax logs its stack beside our message; and TFDS advises OpenCV at every start
logging.getLogger("absl").setLevel(logging.CRITICAL)

CHECKSUMS = "crc32"
PATIENCE = 10 * 365 * 86_400
"""Seconds a write may take: Orbax goes by the clock of the day, and would take a jump of it for a timeout."""

NOTE = "note_crc32"
"""Where a note keeps the checksum of all else in it."""

STACKED = "stacked"
"""Where a note tells of what lies lane by lane."""

UNFINISHED = ".orbax-checkpoint-tmp"

REPLACING = ".new"
"""What the name of a finished checkpoint ends with that is about to take another's place."""


def save(
    path: Path, tree: dict[str, Any], note: dict[str, Any], by_lane: Mapping[str, Any] = MappingProxyType({}),
    holders: Sequence[int] | None = None,
) -> None:  # fmt: skip
    """Write nested dictionaries of arrays, and a JSON-like note, whole or not at all; all processes together.

    Args:
        path: where.
        tree: arrays that every process has; the first one writes them.
        note: what is kept beside them.
        by_lane: more of the tree by name, with a leading lane axis: each process gives the lanes it holds.
        holders: the process that holds each lane, in the order of the lanes; by default the first all.

    Raises:
        OSError: it could not be written; nothing is left under that name.
    """
    tree, own = jax.tree.map(np.asarray, (tree, dict(by_lane)))
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = {**note, CHECKSUMS: checksums(tree)}
    if by_lane:
        places, share = processes.places(holders or [0] * len(jax.tree.leaves(own)[0]))
        sums = processes.gathered_rows(_lane_checksums(own), share)[places].tolist()
        kept[STACKED] = {"names": sorted(own), "places": places, CHECKSUMS: sums}
        tree = {**tree, **jax.tree.map(lambda leaf: processes.joined(leaf, share), own)}
    _quieten()
    failure = _save(path, tree, _signed(kept))
    if failure:
        raise OSError(f"the checkpoint '{path}' could not be written: {failure}")


def _save(path: Path, arrays: Any, note: dict[str, Any]) -> str | None:
    """Write a checkpoint; what went wrong in words, if it did."""
    try:
        with ocp.Context(async_options=ocp.options.AsyncOptions(timeout_secs=PATIENCE)):
            ocp.save(path.absolute(), arrays, custom_metadata=note)
    except Exception as error:  # tensorstore tells a full disk by errors of several types
        return (str(error).splitlines() or [type(error).__name__])[0]
    return None


def _quieten() -> None:
    """Say nothing where tensorstore's threads call into Orbax's closed event loop after a failed write."""
    for name in ("excepthook", "unraisablehook"):
        hook = getattr(sys, name)
        if not isinstance(hook, _Quiet):
            setattr(sys, name, _Quiet(hook))


class _Quiet:
    """One of Python's hooks for exceptions, but for those of closed event loops."""

    def __init__(self, hook: Callable[..., Any]) -> None:
        self.hook = hook

    def __call__(self, *told: Any) -> None:
        if not any("Event loop is closed" in str(each) for each in told):
            self.hook(*told)


def load(path: Path) -> Any:
    """The pytree of a checkpoint, as NumPy arrays.

    Raises:
        UserError: there is none, or its files are damaged.
    """
    tree = _load(path)
    if tree is None:
        raise _damaged(path)
    return tree


def _load(path: Path) -> Any:
    """The pytree, or None where something is missing, unreadable or has another checksum."""
    try:
        with _by_oneself():
            described = ocp.metadata(path.absolute())
            shapes = jax.tree.map(lambda leaf: np.empty(leaf.shape, leaf.dtype), described.metadata)
            tree = ocp.load(path.absolute(), shapes)
        note = _note(path)
        stacked = note.get(STACKED, {"names": [], CHECKSUMS: []})
        whole = {name: tree[name] for name in tree if name not in stacked["names"]}
        # where processes wrote it together there is padding between their lanes
        lanes = {name: jax.tree.map(lambda leaf: leaf[stacked["places"]], tree[name])
                 for name in stacked["names"]}  # fmt: skip
        sound = checksums(whole) == note[CHECKSUMS] and (
            _lane_checksums(lanes).tolist() == stacked[CHECKSUMS]
        )
        tree = {**whole, **lanes}
        return tree if sound else None
    except Exception:  # missing and damaged files surface as errors of many types
        return None


def note(path: Path) -> dict[str, Any]:
    """The note of a checkpoint.

    Raises:
        UserError: there is none, or it is damaged.
    """
    try:
        found = _note(path)
        found.pop(CHECKSUMS)
        found.pop(STACKED, None)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(path) from error
    return found


def finished(folder: Path) -> list[Path]:
    """The complete checkpoints in a folder, by name."""
    return sorted(
        path for path in folder.glob("*")
        if path.is_dir() and UNFINISHED not in path.name and path.suffix != REPLACING
    )  # fmt: skip


def remove(path: Path) -> None:
    """Remove a checkpoint, whole or not at all: what a kill leaves of it is no checkpoint."""
    doomed = path.with_name(f"{path.name}{UNFINISHED}-removed")
    path.rename(doomed)
    shutil.rmtree(doomed, ignore_errors=True)


def replace(
    path: Path, tree: dict[str, Any], note: dict[str, Any], by_lane: Mapping[str, Any] = MappingProxyType({})
) -> None:
    """``save`` in the place of a checkpoint that is there: a kill leaves the one or the other.

    Raises:
        OSError: it could not be written; the one that was there stands.
    """
    new = path.with_name(path.name + REPLACING)
    save(new, tree, note, by_lane)
    remove(path)
    new.rename(path)


def sweep(folder: Path) -> None:
    """Complete or remove what killed writes left in a folder; only for the process that writes there."""
    for leftover in folder.glob(f"*{UNFINISHED}*"):
        shutil.rmtree(leftover)
    for new in folder.glob(f"*{REPLACING}"):
        place = new.with_name(new.name.removesuffix(REPLACING))
        if place.exists():
            shutil.rmtree(new)
        else:
            new.rename(place)


def _damaged(path: Path) -> UserError:
    return UserError(
        f"the checkpoint '{path}' is damaged or incomplete; remove it and repeat the command that made "
        "it, to make it again."
    )


def checksums(tree: Any) -> dict[str, int]:
    """The CRC-32 of every leaf of a pytree of arrays, by path."""
    return {
        path: zlib.crc32(np.ascontiguousarray(leaf).tobytes()) for path, leaf in leaves_by_path(tree).items()
    }


def _lane_checksums(trees: dict[str, Any]) -> np.ndarray:
    """The CRC-32 of each lane: of all its leaves together, in the order of their paths."""
    leaves = leaves_by_path(trees)
    lanes = len(next(iter(leaves.values()))) if leaves else 0
    sums = np.zeros(lanes, np.uint32)
    for path in sorted(leaves):
        for lane in range(lanes):
            sums[lane] = zlib.crc32(np.ascontiguousarray(leaves[path][lane]).tobytes(), int(sums[lane]))
    return sums


def _by_oneself() -> ocp.Context:
    """Orbax's settings for reading by one process, whatever the others do meanwhile."""
    context, own = ocp.Context(), processes.index()
    context.multiprocessing.primary_host = own
    context.multiprocessing.active_processes = {own}
    context.multiprocessing.barrier_sync_key_prefix = f"process_{own}"
    return context


def _signed(note: dict[str, Any]) -> dict[str, Any]:
    return {**note, NOTE: zlib.crc32(json.dumps(note, sort_keys=True).encode())}


def _note(path: Path) -> dict[str, Any]:
    """The note of a checkpoint and its checksums; older versions kept none of the note itself.

    Read as Orbax writes it, since Orbax would open every array first, and speak where it cannot.

    Raises:
        OSError, ValueError, KeyError, TypeError, AttributeError: it is missing, altered or no note.
    """
    found: dict[str, Any] = json.loads((path / "_CHECKPOINT_METADATA").read_text())["custom_metadata"]
    kept = found.pop(NOTE, None)
    if kept is not None and kept != _signed(found)[NOTE]:
        raise ValueError("the note was altered")
    return found
