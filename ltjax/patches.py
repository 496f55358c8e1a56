"""Plain networks in NumPy: a convolution is the product of each pixel's patch with the kernel as a matrix.

So any matrix will do, a sparse one too, and nothing is compiled.
"""

import math
from collections.abc import Callable

import numpy as np

from ltjax.models.wiring import Step, Wiring, forward
from ltjax.plain import Plain


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
