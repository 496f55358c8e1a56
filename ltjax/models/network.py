"""A network as two pure functions, and the registry of networks."""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple, TypeAlias

import flax.linen as nn
import jax
import jax.numpy as jnp

from ltjax.core.errors import UserError
from ltjax.core.registry import Registry
from ltjax.core.types import Key, Params
from ltjax.settings.schema import Model

MODELS: Registry[Callable[[Model, int], nn.Module]] = Registry("model")

Collections: TypeAlias = dict[str, Any]
"""What a network carries beside its params, such as BatchNorm's statistics; often empty."""


class Network(NamedTuple):
    """A network as two pure functions.

    ``init(key)`` gives ``(params, collections)``; ``apply(params, collections, images, train, key)`` gives
    ``(logits [batch, classes], collections)``. Images are floats [batch, height, width, channels]; params,
    collections and logits are float32 whatever ``model.precision`` is.
    """

    init: Callable[[Key], tuple[Params, Collections]]
    apply: Callable[..., tuple[jax.Array, Collections]]


def make_network(model: Model, image_shape: tuple[int, ...], classes: int) -> Network:
    """The network of a configuration for images [height, width, channels].

    Raises:
        UserError: no such model or initializer, or sizes that cannot be.
    """
    for name in ("widths", "channels"):
        if min(getattr(model, name) or (), default=1) < 1:
            raise UserError(f"model.{name} must be at least 1 each, not {getattr(model, name)}.")
    if not 0 <= model.dropout < 1:
        raise UserError(f"model.dropout must lie in [0, 1), not {model.dropout}.")
    return _network(MODELS.find(model.name), model, tuple(image_shape), classes)


@cache
def _network(
    make: Callable[[Model, int], nn.Module], model: Model, image_shape: tuple[int, ...], classes: int
) -> Network:
    """Made once, so that all who ask for a network share what JAX has traced and compiled of it."""
    module = make(model, classes)

    def init(key: Key) -> tuple[Params, Collections]:
        variables = dict(module.init(key, jnp.zeros((1, *image_shape))))
        params = variables.pop("params")
        return params, variables

    def apply(
        params: Params, collections: Collections, images: jax.Array, train: bool, key: Key
    ) -> tuple[jax.Array, Collections]:
        logits, updated = module.apply(
            {"params": params, **collections}, images, train=train,
            mutable=list(collections) if train else [], rngs={"dropout": key},
        )  # fmt: skip
        return logits.astype(jnp.float32), {**collections, **updated}

    return Network(jax.jit(init), apply)
