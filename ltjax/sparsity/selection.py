"""Pruning: which weights a round removes, to the exact count.

The common threshold (prune where ``|w| <= sorted[k]``) removes k+1 weights and every tie; here a
weight's rank decides, so exactly ``round(rate * alive)`` go. Ranks come from NumPy's stable sort: the
same on every backend, nothing to compile, and a round sorts only once.
"""

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np

from ltjax.core.errors import UserError
from ltjax.core.trees import leaves_by_path, replace_leaves
from ltjax.core.types import Mask
from ltjax.settings.schema import Prune, Rates
from ltjax.sparsity.structures import Group, Structure, layer


def removed(rate: float, alive: int) -> int:
    """Weights that a round removes of ``alive`` ones: ``rate * alive``, half to even.

    Example:
        >>> removed(0.2, 235200), removed(0.5, 5), removed(0.5, 7)
        (47040, 2, 4)
    """
    return round(rate * int(alive))


def drop_lowest(scores: np.ndarray, alive: np.ndarray, number: int) -> np.ndarray:
    """``alive`` less its ``number`` lowest-scoring entries.

    Args:
        scores: floats of any shape; not-a-number counts as highest, as NumPy sorts it.
        alive: bool, the same shape.
        number: entries to drop, at most as many as are alive.

    Returns:
        A new bool array. Of tied entries, those that come first in row-major order are dropped.

    Example:
        >>> drop_lowest(np.array([3.0, 1.0, 1.0, 0.0]), np.array([True, True, True, False]), 1)
        array([ True, False,  True, False])
    """
    positions = np.flatnonzero(alive)
    order = np.argsort(np.ravel(scores)[positions], kind="stable")
    kept = np.array(alive, dtype=bool, copy=True)
    kept.reshape(-1)[positions[order[:number]]] = False
    return kept


def lowest(scores: Any, mask: Mask, numbers: Mapping[Group, int]) -> Mask:
    """``mask`` less the ``numbers`` of lowest-scoring weights; a group's layers are ranked together.

    Args:
        scores: pytree like the mask.
        mask: what is alive now.
        numbers: weights to remove by group; leaves of no group are left alone.
    """
    ranked, alive = leaves_by_path(scores), leaves_by_path(mask)
    kept: dict[str, np.ndarray] = {}
    for group, number in numbers.items():
        together, ranks = (np.concatenate([np.ravel(leaves[path]) for path in group])
                           for leaves in (alive, ranked))  # fmt: skip
        ends = np.cumsum([np.size(alive[path]) for path in group])[:-1]
        parts = np.split(drop_lowest(ranks, together, number), ends)
        kept |= {path: part.reshape(np.shape(alive[path])) for path, part in zip(group, parts, strict=True)}
    return replace_leaves(mask, kept)


def prune(scores: Any, mask: Mask, rates: Mapping[str, float], structure: Structure = layer) -> Mask:
    """One round of pruning: of every group of layers the lowest-scoring weights.

    Args:
        scores: pytree like the mask; the lowest are removed.
        mask: what is alive now.
        rates: fraction of survivors to remove, in (0, 1), by leaf path (``"fc1/kernel"``); leaves not
            named are left alone.
        structure: says which layers are ranked together.

    Raises:
        UserError: a rate names no leaf or lies outside (0, 1), or the structure wants one rate for all.
    """
    _check(rates, mask)
    alive = {path: int(np.count_nonzero(leaf)) for path, leaf in leaves_by_path(mask).items()}
    return lowest(scores, mask, {
        group: removed(rate, sum(alive[path] for path in group))
        for group, rate in structure(rates).items()
    })  # fmt: skip


def rates_by_path(kinds: Mapping[str, str], rates: Rates, own: Sequence[str] = ()) -> dict[str, float]:
    """The rate of every layer that is pruned, by path name.

    Args:
        kinds: the kind of each leaf that counts, by path.
        rates: by kind.
        own: rates by path, such as ``encoder/*=0.1`` or ``embed/*=None``; the first that matches wins.

    Raises:
        UserError: a path matches nothing.

    Example:
        >>> rates_by_path({"fc1/kernel": "fc", "output/kernel": "output"}, Rates(), ["fc*=None"])
        {'output/kernel': 0.1}
    """
    patterns = [each.rpartition("=")[::2] for each in own]
    for pattern, _ in patterns:
        if not fnmatch.filter(kinds, pattern):
            raise UserError(
                f"prune.rate_by_path '{pattern}' matches no layer; there are: {', '.join(kinds)}."
            )

    def rate(path: str, kind: str) -> float | None:
        for pattern, said in patterns:
            if fnmatch.fnmatchcase(path, pattern):
                return None if said == "None" else float(said)
        by_kind: float | None = getattr(rates, kind)
        return by_kind

    found = {path: rate(path, kind) for path, kind in kinds.items()}
    return {path: rate for path, rate in found.items() if rate is not None}


def of_kinds(prune: Prune, kinds: Mapping[str, str]) -> Prune:
    """The settings for a network that has these kinds of layers: the rates of all others are None.

    A schedule that scales rates goes by the greatest, which must be that of a layer that is there.
    """
    absent = {each.name for each in fields(Rates)} - set(kinds.values())
    return replace(prune, rates=replace(prune.rates, **dict.fromkeys(absent)))


def _check(rates: Mapping[str, float], mask: Mask) -> None:
    leaves = leaves_by_path(mask)
    for path, rate in rates.items():
        if path not in leaves:
            raise UserError(f"there is no leaf '{path}' to prune; there are: {', '.join(leaves)}.")
        if not 0 < rate < 1:
            raise UserError(f"the pruning rate of {path} must lie between 0 and 1, not {rate}.")
