"""Devices: which of them lanes use, and how the lanes of one device share it."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from ltjax.config import Compute
from ltjax.errors import UserError


def over_lanes(
    function: Callable[..., Any], real: jax.Array, lanes: tuple[Any, ...], *, vmapped: bool
) -> Any:
    """``function`` of every lane of one device: all together, or in turn and padding skipped."""
    if vmapped:
        return jax.vmap(function)(*lanes)
    # leaf is a ShapeDtypeStruct: what the function would give for one lane
    shapes = jax.eval_shape(function, *jax.tree.map(lambda leaf: leaf[0], lanes))

    def nothing() -> Any:
        return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)

    return jax.lax.map(lambda item: jax.lax.cond(item[0], lambda: function(*item[1]), nothing), (real, lanes))


def choose_devices(compute: Compute) -> list[jax.Device]:
    """The local devices to use.

    Raises:
        UserError: more are asked for than there are.
    """
    devices = jax.local_devices()
    wanted = len(devices) if compute.devices is None else compute.devices
    if not 1 <= wanted <= len(devices):
        raise UserError(f"compute.devices must lie between 1 and {len(devices)}, not {wanted}.")
    return devices[:wanted]


def spread(lanes: int, devices: Sequence[jax.Device]) -> Sequence[jax.Device]:
    """As few of the devices as finish as early as all of them would: 5 lanes keep 3 of 4 devices."""
    turns = math.ceil(lanes / len(devices))
    return devices[: math.ceil(lanes / turns)]
