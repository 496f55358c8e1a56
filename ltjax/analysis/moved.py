"""How masks moved while lanes trained: how many of the weights that a lane began with are still there."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ltjax.analysis.analyses import ANALYSES
from ltjax.analysis.lanes import FinishedLane
from ltjax.sparsity import masks


@ANALYSES.register("mask_moved")
def mask_moved(lanes: Sequence[FinishedLane]) -> pd.DataFrame:
    """How many of the weights that a mask began with are still there, and how many are new, by layer.

    A row for each lane and layer, and one, of layer "", for all together. Columns: who the lane is;
    ``percent_remaining``; ``layer``; ``weights``, all that it has; ``began``, those at first; ``kept``, those
    at the end; ``stayed``, those of both; ``new``, the others at the end; ``percent_new``, of those kept.
    """
    return pd.DataFrame([row for lane in lanes for row in _rows(lane)])


def _rows(lane: FinishedLane) -> Iterator[dict[str, Any]]:
    kinds = {layer.path for layer in lane.layers if layer.kind is not None}
    before, after = (masks.counted(mask, kinds) for mask in (lane.began, lane.mask))
    counts = {path: _counts(np.asarray(leaf), np.asarray(after[path])) for path, leaf in before.items()}
    counts = {"": tuple(sum(each) for each in zip(*counts.values(), strict=True)), **counts}
    for layer, (weights, began, kept, stayed) in counts.items():
        yield {
            **lane.identity, "percent_remaining": lane.percent_remaining, "layer": layer, "weights": weights,
            "began": began, "kept": kept, "stayed": stayed, "new": kept - stayed,
            "percent_new": masks.percent(kept - stayed, kept) if kept else np.nan,
        }  # fmt: skip


def _counts(before: np.ndarray, after: np.ndarray) -> tuple[int, ...]:
    """All weights of a layer, those before, those after, and those of both."""
    return (before.size, *(int(np.count_nonzero(each)) for each in (before, after, before & after)))
