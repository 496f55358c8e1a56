"""What arrays must be before anything is trained on them, whichever way they came."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from ltjax.core.errors import UserError
from ltjax.core.trees import leaves_by_path
from ltjax.data.examples import Dataset, is_image, size_of

CHANNELS = (1, 3, 4)
"""How many channels images have: grey, colours, colours and opacity."""


def check_dataset(dataset: Dataset) -> None:
    """Check the arrays of a data set.

    Raises:
        UserError: what is wrong with which array, and what it should be.
    """
    for name, tree in dataset._asdict().items():
        if name.startswith(("train", "test")):
            _check_arrays(name, tree)
    for split in ("train", "test"):
        inputs, targets = getattr(dataset, f"{split}_inputs"), getattr(dataset, f"{split}_targets")
        sizes = {len(leaf) for leaf in jax.tree.leaves((inputs, targets))}
        if len(sizes) > 1 or not sizes.pop():
            raise UserError(
                f"{split}_targets must be one for each of {size_of(inputs)} examples of {split}_inputs, and "
                f"at least one, not {size_of(targets)}."
            )
    for part in ("inputs", "targets"):
        _check_alike(part, getattr(dataset, f"train_{part}"), getattr(dataset, f"test_{part}"))
    _check_images(dataset.train_inputs)
    _check_classes(dataset)
    _check_looks(dataset)


def _check_arrays(name: str, tree: Any) -> None:
    leaves = leaves_by_path(tree)
    if not leaves:
        raise UserError(f"{name} must be an array [examples, ...] or a tree of them, and holds none.")
    for path, leaf in leaves.items():
        where = f"{name}{path and f', leaf {path}'}"
        if not hasattr(leaf, "dtype") or not np.ndim(leaf):
            raise UserError(f"{where} must be an array [examples, ...], not {type(leaf).__name__}.")
        if leaf.dtype.kind not in "biuf" and leaf.dtype.name != "bfloat16":
            raise UserError(f"{where} must hold numbers, not {leaf.dtype}.")
        if leaf.dtype.kind == "f" and not np.isfinite(leaf).all():
            raise UserError(f"{where} must be finite, and {int((~np.isfinite(leaf)).sum())} numbers are not.")


def _check_alike(part: str, train: Any, test: Any) -> None:
    """Check that test arrays are those of the training split but for the number of examples."""
    ours, theirs = leaves_by_path(train), leaves_by_path(test)
    for path in {**ours, **theirs}:
        one, other = (None if each.get(path) is None else (each[path].shape[1:], each[path].dtype.kind)
                      for each in (ours, theirs))  # fmt: skip
        if one != other:
            at = f" in leaf {path}" if path else ""
            told = "shape or dtype" if one and other else "structure"
            raise UserError(
                f"train_{part} and test_{part} differ in {told}{at}: {_told(ours.get(path))} and "
                f"{_told(theirs.get(path))}."
            )


def _told(leaf: Any) -> str:
    return "nothing" if leaf is None else f"{leaf.dtype} {list(leaf.shape[1:])} an example"


def _check_images(inputs: Any) -> None:
    """Check that images have their channels last."""
    leaf = jax.tree.leaves(inputs)[0]
    if is_image(leaf) and leaf.shape[1] in CHANNELS and leaf.shape[3] not in CHANNELS:
        raise UserError(
            f"images must be [examples, height, width, channels], and {list(leaf.shape)} have their channels "
            "first; np.moveaxis(images, 1, -1) puts them last."
        )


def _check_classes(dataset: Dataset) -> None:
    """Check that classes are whole numbers below how many there are."""
    if dataset.classes is None:
        return
    for split in ("train", "test"):
        targets = np.asarray(jax.tree.leaves(getattr(dataset, f"{split}_targets"))[0])
        whole = targets.dtype.kind in "iu"
        if whole and not 0 <= targets.min() <= targets.max() < dataset.classes:
            raise UserError(f"{split}_targets must be whole numbers from 0 to {dataset.classes - 1}.")


def _check_looks(dataset: Dataset) -> None:
    """Check that means and standard deviations are numbers that inputs can be standardised by."""
    leaves = jax.tree.leaves(dataset.train_inputs)
    for name, given in (("mean", dataset.mean), ("std", dataset.std)):
        if given is None:
            continue
        numbers = np.atleast_1d(np.asarray(given, np.float64))
        last = leaves[0].shape[-1] if len(leaves) == 1 and leaves[0].ndim > 1 else 1
        if len(leaves) > 1 or numbers.ndim != 1 or len(numbers) not in (1, last):
            raise UserError(
                f"{name} must be one number, or one for each of {last} channels, not {_list(given)}."
            )
        if not np.isfinite(numbers).all() or (name == "std" and not (numbers > 0).all()):
            raise UserError(
                f"{name} must be {'positive' if name == 'std' else 'finite'}, not {_list(given)}."
            )


def _list(given: Sequence[float]) -> str:
    return str(np.asarray(given).tolist())
