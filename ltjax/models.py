"""Networks: Flax modules behind two pure functions, init and apply. The only user of flax.linen.

Adding a network takes one function ``(Model, classes) -> flax.linen.Module`` and its ``@MODELS.register``
line. Name the last layer ``output`` so that it is pruned at the output layer's rate.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import flax.linen as nn
import jax
import jax.numpy as jnp

from ltjax.config import Model
from ltjax.errors import UserError, unknown
from ltjax.registry import Registry
from ltjax.types import Key, Params

MODELS: Registry[Callable[[Model, int], nn.Module]] = Registry("model")

INITIALIZERS = ("glorot_normal", "glorot_uniform", "he_normal", "he_uniform", "lecun_normal")

Collections: TypeAlias = dict[str, Any]
"""What a network carries beside its params, such as BatchNorm's statistics; often empty."""


class LeNet(nn.Module):
    """Fully-connected layers with ReLU between them: LeNet-300-100 (paper, Figure 2)."""

    widths: tuple[int, ...]
    classes: int
    kernel_init: nn.initializers.Initializer

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> jax.Array:
        """Logits [batch, classes] of images [batch, height, width, channels]."""
        units = images.reshape(images.shape[0], -1)
        for index, width in enumerate(self.widths, start=1):
            units = nn.Dense(width, kernel_init=self.kernel_init, name=f"fc{index}")(units)
            units = nn.relu(units)
        return nn.Dense(self.classes, kernel_init=self.kernel_init, name="output")(units)


@MODELS.register("lenet")
def lenet(model: Model, classes: int) -> nn.Module:
    """LeNet of any widths; (300, 100) is the paper's."""
    return LeNet(model.widths, classes, initializer(model))


def initializer(model: Model) -> nn.initializers.Initializer:
    """The kernel initializer of a configuration: JAX's by name (the paper's is glorot_normal), or Gaussian.

    Raises:
        UserError: there is none of that name, or ``init_std`` is not positive.
    """
    if model.init not in INITIALIZERS:
        raise unknown("initializer", model.init, INITIALIZERS)
    if model.init_std is None:
        make: Callable[[], nn.initializers.Initializer] = getattr(nn.initializers, model.init)
        return make()
    if not 0 < model.init_std < float("inf"):
        raise UserError(f"model.init_std must be positive, not {model.init_std}.")
    return nn.initializers.normal(model.init_std)


class Network(NamedTuple):
    """A network as two pure functions.

    ``init(key)`` gives ``(params, collections)``; ``apply(params, collections, images, train, key)`` gives
    ``(logits [batch, classes], collections)``. Images are floats [batch, height, width, channels].
    """

    init: Callable[[Key], tuple[Params, Collections]]
    apply: Callable[..., tuple[jax.Array, Collections]]


def make_network(model: Model, image_shape: tuple[int, ...], classes: int) -> Network:
    """The network of a configuration for images [height, width, channels].

    Raises:
        UserError: no such model or initializer, or a width below 1.
    """
    if min(model.widths, default=1) < 1:
        raise UserError(f"model.widths must be at least 1 each, not {model.widths}.")
    module = MODELS.find(model.name)(model, classes)

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
        return logits, {**collections, **updated}

    return Network(jax.jit(init), apply)
