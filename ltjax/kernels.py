"""Fully-connected kernels in the order of the network, and the connections that their units keep."""

from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from ltjax import masks
from ltjax.types import Mask

Layers: TypeAlias = dict[str, np.ndarray]
"""An array for each fully-connected kernel [inputs, units], by layer, from input to output."""


def layers(tree: Any) -> Layers:
    """The fully-connected kernels of params or a mask: numbered layers in order, then ``output``."""
    found = {path.removesuffix("/kernel"): np.asarray(leaf)
             for path, leaf in masks.kernels(tree).items() if np.ndim(leaf) == 2}  # fmt: skip
    return {name: found[name] for name in sorted(found, key=_place)}


def connections(mask: Mask) -> pd.DataFrame:
    """The connections that every unit keeps: columns ``layer``, ``unit``, ``incoming`` and ``outgoing``.

    The first layer is ``input``, into which nothing leads, as nothing leads out of the last one: there the
    numbers are missing.

    Example:
        >>> connections({"output": {"kernel": np.array([[True], [False]])}})["outgoing"].tolist()[:2]
        [1, 0]
    """
    kernels = layers(mask)
    counts = [np.count_nonzero(kernel, axis=0) for kernel in kernels.values()]
    onward = [np.count_nonzero(kernel, axis=1) for kernel in kernels.values()]
    blocks = [
        pd.DataFrame({"incoming": pd.array(into, "Int64"), "outgoing": pd.array(out, "Int64")})
        for into, out in zip([_none(onward[0]), *counts], [*onward, _none(counts[-1])], strict=True)
    ]
    units = pd.concat(blocks, keys=["input", *kernels], names=["layer", "unit"])
    return units.reset_index()


def _none(like: np.ndarray) -> list[None]:
    return [None] * len(like)


def _place(name: str) -> tuple[bool, int, str]:
    digits = "".join(each for each in name if each.isdigit())
    return name == "output", int(digits or 0), name
