"""Sparse networks: kernels in compressed sparse rows (CSR), in a file and in a product; SciPy's only user.

A kernel is stored as the matrix [outputs, inputs], a convolution's inputs being those of its window by
height, width and channel: the orientation of PyTorch's weights, and that in which CSR times a batch is
fast. Its tensors are ``NAME/values``, ``NAME/columns``, ``NAME/starts`` (of rows, one more than there are)
and ``NAME/shape`` (of the kernel); everything else is stored as it is.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from ltjax.core.trees import leaves_by_path, nested
from ltjax.core.types import Mask, Params
from ltjax.export.folded import Plain, patch_product
from ltjax.models.wiring import Step, Wiring, forward
from ltjax.sparsity import masks

INDICES = (np.uint8, np.int16, np.int32)
"""The types of columns and starts, of which the smallest that will do is taken; PyTorch has all of them."""

PATCHES = 2**26
"""Bytes of a convolution's patches that are multiplied at once: 512 images of Conv-2 would have 1.2 GB."""


def to_sparse(params: Params, mask: Mask) -> dict[str, Any]:
    """Params whose kernels are in CSR: surviving weights alone, those that are 0 among them."""
    found: dict[str, Any] = {}
    kept = masks.kernels(mask)
    for path, leaf in leaves_by_path(params).items():
        if path not in kept:
            found[path] = np.asarray(leaf)
            continue
        outputs = np.shape(leaf)[-1]
        rows = np.asarray(kept[path]).reshape(-1, outputs).T
        starts = np.concatenate([[0], np.cumsum(rows.sum(axis=1))])
        found[f"{path}/values"] = np.asarray(leaf).reshape(-1, outputs).T[rows]
        found[f"{path}/columns"] = np.nonzero(rows)[1].astype(_indices(rows.shape[1] - 1))
        found[f"{path}/starts"] = starts.astype(_indices(starts[-1]))
        found[f"{path}/shape"] = np.array(np.shape(leaf), np.int32)
    return nested(found)


def _indices(largest: int) -> type[np.integer[Any]]:
    return next(dtype for dtype in INDICES if largest <= np.iinfo(dtype).max)


def from_sparse(tree: Mapping[str, Any]) -> tuple[Params, Mask]:
    """The params, to the bit with pruned weights at 0, and the mask: the inverse of ``to_sparse``."""
    leaves = leaves_by_path(tree)
    params, mask = {}, {}
    for path in dict.fromkeys(_of(path) for path in leaves):
        if f"{path}/values" not in leaves:
            params[path], mask[path] = leaves[path], np.ones(np.shape(leaves[path]), bool)
            continue
        values, columns, starts, shape = (leaves[f"{path}/{part}"] for part in PARTS)
        rows = np.zeros((shape[-1], math.prod(shape[:-1])), bool)
        rows[np.repeat(np.arange(shape[-1]), np.diff(starts.astype(np.int64))), columns] = True
        weights = np.zeros(rows.shape, values.dtype)
        weights[rows] = values
        params[path], mask[path] = (np.ascontiguousarray(each.T).reshape(shape) for each in (weights, rows))
    return nested(params), nested(mask)


PARTS = ("values", "columns", "starts", "shape")


def _of(path: str) -> str:
    """The path of the leaf that a stored tensor is of, or is part of."""
    before, _, last = path.rpartition("/")
    return before if last in PARTS and masks.is_kernel(before) else path


def csr_logits(wiring: Wiring, network: Plain) -> Callable[[np.ndarray], np.ndarray]:
    """A plain network whose kernels are CSR matrices of SciPy's: images [batch, …] to logits, on the CPU.

    In float32; SciPy multiplies on one core. A convolution is the product with each pixel's patch.
    """
    matrices = {name: csr_array(layer.kernel.reshape(-1, layer.kernel.shape[-1]).T)
                for name, layer in network.layers.items()}  # fmt: skip

    def layer(step: Step, inputs: np.ndarray) -> np.ndarray:
        own, matrix = network.layers[step.name], matrices[step.name]
        most = max(1, PATCHES // (4 * matrix.shape[1] * math.prod(inputs.shape[1:-1])))
        parts = [
            patch_product(step, inputs[at : at + most], own.kernel.shape, lambda rows: (matrix @ rows.T).T)
            for at in range(0, len(inputs), most)
        ]
        return np.concatenate(parts) + own.bias

    return lambda images: np.asarray(forward(wiring, images, layer, np.maximum, network.kept)[-1])
