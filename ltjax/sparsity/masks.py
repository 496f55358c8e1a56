"""Masks: pytrees of bool beside the params; True survives.

A mask has the treedef of the params. Leaves that are never pruned by themselves (biases, BatchNorm) are all
True, but for a channel that is removed whole. Counts are over kernels alone, as in the paper, and in Python
integers: float32 cannot count the 20 M weights of VGG-19.
"""

import math
from collections.abc import Collection, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ltjax.core.errors import UserError, shown
from ltjax.core.trees import keys_like, leaves_by_path
from ltjax.core.types import Key, Mask, Params


def dense(params: Params) -> Mask:
    """The mask that keeps everything: the round-0 mask.

    Example:
        >>> dense({"kernel": np.zeros((1, 2))})
        {'kernel': array([[ True,  True]])}
    """
    return jax.tree.map(lambda leaf: np.ones(np.shape(leaf), bool), params)


def check(mask: Mask, params: Params, whose: str) -> None:
    """Check that a mask is one of the params: the same structure and shapes, and every leaf of bool.

    Args:
        mask: what a function of a user's returned, say.
        params: arrays, or their ``jax.ShapeDtypeStruct``.
        whose: whose the mask is, such as ``"the arm 'mine'"``.

    Raises:
        UserError: it is not; the message names the first leaf that is wrong.
    """
    found, needed = leaves_by_path(mask), leaves_by_path(params)
    structures = {jax.tree.structure(mask), jax.tree.structure(params)}
    if len(structures) == 2:
        raise UserError(f"the mask of {whose} must have the structure of the params{_astray(found, needed)}.")
    for path, leaf in found.items():
        dtype = leaf.dtype if hasattr(leaf, "dtype") else np.asarray(leaf).dtype
        if dtype != np.bool_:
            raise UserError(f"the mask of {whose} must be bool, and its leaf {shown(path)} is {dtype}.")
        if (shape := np.shape(leaf)) != np.shape(needed[path]):
            raise UserError(
                f"the mask of {whose} has a leaf {shown(path)} of shape {list(shape)}, where the params have "
                f"{list(np.shape(needed[path]))}."
            )


def _astray(found: Mapping[str, Any], needed: Mapping[str, Any]) -> str:
    """The first leaf that one has and the other has not, in words."""
    for path in (*needed, *found):
        if path not in found:
            return f", and lacks {shown(path)}"
        if path not in needed:
            return f", which have no {shown(path)}"
    return ", in containers of the same types"


def apply(mask: Mask, tree: Params) -> Params:
    """``mask ⊙ tree``: pruned entries become 0, survivors keep their bits.

    Works inside and outside ``jit``; gradients, updates and params alike. Dtypes are kept.
    """
    # where() and not a product: -0.3 * 0 is -0.0 and NaN * 0 is NaN, and neither is exactly 0.0
    return jax.tree.map(lambda keep, leaf: jnp.where(keep, leaf, jnp.zeros_like(leaf)), mask, tree)


def weights(params: Params, mask: Mask, pruned: Params | None = None) -> Params:
    """The effective weights: params where the mask is True, elsewhere ``pruned``, or 0.

    Example:
        >>> mask = {"kernel": np.array([True, False])}
        >>> print(weights({"kernel": np.array([1.0, 2.0])}, mask, {"kernel": np.array([3.0, 4.0])})["kernel"])
        [1. 4.]
    """
    return apply(mask, params) if pruned is None else jax.tree.map(jnp.where, mask, params, pruned)


def shuffle(key: Key, mask: Mask) -> Mask:
    """A mask with as many survivors in every leaf, at random places."""

    def shuffled(key: Key, leaf: Any) -> np.ndarray:
        return np.asarray(jax.random.permutation(key, np.ravel(leaf))).reshape(np.shape(leaf))

    return jax.tree.map(shuffled, keys_like(key, mask), mask)


def is_kernel(path: str) -> bool:
    """Whether a leaf of that path name is called a kernel, as Flax calls the weights of its layers."""
    return path.rsplit("/", 1)[-1] == "kernel"


def kernels(tree: Any) -> dict[str, Any]:
    """The kernel leaves of params or a mask, by path name."""
    return {path: leaf for path, leaf in leaves_by_path(tree).items() if is_kernel(path)}


def counted(tree: Any, kinds: Collection[str] | None = None) -> dict[str, Any]:
    """The leaves of params or a mask that count, by path name: those of ``kinds``, by default kernels."""
    if kinds is None:
        return kernels(tree)
    return {path: leaf for path, leaf in leaves_by_path(tree).items() if path in kinds}


def count(mask: Mask, kinds: Collection[str] | None = None) -> tuple[int, int]:
    """Surviving weights and all weights, of the leaves that count.

    Args:
        mask: the mask.
        kinds: paths of the leaves that count; by default those that are called kernel.

    Example:
        >>> count({"bias": np.ones(2, bool), "kernel": np.array([[True, False, True]])})
        (2, 3)
    """
    leaves = [np.asarray(leaf) for leaf in counted(mask, kinds).values()]
    return sum(int(np.count_nonzero(leaf)) for leaf in leaves), sum(leaf.size for leaf in leaves)


def pack(mask: Mask) -> Params:
    """A mask's leaves as packed bits, flat uint8 arrays; ``unpack`` is the inverse."""
    return jax.tree.map(np.packbits, mask)


def unpack(bits: Params, like: Any) -> Mask:
    """The mask of packed bits, in the shapes of ``like``'s leaves.

    Example:
        >>> unpack({"kernel": np.packbits([True, False])}, {"kernel": np.zeros((1, 2))})
        {'kernel': array([[ True, False]])}
    """

    def leaf(bits: Any, like: Any) -> np.ndarray:
        shape = np.shape(like)
        return np.unpackbits(bits, count=math.prod(shape)).astype(bool).reshape(shape)

    return jax.tree.map(leaf, bits, like)


def percent_remaining(mask: Mask, kinds: Collection[str] | None = None) -> float:
    """P_m = 100 · ‖m‖₀ / |θ| over the leaves that count, biases and norms excluded (paper, section 1)."""
    return percent(*count(mask, kinds))


def percent(remaining: int, total: int) -> float:
    """What remains of a total, in per cent."""
    return 100 * remaining / total


def densities(mask: Mask, kinds: Collection[str] | None = None) -> dict[str, float]:
    """The surviving fraction of every leaf that counts, by path name."""
    return {path: float(np.mean(leaf)) for path, leaf in counted(mask, kinds).items()}
