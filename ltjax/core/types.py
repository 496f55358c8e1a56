"""The shared vocabulary in types: params, masks, keys and lanes."""

from typing import Any, NamedTuple, TypeAlias

import jax

Key: TypeAlias = jax.Array
"""A typed JAX PRNG key, as from ``core.keys.named_key``."""

Params: TypeAlias = Any
"""A pytree of float arrays: nested dictionaries, as Flax makes them."""

Mask: TypeAlias = Any
"""A pytree of bool arrays with the treedef of the params: True survives, False is pruned."""


class Lane(NamedTuple):
    """One independent training run of a round; the unit that is mapped, sharded and counted."""

    arm: str
    trial: int
    repeat: int = 0

    def __str__(self) -> str:
        return f"{self.arm} {self.trial}.{self.repeat}"


class Ticket(NamedTuple):
    """What a round trains: params to start from, which the mask is applied to, and the mask."""

    params: Params
    mask: Mask
