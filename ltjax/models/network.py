"""A network as two pure functions, and the registry of networks."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import flax.linen as nn
import jax
import jax.numpy as jnp

from ltjax.core.registry import Registry
from ltjax.core.types import Key, Params, State
from ltjax.settings.schema import Model

MODELS: Registry[Callable[[Model, int], nn.Module]] = Registry("model")

Collections: TypeAlias = State
"""What a network carries beside its params, such as BatchNorm's statistics; often empty."""

Inputs: TypeAlias = Any
"""A pytree of arrays with a leading batch axis; of one example's ``jax.ShapeDtypeStruct`` where shapes do."""


class Network(NamedTuple):
    """A network as two pure functions.

    ``init(key)`` gives ``(params, state)``; ``apply(params, state, inputs, train, key)`` gives
    ``(outputs, state)``. Inputs and outputs are pytrees whose leaves have the batch as their first axis;
    floating outputs are float32. State changes in training alone.
    """

    init: Callable[[Key], tuple[Params, State]]
    apply: Callable[..., tuple[Any, State]]


def one_example(inputs: Inputs) -> Inputs:
    """A batch of one example, of zeros.

    Example:
        >>> one_example({"tokens": jax.ShapeDtypeStruct((3,), "int32")})["tokens"].tolist()
        [[0, 0, 0]]
    """
    return jax.tree.map(lambda leaf: jnp.zeros((1, *leaf.shape), leaf.dtype), inputs)


def in_float32(outputs: Any) -> Any:
    """The outputs, floating ones in float32."""
    return jax.tree.map(
        lambda leaf: leaf.astype(jnp.float32) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf, outputs
    )


def shapes_like(inputs: Inputs) -> Inputs:
    """The shapes of one example, from anything that has them; a tuple of integers is one of float32.

    Example:
        >>> shapes_like((28, 28, 1))
        ShapeDtypeStruct(shape=(28, 28, 1), dtype=float32)
    """
    if isinstance(inputs, tuple) and all(isinstance(each, int) for each in inputs):
        return jax.ShapeDtypeStruct(inputs, jnp.float32)
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), inputs)
