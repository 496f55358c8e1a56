"""Criteria rank weights for pruning: the lowest are removed first.

A criterion is a pure function ``(found) -> pytree`` of floats shaped like the params: ``found.trained`` is
what training left, ``found.mask`` says which weights of it are alive, ``found.gradient`` differentiates the
loss. Under the schedule ``at_init`` nothing was trained, and ``found.trained`` is θ₀. Adding a criterion
takes a function, or a frozen dataclass with parameters and ``__call__``, and its ``@CRITERIA.register`` line.
``steps``, if it has that, says in how many steps it would have a mask made before training.

Those that look at data are in ``saliency``, those of Zhou et al. in ``two_weights``.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp

from ltjax.core.found import Found
from ltjax.core.registry import Registry, registry
from ltjax.core.trees import keys_like

Criterion: TypeAlias = Callable[[Found], Any]

CRITERIA: Registry[Callable[..., Any]] = registry("criterion")


@CRITERIA.register("magnitude")
def magnitude(found: Found) -> Any:
    """|w| at the end of training: the paper's criterion (section 2)."""
    assert found.trained is not None
    return jax.tree.map(jnp.abs, found.trained.params)


@CRITERIA.register("initial")
def initial(found: Found) -> Any:
    """|θ₀|: pruning that no training decides, "at iteration 0" (paper, Figure 18)."""
    return jax.tree.map(jnp.abs, found.theta0.params)


@CRITERIA.register("random")
def random(found: Found) -> Any:
    """Uniform in [0, 1): the control that removes weights blindly."""
    params = found.theta0.params
    return jax.tree.map(
        lambda k, leaf: jax.random.uniform(k, jnp.shape(leaf)), keys_like(found.key, params), params
    )
