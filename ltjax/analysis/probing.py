"""Made-up inputs and weights under a mask, by which it is seen what a network's inputs reach."""

from collections.abc import Collection
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

EXAMPLES = 8
"""How many made-up examples a network is asked about."""


def inputs(seen: Any) -> Any | None:
    """Positive numbers like the inputs of a task; None where these are not floats, such as tokens."""
    if not all(jnp.issubdtype(leaf.dtype, jnp.floating) for leaf in jax.tree.leaves(seen)):
        return None
    return jax.tree.map(lambda leaf: abs(drawn((EXAMPLES, *leaf.shape))).astype(leaf.dtype), seen)


def drawn(shape: tuple[int, ...]) -> np.ndarray:
    """Normal numbers, always the same ones."""
    return np.random.default_rng(0).normal(size=shape)


def weights(counted: Collection[str], positive: bool, path: str, leaf: Any, kept: Any) -> Any:
    """Weights in place of a leaf that counts: they keep a layer's outputs about as large as its inputs.

    Drawn once of both signs and once ``positive``, they leave no unit off by chance.
    """
    if path not in counted:
        return leaf
    values, kept = drawn(leaf.shape), np.asarray(kept)
    # of every unit, so that no path dies out or explodes through layers that are unevenly pruned
    incoming = np.maximum(kept.sum(axis=tuple(range(kept.ndim - 1))), 1) if kept.ndim > 1 else 1
    values = abs(values) / incoming if positive else values / np.sqrt(incoming)
    return np.where(kept, values, 0).astype(leaf.dtype)
