"""Scores rank weights for pruning: the lowest are removed first.

A score is a pure function of what training left: ``(trained, theta0, key) -> pytree`` of floats shaped
like the params. Adding one takes a function and its ``@SCORES.register`` line.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp

from ltjax.core.registry import Registry
from ltjax.core.trees import keys_like
from ltjax.core.types import Key, Params

Score: TypeAlias = Callable[[Params, Params, Key], Any]

SCORES: Registry[Score] = Registry("pruning score")


@SCORES.register("magnitude")
def magnitude(trained: Params, theta0: Params, key: Key) -> Any:
    """|w| at the end of training: the paper's criterion (section 2)."""
    return jax.tree.map(jnp.abs, trained)


@SCORES.register("initial")
def initial(trained: Params, theta0: Params, key: Key) -> Any:
    """|θ₀|: pruning that no training decides, "at iteration 0" (paper, Figure 18)."""
    return jax.tree.map(jnp.abs, theta0)


@SCORES.register("random")
def random(trained: Params, theta0: Params, key: Key) -> Any:
    """Uniform in [0, 1): the control that removes weights blindly."""
    return jax.tree.map(
        lambda k, leaf: jax.random.uniform(k, jnp.shape(leaf)), keys_like(key, trained), trained
    )
