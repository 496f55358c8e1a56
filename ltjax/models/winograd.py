"""Winograd's convolution of 3 × 3 at stride 1: fewer products, of transformed tiles (Lavin & Gray, 2015).

A tile of outputs, m × m, takes (m + 2)² products of each pair of channels in place of 9 m²: 2.25 times fewer
for m = 2, four times fewer for m = 4, whose constants round more. The products of all tiles are one matrix
product for each place in a tile. A few images at a time, so that their tiles stay in the cache; transforms
are sums of slices, with barriers between their two halves because XLA would compute the first anew for each
use of it, and what comes out is written into place: a concatenation takes three times as long.
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax


class Transform(NamedTuple):
    """F(m × m, 3 × 3): how tiles of images [t, t], kernels [t, 3] and outputs [m, t] are made, t = m + 2."""

    images: np.ndarray
    kernel: np.ndarray
    outputs: np.ndarray


TRANSFORMS = {
    2: Transform(
        np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]]),
        np.array([[1, 0, 0], [1 / 2, 1 / 2, 1 / 2], [1 / 2, -1 / 2, 1 / 2], [0, 0, 1]]),
        np.array([[1, 1, 1, 0], [0, 1, -1, -1]]),
    ),
    4: Transform(
        np.array([
            [4, 0, -5, 0, 1, 0], [0, -4, -4, 1, 1, 0], [0, 4, -4, -1, 1, 0],
            [0, -2, -1, 2, 1, 0], [0, 2, -1, -2, 1, 0], [0, 4, 0, -5, 0, 1],
        ]),
        np.array([
            [1 / 4, 0, 0], [-1 / 6, -1 / 6, -1 / 6], [-1 / 6, 1 / 6, -1 / 6],
            [1 / 24, 1 / 12, 1 / 6], [1 / 24, -1 / 12, 1 / 6], [0, 0, 1],
        ]),
        np.array([[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]]),
    ),
}  # fmt: skip
"""By the side of a tile of outputs."""

ROWS, ROWS_OF_KERNEL = 512, 128
"""Tiles that are transformed and multiplied at once, about; of a kernel's gradient they are larger."""


Shape: TypeAlias = tuple[int, ...]
Arrays: TypeAlias = tuple[jax.Array, jax.Array]


def forward_pays(images: Shape, kernel: Shape) -> bool:
    """Whether images [n, height, width, in] and a kernel [3, 3, in, out] are convolved faster so, on CPU."""
    _, height, width, _ = images
    return height % 2 == width % 2 == 0 and height * width >= 256 and min(kernel[2:]) >= 64


def kernel_pays(images: Shape, gradient: Shape) -> bool:
    """Whether the kernel's gradient is faster so, on CPU; from images and the gradient of the output."""
    _, height, width, inputs = images
    return height % 2 == width % 2 == 0 and height * width >= 16 and min(inputs, gradient[3]) >= 32


def forward(images: jax.Array, kernel: jax.Array) -> jax.Array:
    """The convolution of images [n, height, width, in], padded by 1, with a kernel [3, 3, in, out]."""
    n, height, width, _ = images.shape
    m, outputs = 2, kernel.shape[3]
    transform, down, across = TRANSFORMS[m], height // m, width // m
    block = _block(n, down * across, ROWS)
    kernels = _kernel_tiles(transform, kernel)

    def add(found: jax.Array, each: Arrays) -> tuple[jax.Array, None]:
        begin, seen = each
        products = [[tile @ by for tile, by in zip(*rows, strict=True)]
                    for rows in zip(_image_tiles(transform, seen), kernels, strict=True)]  # fmt: skip
        for top, row in enumerate(_output_tiles(transform, products)):
            for left, pixels in enumerate(row):
                placed = pixels.reshape(block, down, 1, across, 1, outputs)
                found = lax.dynamic_update_slice(found, placed, (begin, 0, top, 0, left, 0))
        return found, None

    empty = jnp.zeros((n, down, m, across, m, outputs), images.dtype)
    found, _ = lax.scan(add, empty, (jnp.arange(0, n, block), _split(images, block)))
    return found.reshape(n, height, width, outputs)


def toward_images(gradient: jax.Array, kernel: jax.Array) -> jax.Array:
    """The gradient of the images: the same of it and the flipped kernel, channels swapped."""
    return forward(gradient, jnp.swapaxes(kernel[::-1, ::-1], 2, 3))


def toward_kernel(images: jax.Array, gradient: jax.Array) -> jax.Array:
    """The gradient of the kernel: products of tiles of images and of the gradient, summed over all tiles."""
    n, height, width, inputs = images.shape
    m, outputs = 4 if height % 4 == width % 4 == 0 and height * width >= 64 else 2, gradient.shape[3]
    transform = TRANSFORMS[m]
    block = _block(n, height * width // m**2, ROWS_OF_KERNEL)

    def add(sums: list[jax.Array], each: Arrays) -> tuple[list[jax.Array], None]:
        seen, back = _image_tiles(transform, each[0]), _gradient_tiles(transform, each[1])
        tiles = zip(itertools.chain(*seen), itertools.chain(*back), strict=True)
        return [sum + one.T @ other for sum, (one, other) in zip(sums, tiles, strict=True)], None

    zeros = [jnp.zeros((inputs, outputs), images.dtype)] * (m + 2) ** 2
    sums, _ = lax.scan(add, zeros, (_split(images, block), _split(gradient, block)))
    by = jnp.asarray(transform.kernel, images.dtype)
    square = jnp.stack(sums).reshape(m + 2, m + 2, inputs, outputs)
    return jnp.einsum("ia,jb,ijco->abco", by, by, square, precision="highest")


def _kernel_tiles(transform: Transform, kernel: jax.Array) -> list[list[jax.Array]]:
    """By place in a tile, t × t: a kernel [3, 3, in, out] as [in, out], each an array of its own."""
    by, t = jnp.asarray(transform.kernel, kernel.dtype), len(transform.kernel)
    tiles = jnp.einsum("ia,jb,abco->ijco", by, by, kernel, precision="highest")
    return lax.optimization_barrier([[tiles[i, j] for j in range(t)] for i in range(t)])


def _image_tiles(transform: Transform, images: jax.Array) -> list[list[jax.Array]]:
    """By place in a tile, t × t: images [n, height, width, in] as [tiles, in]; tiles overlap by two."""
    t, (_, height, width, inputs) = len(transform.images), images.shape
    m = t - 2
    padded = lax.optimization_barrier(jnp.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0))))
    rows = [padded[:, top : top + height - m + 1 : m] for top in range(t)]
    found = []
    for row in lax.optimization_barrier(_sums(transform.images, rows)):
        columns = [row[:, :, left : left + width - m + 1 : m].reshape(-1, inputs) for left in range(t)]
        found.append(_sums(transform.images, columns))
    return found


def _gradient_tiles(transform: Transform, gradient: jax.Array) -> list[list[jax.Array]]:
    """By place in a tile, t × t: a gradient [n, height, width, out] as [tiles, out]; tiles do not overlap."""
    m, outputs = len(transform.outputs), gradient.shape[3]
    rows = [gradient[:, top::m] for top in range(m)]
    found = []
    for row in lax.optimization_barrier(_sums(transform.outputs.T, rows)):
        columns = [row[:, :, left::m].reshape(-1, outputs) for left in range(m)]
        found.append(_sums(transform.outputs.T, columns))
    return found


def _output_tiles(transform: Transform, products: Sequence[Sequence[jax.Array]]) -> list[list[jax.Array]]:
    """By pixel of a tile of outputs, m × m, what its t × t products add up to."""
    columns = [_sums(transform.outputs, column) for column in zip(*products, strict=True)]
    rows = lax.optimization_barrier(list(zip(*columns, strict=True)))
    return [_sums(transform.outputs, row) for row in rows]


def _sums(matrix: np.ndarray, parts: Sequence[jax.Array]) -> list[jax.Array]:
    """A matrix of numbers times a vector of arrays."""
    return [_sum([(float(by), part) for by, part in zip(row, parts, strict=True) if by]) for row in matrix]


def _sum(terms: Sequence[tuple[float, jax.Array]]) -> jax.Array:
    (by, part), *rest = sorted(
        terms, key=lambda term: term[0] < 0
    )  # begins with a positive one if there is any
    found = _times(by, part)
    for by, part in rest:
        found = found - _times(-by, part) if by < 0 else found + _times(by, part)
    return found


def _times(by: float, part: jax.Array) -> jax.Array:
    return part if by == 1 else part * by


def _block(n: int, tiles: int, rows: int) -> int:
    """How many of ``n`` images, each of so many tiles, are computed at once: a divisor of n."""
    return next(size for size in range(max(1, min(n, rows // tiles)), 0, -1) if n % size == 0)


def _split(images: jax.Array, block: int) -> jax.Array:
    return images.reshape(-1, block, *images.shape[1:])
