"""A network as two pure functions, and the registry of networks."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import flax.linen as nn
import jax
import jax.numpy as jnp

from ltjax.core.errors import UserError, shown
from ltjax.core.registry import Registry
from ltjax.core.trees import leaves_by_path
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


def trainable(params: Params) -> Params:
    """The params of a network, after a check that there are some and that they can be trained.

    Raises:
        UserError: there are none, or one of them does not hold floats.

    Example:
        >>> trainable({"at": jnp.zeros(2, int)})
        Traceback (most recent call last):
        ltjax.core.errors.UserError: the param 'at' of the network is int32, and only floats can be trained.
    """
    leaves = leaves_by_path(params)
    if not leaves:
        raise UserError("the network has no params to train.")
    for path, leaf in leaves.items():
        dtype = jnp.result_type(leaf)
        if not jnp.issubdtype(dtype, jnp.floating):
            raise UserError(
                f"the param {shown(path)} of the network is {dtype}, and only floats can be trained."
            )
    return params


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
