"""The shared vocabulary in types: params, masks, keys and lanes."""

from typing import Any, NamedTuple, TypeAlias

import jax

Key: TypeAlias = jax.Array
"""A typed JAX PRNG key, as from ``core.keys.named_key``."""

Params: TypeAlias = Any
"""A pytree of float arrays: nested dictionaries, as Flax makes them."""

Mask: TypeAlias = Any
"""A pytree of bool arrays with the treedef of the params: True survives, False is pruned."""

State: TypeAlias = Any
"""What a network carries beside its params: a pytree of arrays, such as BatchNorm's statistics."""


class Lane(NamedTuple):
    """One independent training run of a round; the unit that is mapped, sharded and counted."""

    arm: str
    trial: int
    repeat: int = 0

    def __str__(self) -> str:
        return f"{self.arm} {self.trial}.{self.repeat}"


class Start(NamedTuple):
    """A network at some step of its training: its params and what it carries beside them."""

    params: Params
    state: State


class Ticket(NamedTuple):
    """What a lane starts from.

    Args:
        params: unmasked; the mask is applied to them.
        mask: bool, with the treedef of the params.
        state: what the network carries beside params, such as BatchNorm's statistics; None for what its
            initialisation has.
        pruned: the values that pruned weights have all along; None for 0.
        step: where the lane starts: its position in the data, on the schedule of the learning rate, and on
            the axis of its curves.
        hold: whether the learning rate stays at the schedule's last value.
        rate: a learning rate of the lane's own, in place of ``train.learning_rate``.
    """

    params: Params
    mask: Mask
    state: State | None = None
    pruned: Params | None = None
    step: int = 0
    hold: bool = False
    rate: float | None = None


class Kernel(NamedTuple):
    """The kernel of a layer, [inputs, outputs] or [height, width, inputs, outputs], by its path."""

    path: str
    shape: tuple[int, ...]


class Axis(NamedTuple):
    """Channels, or units, of a network that come and go together: a layer's, or those that sums join.

    Args:
        writers: the layers whose outputs they are, the first one first.
        readers: the layers whose inputs they are; where images are flattened between, a channel is every
            ``size``-th input.
        beside: paths of the writers' biases, and of scales and biases of their BatchNorms, [channels].
        scales: paths of these scales alone.
    """

    writers: tuple[Kernel, ...]
    readers: tuple[Kernel, ...]
    beside: tuple[str, ...]
    scales: tuple[str, ...]

    @property
    def size(self) -> int:
        """How many there are."""
        return self.writers[0].shape[-1]
