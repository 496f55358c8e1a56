"""The processes of a job: who is first, and the little that they tell one another.

Everything here is trivial in a job of one process, so callers need not ask how many there are. All processes
of a job make the same calls in the same order; where one of them has ended the others' calls fail.
"""

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from ltjax.core.errors import UserError

T = TypeVar("T")


def index() -> int:
    """The number of this process, from 0."""
    return int(jax.process_index())


def count() -> int:
    """How many processes the job has."""
    return int(jax.process_count())


def first() -> bool:
    """Whether this is the process that speaks and writes tables."""
    return index() == 0


def barrier(name: str) -> None:
    """Wait until every process is here."""
    if count() > 1:
        multihost_utils.sync_global_devices(name)


def gathered(values: np.ndarray) -> np.ndarray:
    """Every process's values, of equal shapes, on a new leading axis [processes, ...]."""
    if count() == 1:
        return np.asarray(values)[None]
    return np.asarray(multihost_utils.process_allgather(values)).reshape(count(), *np.shape(values))


def agreed(value: int) -> int:
    """The first process's value."""
    return int(gathered(np.asarray(value, np.int32))[0])


def least(value: float) -> float:
    """The least of all processes' values; ``value`` itself alone, else to float32's precision."""
    return value if count() == 1 else float(gathered(np.asarray(value, np.float32)).min())


def broadcast(tree: Any, source: int) -> Any:
    """A pytree of NumPy arrays as process ``source`` has it; elsewhere only its shapes count."""
    if count() == 1:
        return tree
    found = multihost_utils.broadcast_one_to_all(tree, is_source=index() == source)
    return jax.tree.map(np.asarray, found)


def gathered_rows(rows: np.ndarray, share: int) -> np.ndarray:
    """Every process's rows, padded to ``share`` rows each, in every process [processes * share, ...]."""
    return gathered(_padded(rows, share)).reshape(-1, *rows.shape[1:])


def joined(rows: np.ndarray, share: int) -> Any:
    """Every process's rows, padded to ``share`` rows each, as one array [processes * share, ...].

    It is spread over the processes, so that each writes its own rows to a checkpoint; alone it stays NumPy's.
    """
    if count() == 1:
        return rows
    sharding = NamedSharding(_one_device_each(), P("processes"))
    return jax.make_array_from_process_local_data(sharding, _padded(rows, share))


def _padded(rows: np.ndarray, share: int) -> np.ndarray:
    return np.concatenate([rows, np.zeros((share - len(rows), *rows.shape[1:]), rows.dtype)])


def _one_device_each() -> Mesh:
    firsts = {device.process_index: device for device in reversed(jax.devices())}
    return Mesh(np.asarray([firsts[process] for process in sorted(firsts)]), ("processes",))


def first_alone(action: Callable[[], T]) -> T | None:
    """What ``action`` gives in the first process; the others wait for it, and get None.

    Raises:
        UserError: the first process's, raised in all of them.
    """
    error = result = None
    if first():
        try:
            result = action()
        except UserError as mistake:
            error = mistake
    told = np.zeros(4096, np.uint8)
    text = str(error or "").encode()[: len(told)]
    told[: len(text)] = np.frombuffer(text, np.uint8)
    message = bytes(broadcast(told, 0)).rstrip(b"\0").decode(errors="ignore")
    if message:
        raise error or UserError(message)
    return result


def same(digest: bytes) -> bool:
    """Whether every process has the same digest, of at most 32 bytes."""
    every = gathered(np.frombuffer(digest, np.uint8))
    return bool((every == every[0]).all())


def places(holders: Sequence[int]) -> tuple[list[int], int]:
    """Where lanes lie in ``joined`` rows: a row for each lane, and the rows of each process.

    Args:
        holders: the process that holds each lane, in the order of the lanes.

    Example:
        >>> places([0, 0, 1])
        ([0, 1, 2], 2)
    """
    share = max(map(holders.count, holders))
    return [holder * share + holders[:at].count(holder) for at, holder in enumerate(holders)], share


def by_lane(own: Any, holders: Sequence[int]) -> Any:
    """A pytree with a leading lane axis, of which each process has its own lanes, of all lanes everywhere.

    Args:
        own: the lanes that this process holds.
        holders: the process that holds each lane, in the order of the lanes.
    """
    if count() == 1:
        return own
    rows, share = places(holders)
    return jax.tree.map(lambda leaf: gathered_rows(leaf, share)[rows], own)


def leave(status: int) -> NoReturn:
    """End this process; one of a job at once, for in the ordinary way Python would wait for the others.

    Raises:
        SystemExit: in a process that is alone.
    """
    if not jax.distributed.is_initialized():
        raise SystemExit(status)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
