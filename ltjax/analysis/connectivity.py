"""Linear mode connectivity: loss and metric on the line between two trained networks.

Two networks that train from one start and differ in the order of their data tell whether training is stable
there (Frankle et al. 2020, "Linear mode connectivity and the lottery ticket hypothesis"): ``train.repeat`` of
``("order",)`` and two repeats of an arm make such copies.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

import jax
import numpy as np
import pandas as pd

from ltjax.analysis.analyses import ANALYSES
from ltjax.analysis.evaluation import SPLITS
from ltjax.analysis.lanes import FinishedLane
from ltjax.core.errors import UserError, shown
from ltjax.core.trees import leaves_by_path
from ltjax.core.types import Start
from ltjax.settings.bounds import whole
from ltjax.training.metrics import METRICS, shown_of

Other: TypeAlias = Literal["repeat", "before", "dense", "run"]

Pair: TypeAlias = tuple[FinishedLane, FinishedLane, str]
"""Two lanes, and what the second one is to the first."""


@ANALYSES.register("connectivity")
@dataclass(frozen=True)
class Connectivity:
    """Loss and metric on the line between two trained networks (Frankle et al. 2020).

    Params are interpolated, with what is pruned as 0; so between two rounds the line lies in the denser mask.
    """

    other: Other = "repeat"
    """The other end: other repeats of the lane, its ticket a round before, the dense network, or the same
    lane of another run."""
    alphas: Annotated[int, whole(2, 1001)] = 30
    """Points of the line, evenly spaced, its ends among them; a few underestimate a barrier."""
    at: tuple[float, ...] = ()
    """Points of your own in place of these: 0, 1 and others between."""
    splits: tuple[Literal["train", "validation", "test"], ...] = ("train", "test")
    """What is measured on."""
    statistics: Literal["interpolated", "recomputed"] = "interpolated"
    """BatchNorm's, between the ends: interpolated too, or recomputed at each point by one pass over the
    training split, which gives lower barriers."""

    def __post_init__(self) -> None:
        if self.at and {min(self.at), max(self.at)} != {0, 1}:
            raise UserError(f"at must have both ends, 0 and 1, and points between them, not {list(self.at)}.")

    def __call__(self, lanes: Sequence[FinishedLane]) -> pd.DataFrame:
        """A row for each pair, point and split.

        Columns: who the lane is; ``other``, what the other end is; ``percent_remaining``; ``same_mask``,
        whether both have one; ``distance``, the Euclidean one; ``statistics``; ``split``; ``alpha``, 0 at the
        lane and 1 at the other; ``loss``; and the metric by its name.

        Raises:
            UserError: the lanes of a pair have other shapes.
        """
        points = self.points()
        tables = [self._line(pair, points) for pair in _pairs(lanes, self.other)]
        return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=["alpha", "split"])

    def points(self) -> np.ndarray:
        """The points of a line, 0 first and 1 last."""
        return np.unique(self.at) if self.at else np.linspace(0, 1, self.alphas)

    def _line(self, pair: Pair, points: np.ndarray) -> pd.DataFrame:
        lane, other, what = pair
        ends = lane.trained, other.trained
        _check_alike(lane, other, *ends)
        starts = [between(*ends, point) for point in points]
        if self.statistics == "recomputed":
            starts = lane.refreshed(starts)
        told = {
            **lane.identity, "other": what, "percent_remaining": lane.percent_remaining,
            "same_mask": _equal(lane.mask, other.mask), "distance": distance(*ends),
            "statistics": self.statistics,
        }  # fmt: skip
        return pd.DataFrame([
            {**told, "split": split, "alpha": float(point), "loss": found.loss, found.metric: found.value}
            for split in SPLITS if split in self.splits
            for point, found in zip(points, lane.measure(starts, split), strict=True)
        ])  # fmt: skip

    needs: ClassVar[str] = "pairs of lanes whose trained params were kept, such as --arms.ticket 2 has"

    def told(self, table: pd.DataFrame) -> pd.DataFrame:
        """The barriers, by which a terminal shows a table."""
        return barriers(table)


@ANALYSES.register("connectivity_before")
@dataclass(frozen=True)
class Before(Connectivity):
    """As connectivity, between a lane and the same lane a round before (Paul et al. 2023)."""

    other: Other = "before"


@ANALYSES.register("connectivity_dense")
@dataclass(frozen=True)
class Dense(Connectivity):
    """As connectivity, between a lane and the dense network of its arm and trial."""

    other: Other = "dense"


def between(one: Start, other: Start, alpha: float) -> Start:
    """The network at a point of the line: params and state, what is not a float as in the first.

    Example:
        >>> ends = Start({"w": np.float32([0])}, {}), Start({"w": np.float32([4])}, {})
        >>> between(*ends, 0.25).params["w"].tolist()
        [1.0]
    """

    def point(mine: Any, yours: Any) -> Any:
        """One leaf at the point."""
        mine, yours = np.asarray(mine), np.asarray(yours)
        if not np.issubdtype(mine.dtype, np.floating) or alpha == 0:
            return mine
        # the ends to the bit
        return yours if alpha == 1 else ((1 - alpha) * mine + alpha * yours).astype(mine.dtype)

    return jax.tree.map(point, one, other)


def distance(one: Start, other: Start) -> float:
    """The Euclidean distance between two networks' params."""
    squares = [
        np.sum(np.square(np.asarray(mine, np.float64) - np.asarray(yours, np.float64)))
        for mine, yours in zip(jax.tree.leaves(one.params), jax.tree.leaves(other.params), strict=True)
    ]
    return float(np.sqrt(sum(squares)))


def barriers(table: pd.DataFrame) -> pd.DataFrame:
    """How much worse the worst point of each line is than the mean of its ends (Frankle et al. 2020).

    Columns: those that tell the line, then ``loss_barrier`` and one of the metric, of accuracy in fractions
    of 1. Of the loss it is the greatest less the ends' mean, of a metric of which more is better the ends'
    mean less the least.

    Args:
        table: of ``Connectivity``.

    Example:
        >>> line = pd.DataFrame({"arm": "ticket", "alpha": [0, 0.5, 1], "loss": [1.0, 4.0, 2.0]})
        >>> barriers(line)["loss_barrier"].tolist()
        [2.5]
    """
    if table.empty:
        return table
    columns = list(table.columns)
    line, values = columns[: columns.index("alpha")], columns[columns.index("alpha") + 1 :]
    found = table.sort_values("alpha", kind="stable").groupby(line, sort=False, dropna=False)[values].agg(
        ["first", "last", "min", "max"]
    )  # fmt: skip
    worse = {}
    for name in values:
        ends = (found[name]["first"] + found[name]["last"]) / 2
        more = name in METRICS and shown_of(name).higher_is_better
        worse[f"{name}_barrier"] = ends - found[name]["min"] if more else found[name]["max"] - ends
    return pd.DataFrame(worse).reset_index()


def _pairs(lanes: Sequence[FinishedLane], which: str) -> Iterator[Pair]:
    """The pairs of lanes whose trained params were kept."""
    kept = [lane for lane in lanes if lane.kept]
    if which in ("before", "dense"):
        for lane in kept:
            other = lane.before if which == "before" else lane.at(0)
            if other and other.round < lane.round and other.kept:
                yield lane, other, f"round {other.round}"
        return

    def alike(lane: FinishedLane) -> tuple[Any, ...]:
        """What both ends of a line have in common."""
        return (lane.arm, lane.trial, lane.run if which == "repeat" else lane.repeat)

    for _, group in itertools.groupby(sorted(kept, key=alike), key=alike):
        for one, other in itertools.combinations(group, 2):
            yield one, other, f"repeat {other.repeat}" if which == "repeat" else f"run {other.run}"


def _check_alike(lane: FinishedLane, other: FinishedLane, one: Start, two: Start) -> None:
    ours, theirs = leaves_by_path(one), leaves_by_path(two)
    for path in (*ours, *theirs):
        shapes = [np.shape(each[path]) if path in each else None for each in (ours, theirs)]
        if shapes[0] != shapes[1]:
            raise UserError(
                f"there is no line between {lane} and {other}: {shown(path)} is of shape "
                f"{' in one and '.join('absent' if each is None else str(list(each)) for each in shapes)} in "
                "the other."
            )


def _equal(one: Any, other: Any) -> bool:
    return all(map(np.array_equal, jax.tree.leaves(one), jax.tree.leaves(other)))
