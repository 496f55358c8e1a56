"""Criteria that look at the loss, or at the network as a whole, before or after training.

They are meant for the schedule ``at_init``, with the structure ``global`` (Frankle et al. 2021, "Pruning
neural networks at initialization: why are we missing the mark?"), and can be used with any. Where reference
implementations differ, the gradient here is summed over all examples before its absolute value is taken.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, ClassVar

import jax
import jax.numpy as jnp

from ltjax.core.found import Found
from ltjax.core.types import Start
from ltjax.settings.bounds import MANY, POSITIVE, whole
from ltjax.sparsity import masks
from ltjax.sparsity.criteria import CRITERIA

FOR_EACH = 10
"""Examples of a class, by default."""


def _at(found: Found) -> Start:
    """Where derivatives are taken: what training left, under ``at_init`` θ₀."""
    return found.trained or found.theta0


def _examples(found: Found, asked: int | None) -> int:
    return FOR_EACH * found.task.data.classes if asked is None else asked


@CRITERIA.register("snip")
@dataclass(frozen=True)
class Snip:
    """|w · dL/dw|: how much the loss would change, to first order, without the weight (Lee et al. 2019)."""

    examples: Annotated[int | None, whole(1, MANY * 1000)] = None
    """Training examples that the loss is the mean of; by default ten for each class."""

    def __call__(self, found: Found) -> Any:
        """The scores, at the network in evaluation."""
        gradient = found.gradient(_at(found), _examples(found, self.examples))
        return jax.tree.map(lambda weight, slope: jnp.abs(weight * slope), _at(found).params, gradient)


@dataclass(frozen=True)
class _Flow:
    """What both forms of GraSP share."""

    examples: Annotated[int | None, whole(1, MANY * 1000)] = None
    """Training examples that the loss is the mean of; by default ten for each class."""
    temperature: Annotated[float, POSITIVE] = 200.0
    """What outputs are divided by before the loss."""

    def products(self, found: Found) -> Any:
        """w · Hg, with the gradient g and the Hessian H of the network in training."""
        at, number = _at(found), _examples(found, self.examples)
        gradient = found.gradient(at, number, train=True, temperature=self.temperature)
        vector = masks.apply(found.mask, gradient)
        product = found.hvp(at, vector, number, train=True, temperature=self.temperature)
        return jax.tree.map(jnp.multiply, at.params, product)


@CRITERIA.register("grasp")
@dataclass(frozen=True)
class Grasp(_Flow):
    """w · Hg: weights without which the gradient would flow better go first (Wang et al. 2020)."""

    def __call__(self, found: Found) -> Any:
        """The scores; the lowest are those whose removal raises the gradient's norm most."""
        return self.products(found)


@CRITERIA.register("grasp_abs")
@dataclass(frozen=True)
class GraspAbs(_Flow):
    """|w · Hg|: weights that change the gradient's flow least go first (Frankle et al. 2021)."""

    def __call__(self, found: Found) -> Any:
        """The scores."""
        return jax.tree.map(jnp.abs, self.products(found))


@CRITERIA.register("synflow")
@dataclass(frozen=True)
class Synflow:
    """|w| · dR/d|w|, R the outputs' sum for ones through the absolute weights (Tanaka et al. 2020).

    It looks at no data. The network is in evaluation, and every param is taken absolute, biases and scales
    too. Float32 will do: where R is too large for it, less than ones goes in, which leaves the ranks of a
    network without biases as they are.
    """

    steps: ClassVar[int] = 100
    """In how many a mask is made: in one, it would empty layers."""

    def __call__(self, found: Found) -> Any:
        """The scores."""
        at, apply = _at(found), found.task.network.apply
        ones = jax.tree.map(lambda leaf: jnp.ones((1, *leaf.shape), leaf.dtype), found.task.data.seen)
        weights = jax.tree.map(jnp.abs, masks.apply(found.mask, at.params))
        size = 1.0
        while not jnp.isfinite(_flow(weights, at.state, ones, size, found.key, apply=apply)):
            size *= 1e-9
        slopes = _slopes(weights, at.state, ones, size, found.key, apply=apply)
        return jax.tree.map(jnp.multiply, weights, slopes)


@partial(jax.jit, static_argnames="apply")
def _flow(
    weights: Any, state: Any, ones: Any, size: Any, key: Any, *, apply: Callable[..., Any]
) -> jax.Array:
    """What comes out, in all, of ones of a size."""
    inputs = jax.tree.map(lambda leaf: leaf * jnp.asarray(size, leaf.dtype), ones)
    outputs, _ = apply(weights, state, inputs, False, key)
    return sum((leaf.sum() for leaf in jax.tree.leaves(outputs)), jnp.zeros(()))


_slopes = jax.jit(jax.grad(_flow), static_argnames="apply")
