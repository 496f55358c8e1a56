"""Overlap: how many weights two masks share, beside how many they would by chance."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import pandas as pd

from ltjax.analysis.analyses import ANALYSES
from ltjax.analysis.lanes import FinishedLane
from ltjax.core.errors import UserError, shown
from ltjax.sparsity import masks


class Common(NamedTuple):
    """What two masks of a layer have in common, in weights, and what chance would give.

    ``expected`` and ``variance`` are those of masks drawn at random with as many weights each.
    """

    weights: int
    kept: int
    other_kept: int
    common: int
    expected: float
    variance: float


@ANALYSES.register("overlap")
@dataclass(frozen=True)
class Overlap:
    """How much of two masks is common, layer by layer, beside chance."""

    other: Literal["trial", "run"] = "trial"
    """Whose masks are compared: those of an arm's trials, or of the same lane in several runs."""
    needs: ClassVar[str] = "an arm of two trials at least, or two runs and --other run"

    def told(self, table: pd.DataFrame) -> pd.DataFrame:
        """What of a table a terminal shows."""
        return table.drop(columns=["weights", "kept", "other_kept", "overlap", "hamming"])

    def __call__(self, lanes: Sequence[FinishedLane]) -> pd.DataFrame:
        """A row for each pair and layer, and one, of layer "", for all layers together.

        Columns: who the lane is; ``other``; ``percent_remaining``; ``layer``; ``weights``, all that it has;
        ``kept`` and ``other_kept``; ``common``; ``expected``, the common ones of random masks that keep as
        many of each layer; ``z``, by how many standard deviations there are more; ``iou``, common of those
        that either has; ``overlap``, common of the fewer; ``hamming``, the share of weights in which they
        differ.

        Raises:
            UserError: the masks of a pair are of other shapes.
        """
        rows = [row for pair in _pairs(lanes, self.other) for row in _rows(*pair)]
        return pd.DataFrame(rows) if rows else pd.DataFrame(columns=["layer", "z"])


def common(mask: Any, other: Any) -> Common:
    """What two masks of a layer have in common.

    Example:
        >>> common(np.array([True, True, False, False]), np.array([True, False, True, False]))[3:5]
        (1, 1.0)
    """
    mask, other = np.asarray(mask), np.asarray(other)
    size, kept, theirs = mask.size, int(np.count_nonzero(mask)), int(np.count_nonzero(other))
    one, two = kept / size, theirs / size
    # hypergeometric
    variance = one * two * (1 - one) * (1 - two) * size**2 / (size - 1) if size > 1 else 0.0
    return Common(size, kept, theirs, int(np.count_nonzero(mask & other)), one * two * size, variance)


def together(layers: Sequence[Common]) -> Common:
    """Several layers as one; chance keeps to each layer's own density."""
    return Common(*(sum(each) for each in zip(*layers, strict=True)))


def _rows(lane: FinishedLane, other: FinishedLane, what: str) -> Iterator[dict[str, Any]]:
    ours, theirs = _counted(lane), _counted(other)
    for path in (*ours, *theirs):
        if path not in ours or path not in theirs or ours[path].shape != theirs[path].shape:
            raise UserError(
                f"the masks of {lane} and {other} cannot be compared: they differ in {shown(path)}."
            )
    layers = {path: common(mask, theirs[path]) for path, mask in ours.items()}
    told = {**lane.identity, "other": what, "percent_remaining": lane.percent_remaining}
    for layer, found in {"": together(list(layers.values())), **layers}.items():
        yield {**told, "layer": layer, **_measures(found)}


def _counted(lane: FinishedLane) -> Mapping[str, np.ndarray]:
    kinds = {layer.path for layer in lane.layers if layer.kind is not None}
    return {path: np.asarray(leaf) for path, leaf in masks.counted(lane.mask, kinds).items()}


def _measures(found: Common) -> dict[str, Any]:
    either = found.kept + found.other_kept - found.common
    fewer = min(found.kept, found.other_kept)
    return {
        "weights": found.weights, "kept": found.kept, "other_kept": found.other_kept,
        "common": found.common, "expected": found.expected,
        "z": (found.common - found.expected) / np.sqrt(found.variance) if found.variance else np.nan,
        "iou": found.common / either if either else np.nan,
        "overlap": found.common / fewer if fewer else np.nan,
        "hamming": (either - found.common) / found.weights,
    }  # fmt: skip


def _pairs(lanes: Sequence[FinishedLane], which: str) -> Iterator[tuple[FinishedLane, FinishedLane, str]]:
    def alike(lane: FinishedLane) -> tuple[Any, ...]:
        """What both masks of a pair have in common."""
        return (lane.arm, lane.repeat, lane.run if which == "trial" else lane.trial)

    for _, group in itertools.groupby(sorted(lanes, key=alike), key=alike):
        for one, other in itertools.combinations(group, 2):
            yield one, other, f"trial {other.trial}" if which == "trial" else f"run {other.run}"
