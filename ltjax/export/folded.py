"""Plain networks in NumPy: a convolution is the product of each pixel's patch with the kernel as a matrix.

So any matrix will do, a sparse one too, and nothing is compiled.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ltjax.core.errors import UserError
from ltjax.core.trees import leaves_by_path, nested
from ltjax.core.types import Params
from ltjax.models import Collections
from ltjax.models.convolution import convolve
from ltjax.models.wiring import Step, Wiring, forward
from ltjax.sparsity import masks


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


def patch_values(wiring: Wiring, network: Plain, images: np.ndarray) -> list[np.ndarray]:
    """The values of all steps in float64 on images [batch, height, width, channels], the logits last."""

    def layer(step: Step, inputs: np.ndarray) -> np.ndarray:
        return patch_linear(step, inputs, network.layers[step.name].kernel) + network.layers[step.name].bias

    return forward(wiring, images.astype(np.float64), layer, np.maximum, network.kept)


def patch_linear(step: Step, inputs: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """A layer's product with its kernel alone, in float64."""
    matrix = kernel.reshape(-1, kernel.shape[-1]).astype(np.float64)
    return patch_product(step, inputs, kernel.shape, lambda rows: rows @ matrix)


def patch_product(
    step: Step, inputs: np.ndarray, shape: tuple[int, ...], times: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """A layer's product with a kernel of that shape.

    Args:
        step: the layer, for its strides.
        inputs: units [batch, inputs] or images [batch, height, width, inputs].
        shape: the kernel's, [inputs, outputs] or [height, width, inputs, outputs].
        times: multiplies rows [any, height · width · inputs] by the kernel as a matrix.
    """
    if len(shape) == 2:
        return times(inputs)
    rows = patches(inputs, shape[:2], step.strides)
    return times(rows.reshape(-1, rows.shape[-1])).reshape(*rows.shape[:3], shape[-1])


def patches(images: np.ndarray, window: tuple[int, ...], strides: int) -> np.ndarray:
    """What lies under a window around each pixel, beyond the border 0: padding ``SAME`` of XLA and Flax.

    Args:
        images: [batch, height, width, channels].
        window: height and width.
        strides: pixels from one place of the window to the next.

    Returns:
        [batch, height / strides, width / strides, window's height · width · channels], sizes rounded up.
    """
    pads = [(0, 0)]
    for size, reach in zip(images.shape[1:3], window, strict=True):
        total = max((math.ceil(size / strides) - 1) * strides + reach - size, 0)
        pads.append((total // 2, total - total // 2))
    padded = np.pad(images, [*pads, (0, 0)])
    found = np.lib.stride_tricks.sliding_window_view(padded, window, axis=(1, 2))
    found = found[:, ::strides, ::strides].transpose(0, 1, 2, 4, 5, 3)
    return np.ascontiguousarray(found).reshape(*found.shape[:3], math.prod(found.shape[3:]))
