"""Devices: which of them lanes use, what lies where, and how the lanes of one device share it."""

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Literal, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding

from ltjax.core.errors import UserError
from ltjax.lanes import processes
from ltjax.settings.schema import Compute

Batching: TypeAlias = Literal["map", "vmap", "unrolled"]
"""How the lanes of one device share it, as ``compute.batching`` says."""


def on_cpu() -> AbstractContextManager[None]:
    """Where JAX computes what lanes begin with, whatever they train on: it is the same bits everywhere.

    Raises:
        UserError: JAX was told to leave the CPU out.
    """
    try:
        cpu = jax.local_devices(backend="cpu")[0]
    except RuntimeError as error:
        raise UserError(
            "initial params are drawn on the CPU, which $JAX_PLATFORMS leaves out; add it, as in 'cuda,cpu'."
        ) from error
    context: AbstractContextManager[None] = jax.default_device(cpu)
    return context


def over_lanes(
    function: Callable[..., Any], real: jax.Array, lanes: tuple[Any, ...], batching: Batching
) -> Any:
    """``function`` of every lane of one device: together, one written out after the other, or in a loop.

    Only the loop skips padding.
    """
    if batching == "vmap":
        return jax.vmap(function)(*lanes)
    if batching == "unrolled":
        each = [function(*jax.tree.map(lambda leaf: leaf[at], lanes)) for at in range(len(real))]  # noqa: B023
        return jax.tree.map(lambda *leaves: jnp.stack(leaves), *each)
    function = jax.jit(function, inline=True)  # so that it is traced once: for shapes, and for the loop
    # leaf is a ShapeDtypeStruct: what the function would give for one lane
    shapes = jax.eval_shape(function, *jax.tree.map(lambda leaf: leaf[0], lanes))

    def nothing() -> Any:
        return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)

    return jax.lax.map(lambda item: jax.lax.cond(item[0], lambda: function(*item[1]), nothing), (real, lanes))


def choose_devices(compute: Compute) -> list[jax.Device]:
    """The devices to use, of every process the same number, in the order of the processes.

    Raises:
        UserError: more are asked for than there are, or they do not divide by those of a lane.
    """
    local = len(jax.local_devices())
    wanted = local if compute.devices is None else compute.devices
    if not 1 <= wanted <= local:
        raise UserError(f"compute.devices must lie between 1 and {local}, not {wanted}.")
    total = wanted * processes.count()
    if total % compute.data:
        raise UserError(f"compute.data must divide the {total} devices in use, not be {compute.data}.")
    by_process: dict[int, list[jax.Device]] = {}
    for device in jax.devices():
        by_process.setdefault(device.process_index, []).append(device)
    return [device for process in sorted(by_process) for device in by_process[process][:wanted]]


def lane_mesh(lanes: int, compute: Compute) -> Mesh:
    """The mesh ("lanes", "data"): each row of it trains its lanes, ``compute.data`` devices to a lane.

    Raises:
        UserError: as ``choose_devices``.
    """
    rows = np.asarray(choose_devices(compute)).reshape(-1, compute.data)
    # a process without any device of the mesh could not take part, so several processes use all of them
    used = rows if processes.count() > 1 else spread(lanes, rows)
    return Mesh(used, ("lanes", "data"))


def spread(lanes: int, rows: Any) -> Any:
    """As few of the rows as finish as early as all of them would: 5 lanes keep 3 of 4."""
    turns = math.ceil(lanes / len(rows))
    return rows[: math.ceil(lanes / turns)]


def holders(lanes: int, mesh: Mesh) -> list[int]:
    """The process that holds each lane: that of the first device of the lane's row."""
    each = math.ceil(lanes / len(mesh.devices))
    return [mesh.devices[lane // each, 0].process_index for lane in range(lanes)]


def placed(tree: Any, sharding: NamedSharding) -> Any:
    """A pytree of host arrays, equal in every process, laid out on the devices of all of them."""

    def place(leaf: Any) -> jax.Array:
        leaf = np.asarray(leaf)
        return jax.make_array_from_callback(leaf.shape, sharding, lambda index: leaf[index])

    return jax.tree.map(place, tree)


def held(tree: Any, lanes: int) -> Any:
    """The rows of the first ``lanes`` that this process holds, of a pytree whose leading axis is lanes."""
    return jax.tree.map(lambda leaf: _held(leaf, lanes), tree)


def _held(leaf: jax.Array, lanes: int) -> np.ndarray:
    blocks = []
    for shard in leaf.addressable_shards:
        if shard.replica_id == 0:  # the devices of one lane have copies of it
            begin = shard.index[0].start or 0
            blocks.append((begin, np.asarray(shard.data)[: max(lanes - begin, 0)]))
    # a process may hold none: only lanes of the data axis
    empty = np.zeros((0, *leaf.shape[1:]), leaf.dtype)
    return np.concatenate([empty, *(rows for _, rows in sorted(blocks, key=lambda block: block[0]))])
