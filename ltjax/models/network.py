"""A network as two pure functions, and the registry of networks."""

import contextlib
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple, TypeAlias

import flax.linen as nn
import jax
import jax.numpy as jnp

from ltjax.core.errors import UserError
from ltjax.core.registry import Registry
from ltjax.core.types import Key, Params
from ltjax.models import convolution
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


def make_network(
    model: Model, image_shape: tuple[int, ...], classes: int, form: convolution.Form = "direct"
) -> Network:
    """The network of a configuration for images [height, width, channels].

    Args:
        model: says which network, and of which sizes.
        image_shape: of one image.
        classes: logits.
        form: how its convolutions are computed.

    Raises:
        UserError: no such model or initializer, or sizes that cannot be.
    """
    for name in ("widths", "channels"):
        if min(getattr(model, name) or (), default=1) < 1:
            raise UserError(f"model.{name} must be at least 1 each, not {getattr(model, name)}.")
    if not 0 <= model.dropout < 1:
        raise UserError(f"model.dropout must lie in [0, 1), not {model.dropout}.")
    return _network(MODELS.find(model.name), model, tuple(image_shape), classes, form)


@cache
def _network(
    make: Callable[[Model, int], nn.Module], model: Model, image_shape: tuple[int, ...], classes: int,
    form: convolution.Form,
) -> Network:  # fmt: skip
    """Made once, so that all who ask for a network share what JAX has traced and compiled of it."""
    module = make(model, classes)

    def init(key: Key) -> tuple[Params, Collections]:
        with _own_convolutions(form):
            variables = dict(module.init(key, jnp.zeros((1, *image_shape))))
        params = variables.pop("params")
        return params, variables

    def apply(
        params: Params, collections: Collections, images: jax.Array, train: bool, key: Key
    ) -> tuple[jax.Array, Collections]:
        with _own_convolutions(form):
            logits, updated = module.apply(
                {"params": params, **collections}, images, train=train,
                mutable=list(collections) if train else [], rngs={"dropout": key},
            )  # fmt: skip
        return logits.astype(jnp.float32), {**collections, **updated}

    return Network(jax.jit(init), apply)


@contextlib.contextmanager
def _own_convolutions(form: convolution.Form) -> Iterator[None]:
    """Every ``nn.Conv`` inside that names no arithmetic of its own has ltjax's, in that form."""
    with convolution.computed(form), nn.intercept_methods(_convolve):
        yield


def _convolve(
    call: Callable[..., Any], arguments: tuple[Any, ...], named: dict[str, Any],
    context: nn.module.InterceptorContext,
) -> Any:  # fmt: skip
    layer = context.module
    if not isinstance(layer, nn.Conv) or layer.conv_general_dilated or layer.conv_general_dilated_cls:
        return call(*arguments, **named)
    # modules are frozen, and a clone would have another scope
    object.__setattr__(layer, "conv_general_dilated", convolution.conv_general_dilated)
    try:
        return call(*arguments, **named)
    finally:
        object.__setattr__(layer, "conv_general_dilated", None)
