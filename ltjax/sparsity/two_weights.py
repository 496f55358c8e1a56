"""Criteria of a weight's initial and final value (Zhou et al. 2019, "Deconstructing lottery tickets").

``magnitude`` (their large_final), ``initial`` (large_init) and ``random`` are in ``criteria``.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ltjax.core.found import Found
from ltjax.sparsity.criteria import CRITERIA


def of_both(score: Callable[[Any, Any], Any]) -> Callable[[Found], Any]:
    """A criterion by a score of the initial and the final weight."""

    def criterion(found: Found) -> Any:
        assert found.trained is not None
        return jax.tree.map(score, found.theta0.params, found.trained.params)

    criterion.__doc__ = score.__doc__
    return criterion


@CRITERIA.register("small_final")
@of_both
def small_final(initial: Any, final: Any) -> Any:
    """-|w| at the end of training: the reverse of magnitude, a control (Zhou et al. 2019)."""
    return -jnp.abs(final)


@CRITERIA.register("small_initial")
@of_both
def small_initial(initial: Any, final: Any) -> Any:
    """-|θ₀|: the reverse of initial, a control (Zhou et al. 2019)."""
    return -jnp.abs(initial)


@CRITERIA.register("magnitude_increase")
@of_both
def magnitude_increase(initial: Any, final: Any) -> Any:
    """|w| - |θ₀|: by how much a weight has grown (Zhou et al. 2019)."""
    return jnp.abs(final) - jnp.abs(initial)


@CRITERIA.register("movement")
@of_both
def movement(initial: Any, final: Any) -> Any:
    """|w - θ₀|: how far a weight has moved (Zhou et al. 2019)."""
    return jnp.abs(final - initial)


@CRITERIA.register("magnitude_same_sign")
@of_both
def magnitude_same_sign(initial: Any, final: Any) -> Any:
    """|w| where the sign is still θ₀'s, else 0 (Zhou et al. 2019)."""
    return jnp.abs(final) * _same_sign(initial, final)


@CRITERIA.register("magnitude_increase_same_sign")
@of_both
def magnitude_increase_same_sign(initial: Any, final: Any) -> Any:
    """|w| - |θ₀| where the sign is still θ₀'s; else 0, so before weights that shrank (Zhou et al. 2019)."""
    return (jnp.abs(final) - jnp.abs(initial)) * _same_sign(initial, final)


@CRITERIA.register("magnitude_increase_kept_sign")
@of_both
def magnitude_increase_kept_sign(initial: Any, final: Any) -> Any:
    """|w| - |θ₀| where the sign is still θ₀'s; weights that changed it go before all others."""
    return jnp.where(_same_sign(initial, final), jnp.abs(final) - jnp.abs(initial), -jnp.inf)


@CRITERIA.register("large_initial_and_final")
def large_initial_and_final(found: Found) -> Any:
    """The lower of the ranks of |θ₀| and |w| among the layer's weights that are left (Zhou et al. 2019).

    Their own cuts both distributions at one percentile, found by bisection, and keeps what is above both; so
    does this, to the exact count.
    """

    def lower(initial: Any, final: Any, alive: Any) -> Any:
        return np.minimum(_ranks(np.abs(initial), alive), _ranks(np.abs(final), alive))

    assert found.trained is not None
    return jax.tree.map(lower, found.theta0.params, found.trained.params, found.mask)


def _ranks(values: Any, alive: Any) -> np.ndarray:
    """The rank of each entry among those alive, from 0; the first of equal ones is the lower."""
    found = np.zeros(np.shape(values), np.float32)
    found[alive] = np.argsort(np.argsort(np.asarray(values)[alive], kind="stable"), kind="stable")
    return found


def _same_sign(initial: Any, final: Any) -> Any:
    return jnp.sign(initial) == jnp.sign(final)
