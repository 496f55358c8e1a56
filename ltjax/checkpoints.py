"""Checkpoints: pytrees of NumPy arrays with a note, by Orbax. The only user of Orbax.

Arrays are kept as NumPy's: a checkpoint written on eight devices is read on one. Each holds the CRC-32
of every leaf, so a damaged file is told and never trained on.
"""

import contextlib
import gc
import json
import logging
import shutil
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
from orbax.checkpoint import v1 as ocp

from ltjax.errors import UserError
from ltjax.trees import leaves_by_path

CHECKSUMS = "crc32"
PATIENCE = 10 * 365 * 86_400
"""Seconds a write may take: Orbax goes by the clock of the day, and would take a jump of it for a timeout."""

NOTE = "note_crc32"
"""Where a note keeps the checksum of all else in it."""

UNFINISHED = ".orbax-checkpoint-tmp"


def save(path: Path, tree: Any, note: dict[str, Any]) -> None:
    """Write a pytree of nested dictionaries of arrays, and a JSON-like note, whole or not at all.

    Raises:
        OSError: it could not be written; nothing is left under that name.
    """
    arrays = jax.tree.map(np.asarray, tree)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _debris_swept():
        failure = _save(path, arrays, _signed({**note, CHECKSUMS: checksums(arrays)}))
        if failure:
            gc.collect()
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


def load(path: Path) -> Any:
    """The pytree of a checkpoint, as NumPy arrays.

    Raises:
        UserError: there is none, or its files are damaged.
    """
    with _debris_swept():
        tree = _load(path)
        if tree is None:
            gc.collect()
    if tree is None:
        raise _damaged(path)
    return tree


def _load(path: Path) -> Any:
    """The pytree, or None where something is missing, unreadable or has another checksum."""
    try:
        described = ocp.metadata(path.absolute())
        shapes = jax.tree.map(lambda leaf: np.empty(leaf.shape, leaf.dtype), described.metadata)
        tree = ocp.load(path.absolute(), shapes)
        return tree if checksums(tree) == _note(path)[CHECKSUMS] else None
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
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(path) from error
    return found


def finished(folder: Path) -> list[Path]:
    """The complete checkpoints in a folder, by name."""
    return sorted(path for path in folder.glob("*") if path.is_dir() and UNFINISHED not in path.name)


def remove(path: Path) -> None:
    """Remove a checkpoint, whole or not at all: what a kill leaves of it is no checkpoint."""
    doomed = path.with_name(f"{path.name}{UNFINISHED}-removed")
    path.rename(doomed)
    shutil.rmtree(doomed, ignore_errors=True)


def sweep(folder: Path) -> None:
    """Remove what killed saves and removals left in a folder; only for the process that writes there."""
    for leftover in folder.glob(f"*{UNFINISHED}*"):
        shutil.rmtree(leftover)


@contextlib.contextmanager
def _debris_swept() -> Iterator[None]:
    """Where files fail, Orbax logs its stack and leaves coroutines behind; both would hide our message.

    What is left behind tells of itself when it is collected, so that is to be done inside, after a failure;
    it takes longer than most checkpoints.
    """
    _quieten_late_callbacks()
    loggers, hook = [logging.getLogger(name) for name in ("asyncio", "absl")], sys.unraisablehook
    for logger in loggers:
        logger.disabled = True
    sys.unraisablehook = lambda _: None
    try:
        yield
    except BaseException:
        gc.collect()
        raise
    finally:
        sys.unraisablehook = hook
        for logger in loggers:
            logger.disabled = False


def _quieten_late_callbacks() -> None:
    """During and after a failure tensorstore's threads call back into Orbax's closed event loop, for a while.

    Each such call prints a traceback of its own, through one of Python's hooks, beside our message.
    """
    sys.excepthook = _quiet(sys.excepthook, lambda _, error, __: error)
    sys.unraisablehook = _quiet(sys.unraisablehook, lambda unraisable: unraisable.exc_value)


def _quiet(hook: Callable[..., Any], error: Callable[..., object]) -> Callable[..., Any]:
    """A hook that is not told of callbacks into a closed event loop; ``error`` is in its arguments."""
    if hook in _QUIET:
        return hook

    def quiet(*told: Any) -> None:
        if "Event loop is closed" not in str(error(*told)):
            hook(*told)

    _QUIET.append(quiet)
    return quiet


_QUIET: list[Callable[..., Any]] = []


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
