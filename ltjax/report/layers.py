"""What a page tells of a network's layers: what is pruned of each, how much is kept, and what is cut off."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ltjax.analysis import cut_off
from ltjax.analysis.results import Results
from ltjax.core.errors import UserError
from ltjax.core.types import Lane
from ltjax.lottery.layers import Layer
from ltjax.runs import paths
from ltjax.runs.folder import Run
from ltjax.sparsity import masks
from ltjax.training.tasks import task_of

SHOWN = 6
"""Most rounds that the table has, spread over those there are; the first and the last are among them."""


class Row(NamedTuple):
    """A layer that counts: what it is, and its weights kept in each shown round, a mean over trials."""

    path: str
    shape: str
    kind: str
    rate: str
    kept: list[str]


class Layers(NamedTuple):
    """A run's layers; ``never`` says what is neither pruned nor counted, ``cut`` what is cut off."""

    rounds: list[int]
    rows: list[Row]
    never: str
    cut: str


def layers(run: Results) -> Layers | None:
    """The table of a run; None of one that does not tell its layers.

    Raises:
        UserError: a checkpoint is damaged.
    """
    counted = [each for each in run.learned.layers if each.kind is not None]
    if not counted:
        return None
    stored = Run(run.folder) if paths.rounds(run.folder).is_dir() else None
    rounds = _spread(sorted(stored.parts)) if stored else []
    kept = [_kept(stored, round, counted) for round in rounds] if stored else []
    rows = [Row(each.path, _shape(each), str(each.kind), "whole" if each.rate is None else f"{each.rate:g}",
                [left[each.path] for left in kept]) for each in counted]  # fmt: skip
    return Layers(rounds, rows, _never(run.learned.layers), _cut(run, stored) if stored else "")


def _spread(rounds: Sequence[int]) -> list[int]:
    places = np.linspace(0, len(rounds) - 1, min(SHOWN, len(rounds))).round().astype(int)
    return [rounds[at] for at in places.tolist()]


def _kept(run: Run, round: int, counted: Sequence[Layer]) -> dict[str, str]:
    """The weights that tickets keep of each layer in a round, a mean over trials."""
    tickets: list[Lane] = sorted(lane for lane in run.lanes(round) if lane.arm == "ticket")
    own = [masks.counted(run.mask(round, lane), [each.path for each in counted]) for lane in tickets]
    return {each.path: f"{np.mean([np.count_nonzero(mask[each.path]) for mask in own]):,.0f}" if own else "–"
            for each in counted}  # fmt: skip


def _shape(layer: Layer) -> str:
    return " × ".join(map(str, layer.shape))


def _never(every: Sequence[Layer]) -> str:
    rest = [each for each in every if each.kind is None]
    return (
        f"{sum(each.weights for each in rest):,} numbers in {', '.join(each.path for each in rest)}"
        * bool(rest)
    )


def _cut(run: Results, stored: Run) -> str:
    try:
        task = task_of(run.experiment)
    except UserError:  # a user's own, whose code a report does not run
        task = None
    return cut_off.told(cut_off.cut_off(stored, run.learned.layers, task))
