"""Pruning: which weights a round removes, to the exact count.

The common threshold (prune where ``|w| <= sorted[k]``) removes k+1 weights and every tie; here a
weight's rank decides, so exactly ``round(rate * alive)`` go. Ranks come from NumPy's stable sort: the
same on every backend, nothing to compile, and a round sorts only once.
"""

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, TypeAlias

import numpy as np

from ltjax.core.errors import UserError
from ltjax.core.trees import leaves_by_path, replace_leaves
from ltjax.core.types import Mask
from ltjax.settings.schema import Prune, Rates

Group: TypeAlias = tuple[str, ...]
"""Path names of layers whose weights are ranked together."""


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


def highest(scores: Any, mask: Mask, kept: Mapping[Group, int]) -> Mask:
    """The mask that keeps of each group of layers as many of its highest-scoring weights.

    Args:
        scores: pytree like the mask.
        mask: what is alive now.
        kept: weights to keep by group, whose layers are ranked together; leaves of no group are left alone.
    """
    ranked, alive = leaves_by_path(scores), leaves_by_path(mask)
    found: dict[str, np.ndarray] = {}
    for group, number in kept.items():
        together, ranks = (np.concatenate([np.ravel(leaves[path]) for path in group])
                           for leaves in (alive, ranked))  # fmt: skip
        ends = np.cumsum([np.size(alive[path]) for path in group])[:-1]
        gone = int(np.count_nonzero(together)) - number
        parts = np.split(drop_lowest(ranks, together, gone), ends)
        found |= {path: part.reshape(np.shape(alive[path])) for path, part in zip(group, parts, strict=True)}
    return replace_leaves(mask, found)


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
