"""The layers that networks are made of, as a configuration wants them."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from ltjax.core.errors import UserError, unknown
from ltjax.settings.schema import Model

INITIALIZERS = ("glorot_normal", "glorot_uniform", "he_normal", "he_uniform", "lecun_normal")

DTYPES = {"float32": jnp.float32, "bfloat16": jnp.bfloat16}
"""What layers compute in, by ``model.precision``; their params are float32 in either."""

EPSILON = 1e-5
"""What BatchNorm adds to a variance."""


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


def _shared(model: Model) -> dict[str, Any]:
    return {"kernel_init": initializer(model), "dtype": DTYPES[model.precision]}


def dense(model: Model, units: int, name: str) -> nn.Dense:
    """A fully-connected layer; its bias begins at 0."""
    return nn.Dense(units, name=name, **_shared(model))


def conv(
    model: Model, channels: int, name: str, *, size: int = 3, strides: int = 1, bias: bool = False
) -> nn.Conv:
    """A convolution of ``size`` × ``size``, padded to keep the image's size (at stride 1)."""
    return nn.Conv(
        channels, (size, size), (strides, strides), padding="SAME", use_bias=bias, name=name,
        **_shared(model),
    )  # fmt: skip


def batch_norm(model: Model, train: bool, name: str, epsilon: float = EPSILON) -> nn.BatchNorm:
    """BatchNorm; in training by the minibatch, in evaluation by running means over about ten minibatches."""
    return nn.BatchNorm(
        use_running_average=not train, momentum=0.9, epsilon=epsilon, dtype=DTYPES[model.precision], name=name
    )


def max_pool(images: Any, maximum: Callable[[Any, Any], Any] = jnp.maximum) -> Any:
    """2 × 2 max-pooling at stride 2, by JAX's or another ``maximum``; an odd last row or column is left out.

    Written as maxima of slices: on CPU, XLA's windowed reduction and its gradient take three times as long.

    Raises:
        UserError: there are no 2 × 2 pixels.
    """
    height, width = (size - size % 2 for size in images.shape[1:3])
    if not height or not width:
        raise UserError(
            "the images are too small for the network: too few pixels are left to pool over, so choose "
            "larger images or a network with fewer stages."
        )
    rows = maximum(images[:, 0:height:2], images[:, 1:height:2])
    return maximum(rows[:, :, 0:width:2], rows[:, :, 1:width:2])


def head(model: Model, units: jax.Array, classes: int, train: bool) -> jax.Array:
    """Hidden fully-connected layers with ReLU, each followed by dropout where there is any, and the output.

    The paper does not say where its dropout lies; after hidden fully-connected layers is where Srivastava et
    al. (2014), whom it follows, and most since put it.
    """
    for index, width in enumerate(model.widths, start=1):
        units = nn.relu(dense(model, width, f"fc{index}")(units))
        units = nn.Dropout(model.dropout, deterministic=not train)(units)
    return dense(model, classes, "output")(units)


def channels_of(model: Model, own: tuple[int, ...]) -> tuple[int, ...]:
    """The channels of each stage: the configuration's, else the network's own.

    Raises:
        UserError: they are not as many as the network's stages.
    """
    if model.channels is not None and len(model.channels) != len(own):
        raise UserError(
            f"model.channels of {model.name} needs a number for each stage, {len(own)} in all, "
            f"not {model.channels}."
        )
    return own if model.channels is None else model.channels
