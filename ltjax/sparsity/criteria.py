"""Criteria rank weights for pruning: the lowest are removed first.

A criterion is a pure function of what training left: ``(trained, theta0, key) -> pytree`` of floats shaped
like the params. Adding one takes a function, or a frozen dataclass with parameters and ``__call__``, and its
``@CRITERIA.register`` line.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp

from ltjax.core.registry import Registry, registry
from ltjax.core.trees import keys_like
from ltjax.core.types import Key, Params

Criterion: TypeAlias = Callable[[Params, Params, Key], Any]

CRITERIA: Registry[Callable[..., Any]] = registry("criterion")


@CRITERIA.register("magnitude")
def magnitude(trained: Params, theta0: Params, key: Key) -> Any:
    """|w| at the end of training: the paper's criterion (section 2)."""
    return jax.tree.map(jnp.abs, trained)


@CRITERIA.register("initial")
def initial(trained: Params, theta0: Params, key: Key) -> Any:
    """|θ₀|: pruning that no training decides, "at iteration 0" (paper, Figure 18)."""
    return jax.tree.map(jnp.abs, theta0)


@CRITERIA.register("random")
def random(trained: Params, theta0: Params, key: Key) -> Any:
    """Uniform in [0, 1): the control that removes weights blindly."""
    return jax.tree.map(
        lambda k, leaf: jax.random.uniform(k, jnp.shape(leaf)), keys_like(key, trained), trained
    )
