"""Plain networks: nothing but kernels and biases, by a wiring; what is compacted, and what runs it.

A BatchNorm in evaluation is a product and a sum per channel, so it goes into the kernel and bias before it.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ltjax import masks
from ltjax.convolution import convolve
from ltjax.errors import UserError
from ltjax.models import Collections
from ltjax.models.wiring import Step, Wiring, forward
from ltjax.trees import leaves_by_path, nested
from ltjax.types import Params


class Layer(NamedTuple):
    """A kernel [inputs, outputs] or [height, width, inputs, outputs], and its bias [outputs].

    A convolution's bias may be an image of its own, [height, width, outputs]: see ``compaction``.
    """

    kernel: Any
    bias: Any


class Plain(NamedTuple):
    """A network's layers by name, and which entries of an axis are kept, where not all are.

    ``kept`` has the indices of the images' channels (``images``) and of pixels or features in the flattened
    axis (``flat``); each is absent where nothing is left out. Leaves are arrays: a pytree.
    """

    layers: dict[str, Layer]
    kept: dict[str, Any]


def plain(wiring: Wiring, params: Params, collections: Collections) -> Plain:
    """The plain network of params (pruned weights at 0) and BatchNorm's statistics; float32.

    Raises:
        UserError: the wiring does not name the network's layers.
    """
    leaves = leaves_by_path({**collections, "params": params})
    own = [path.removesuffix("/kernel") for path in masks.kernels(params)]
    if wrong := sorted(set(own) ^ {step.name for step in wiring.layers}):
        raise UserError(f"the wiring and the network do not have the same layers: '{wrong[0]}'")
    return Plain({step.name: _layer(step, leaves) for step in wiring.layers}, {})


def _layer(step: Step, leaves: Mapping[str, Any]) -> Layer:
    """In float64, because a channel that never varied is divided by nearly 0."""

    def find(collection: str, name: str, default: float) -> np.ndarray:
        found = leaves.get(f"{collection}/{name}")
        return np.full(kernel.shape[-1], default) if found is None else np.asarray(found, np.float64)

    kernel = np.asarray(leaves[f"params/{step.name}/kernel"], np.float64)
    bias = find("params", f"{step.name}/bias", 0)
    if step.norm:
        mean, variance = (
            find("batch_stats", f"{step.norm}/{name}", at) for name, at in (("mean", 0), ("var", 1))
        )
        factor = find("params", f"{step.norm}/scale", 1) / np.sqrt(variance + step.epsilon)
        kernel, bias = kernel * factor, (bias - mean) * factor + find("params", f"{step.norm}/bias", 0)
    return Layer(kernel.astype(np.float32), bias.astype(np.float32))


def values(wiring: Wiring, network: Plain, images: jax.Array) -> list[jax.Array]:
    """The values of all steps on images [batch, height, width, channels], the logits last; pure."""

    def layer(step: Step, inputs: jax.Array) -> jax.Array:
        kernel, bias = network.layers[step.name]
        found = linear(step, inputs, kernel)
        return found + jnp.reshape(bias, (1,) * (found.ndim - bias.ndim) + bias.shape)

    return forward(wiring, images, layer, jnp.maximum, network.kept)


def linear(step: Step, inputs: jax.Array, kernel: Any) -> jax.Array:
    """A layer's product with its kernel alone."""
    if kernel.ndim == 4:
        return convolve(inputs, jnp.asarray(kernel), (step.strides, step.strides))
    return inputs @ kernel


def logits(wiring: Wiring, network: Plain, images: jax.Array) -> jax.Array:
    """Logits [batch, classes] of images [batch, height, width, channels]; pure, float32."""
    return values(wiring, network, images)[-1]


def to_tree(network: Plain) -> dict[str, Any]:
    """A plain network as nested dictionaries: ``NAME/kernel`` and ``NAME/bias``, ``AXIS/kept``."""
    leaves = {f"{name}/{leaf}": value for name, layer in network.layers.items()
              for leaf, value in layer._asdict().items()}  # fmt: skip
    return nested({**leaves, **{f"{axis}/kept": indices for axis, indices in network.kept.items()}})


def from_tree(tree: Mapping[str, Any]) -> Plain:
    """The inverse of ``to_tree``."""
    leaves = leaves_by_path(tree)
    names = [path.removesuffix("/kernel") for path in leaves if masks.is_kernel(path)]
    kept = {path.removesuffix("/kept"): leaf for path, leaf in leaves.items() if path.endswith("/kept")}
    return Plain({name: Layer(leaves[f"{name}/kernel"], leaves[f"{name}/bias"]) for name in names}, kept)
