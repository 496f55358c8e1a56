"""The structure ``channels``: whole output channels go, or units, with all that they are written and read by.

The axes along which channels go come from the network's wiring (``models.axes``), so the structure is
``along`` them before it is used.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias

import jax
import numpy as np

from ltjax.core.errors import UserError, shown
from ltjax.core.trees import leaves_by_path, replace_leaves
from ltjax.core.types import Axis, Key, Mask
from ltjax.sparsity import masks
from ltjax.sparsity.densities import Layer
from ltjax.sparsity.selection import Group, drop_lowest, removed
from ltjax.sparsity.structures import STRUCTURES

By: TypeAlias = Literal["kernel", "norm"]


@STRUCTURES.register("channels")
@dataclass(frozen=True)
class Channels:
    """Whole output channels, or units, and so inputs of the next layer; by the network's wiring."""

    by: By = "kernel"
    """What ranks a channel: the sum of its weights' scores, or the score of its BatchNorm's scale."""

    def along(self, axes: tuple[Axis, ...]) -> "Along":
        """The structure for a network whose channels lie on these axes."""
        return Along(self.by, axes)


@dataclass(frozen=True)
class Along:
    """Whole channels of a network's axes, each axis ranked by itself.

    With a channel go its weights, its bias, the scale and bias of its BatchNorm, and the weights by which
    other layers read it. A rate is the share of its channels that an axis loses; the last one stays. An axis
    is pruned where every layer that writes it is.

    Args:
        by: as ``Channels.by``.
        axes: the network's, in the order of their first layers.
    """

    by: By
    axes: tuple[Axis, ...]
    by_density: ClassVar[bool] = False

    def counts(self, layers: Mapping[str, Layer], round: int) -> dict[str, int]:
        """The weights that whole channels leave of each layer that loses outputs or inputs.

        Raises:
            UserError: no axis can be pruned, layers of one have different rates, channels are to be ranked by
                a BatchNorm that is not there, or the mask is not one of whole channels.
        """
        alive = _channels(self.axes, {path: layer.alive for path, layer in layers.items()})
        rates = [self._rate(axis, layers) for axis in self.axes]
        if not any(rates):
            raise UserError(
                "prune.structure channels has nothing to prune: no layer before the output has channels of "
                "its own whose layers all have a rate."
            )
        left = [number - min(removed(rate, number), number - 1) if rate else number
                for rate, number in zip(rates, alive, strict=True)]  # fmt: skip
        found: dict[str, int] = {}
        for axis, number in zip(self.axes, left, strict=True):
            for path, shape in (*axis.writers, *axis.readers):
                found[path] = found.get(path, math.prod(shape)) * number // axis.size
        return found

    def _rate(self, axis: Axis, layers: Mapping[str, Layer]) -> float | None:
        """The rate of an axis; None where a layer that writes it is never pruned."""
        paths = [path for path, _ in axis.writers]
        if not all(path in layers for path in paths):
            return None
        for path in paths:
            if layers[path].rate != layers[paths[0]].rate:
                raise UserError(
                    f"{paths[0]} and {path} write the same channels, so prune.structure channels needs one "
                    f"rate for them, not {layers[paths[0]].rate} and {layers[path].rate}; "
                    f"--prune.rate-by-path '{path}={layers[paths[0]].rate}' would give it."
                )
        if self.by == "norm" and len(axis.scales) < len(paths):
            raise UserError(
                f"prune.structure.by norm ranks channels by the scale of the BatchNorm behind {paths[0]}, "
                "and there is none; choose --prune.structure.by kernel."
            )
        return layers[paths[0]].rate

    def __call__(self, scores: Any, mask: Mask, kept: Mapping[Group, int]) -> Mask:
        """The mask that keeps the channels of the highest scores, as many as make ``kept``."""
        ranked, leaves = leaves_by_path(scores), leaves_by_path(mask)
        left = _channels(self.axes, {path: number for (path,), number in kept.items()})
        alive = [self._left(axis, ranked, leaves, number)
                 for axis, number in zip(self.axes, left, strict=True)]  # fmt: skip
        return without(mask, self.axes, alive)

    def _left(
        self, axis: Axis, ranked: Mapping[str, Any], leaves: Mapping[str, Any], number: int
    ) -> np.ndarray:  # fmt: skip
        alive = _alive(axis, leaves)
        gone = int(np.count_nonzero(alive)) - number
        # an axis that is never pruned need not have what channels are ranked by
        return drop_lowest(self._scores(axis, ranked, leaves), alive, gone) if gone else alive

    def _scores(self, axis: Axis, ranked: Mapping[str, Any], leaves: Mapping[str, Any]) -> np.ndarray:
        """A number for each channel, summed over the layers that write it."""
        paths = axis.scales if self.by == "norm" else tuple(path for path, _ in axis.writers)
        sums = [np.where(leaves[path], ranked[path], 0).astype(np.float64).reshape(-1, axis.size).sum(axis=0)
                for path in paths]  # fmt: skip
        return np.sum(sums, axis=0)

    def shuffle(self, key: Key, mask: Mask) -> Mask:
        """A mask with as many channels on every axis, others at random."""
        leaves = leaves_by_path(mask)
        return without(masks.dense(mask), self.axes, [
            np.asarray(jax.random.permutation(jax.random.fold_in(key, at), _alive(axis, leaves)))
            for at, axis in enumerate(self.axes)
        ])  # fmt: skip


def _channels(axes: Sequence[Axis], weights: Mapping[str, int]) -> list[int]:
    """How many channels of each axis are alive, by the weights that are alive of its first layer.

    The first layer of an axis reads an earlier one, or what is never pruned.
    """
    found: list[int] = []
    for axis in axes:
        path, shape = first = axis.writers[0]
        each = math.prod(shape[:-1])  # the weights of a channel
        for number, before in zip(found, axes, strict=False):
            each = each * number // before.size if first in before.readers else each
        alive, part = divmod(weights.get(path, each * axis.size), each)
        if part or not 0 < alive <= axis.size:
            raise UserError(
                f"prune.structure channels needs a mask of whole channels, and that of {shown(path)} is not "
                "one; prune from a dense network, or choose another structure."
            )
        found.append(alive)
    return found


def _alive(axis: Axis, leaves: Mapping[str, Any]) -> np.ndarray:
    """Which channels of an axis a mask's leaves keep a weight of."""
    return np.any([np.any(np.reshape(leaves[path], (-1, axis.size)), axis=0) for path, _ in axis.writers],
                  axis=0)  # fmt: skip


def without(mask: Mask, axes: Sequence[Axis], alive: Sequence[np.ndarray]) -> Mask:
    """The mask less all that writes and reads the channels of each axis that are not alive."""
    found = {path: np.array(leaf) for path, leaf in leaves_by_path(mask).items()}
    for axis, own in zip(axes, alive, strict=True):
        for path in (*(path for path, _ in axis.writers), *axis.beside):
            found[path] &= own
        for path, shape in axis.readers:
            found[path] &= np.tile(own, shape[-2] // axis.size)[:, None]
    return replace_leaves(mask, found)
