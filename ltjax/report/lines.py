"""The curves as the page's plot needs them: mean, minimum and maximum over trials, thinned, as plain data."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ltjax.analysis.results import Results
from ltjax.lanes import history
from ltjax.lottery.arms import in_order
from ltjax.training.metrics import Shown

POINTS = 250
"""Most points of a line: as many as a plot of a laptop's width can show apart."""

FEWEST = 40
"""Least points of a line, where many runs share a page."""

NUMBERS = 500_000
"""Most numbers of all lines together, some 3 MB; runs that find no more room are left out, and named."""

SPLITS = ("train", "validation", "test")
PER_POINT = len(SPLITS) * 2 * 3 + 1
"""Numbers a point needs: mean, minimum and maximum of loss and metric on every split, and its step."""


def explorable(runs: Sequence[tuple[str, Results]]) -> tuple[list[dict[str, Any]], list[str]]:
    """The curves of named runs as JSON-like data, and the names of those that the page has no room for.

    Runs without curves are passed over. Runs that are no points of a sweep come first.
    """
    there = [(name, run) for name, run in runs if run.curves is not None and len(run.curves)]
    there.sort(key=lambda each: bool(each[1].point))
    counts = [len(run.summary.drop_duplicates(["arm", "round"])) for _, run in there]
    points = max(FEWEST, min(POINTS, NUMBERS // PER_POINT // max(sum(counts), 1)))
    fits = np.cumsum(counts) * points * PER_POINT <= NUMBERS
    if len(fits):
        fits[0] = True  # a page that shows no curves at all would be worse than a large one
    shown = [_run(name, run, points) for (name, run), fit in zip(there, fits, strict=True) if fit]
    return shown, [name for (name, _), fit in zip(there, fits, strict=True) if not fit]


def _run(name: str, run: Results, points: int) -> dict[str, Any]:
    percent = run.summary.groupby("round")["percent_remaining"].mean()
    rounds = zip(percent.index.tolist(), percent.tolist(), strict=True)
    return {
        "name": name,
        "metric": {"key": run.metric.name, "name": run.metric.called, "percent": run.metric.percent},
        "arms": in_order(run.arms),
        "rounds": [{"round": round, "percent": left} for round, left in rounds],
        "lines": list(_lines(run, points)),
    }  # fmt: skip


def _lines(run: Results, points: int) -> Iterator[dict[str, Any]]:
    """A line per arm and round; its values per split are [mean, minimum, maximum] over trials and repeats."""
    assert run.curves is not None
    # a killed run may leave curves of lanes that are not done and so not in its summary
    curves = run.curves.merge(run.summary[history.LANE]).groupby(["arm", "round"])
    for key, lanes in run.summary.groupby(["arm", "round"]):
        arm, round = lanes["arm"].iloc[0], int(lanes["round"].iloc[0])
        stop, block = lanes["early_stop_step"], curves.get_group(key)
        kept = thinned(np.unique(block["step"]), int(stop.min()), int(stop.max()), points)
        block = block[block["step"].isin(kept)]
        yield {
            "arm": arm, "round": round, "lanes": len(stop), "stop": float(stop.mean()),
            "step": kept.tolist(),
            "splits": {split: _values(block[block["split"] == split], kept, run.metric) for split in SPLITS},
        }  # fmt: skip


def _values(block: pd.DataFrame, steps: np.ndarray, shown: Shown) -> dict[str, list[list[float | None]]]:
    """The loss, and the metric, perhaps in percent, as [mean, minimum, maximum] lists along the steps."""
    groups = block.groupby("step")
    found = {}
    for metric, digits in (("loss", _four_digits), (shown.name, _percent if shown.percent else _four_digits)):
        table = groups[metric].agg(["mean", "min", "max"]).reindex(steps)
        found[metric] = [[digits(value) for value in table[column]] for column in table]
    return found


def thinned(steps: np.ndarray, first: int, last: int, points: int) -> np.ndarray:
    """At most ``points`` of the steps: half of them spread evenly, half around the early stops.

    Args:
        steps: the steps of all evaluations, ascending.
        first: the earliest early-stop step of the trials.
        last: the latest.
        points: how many to keep.

    Example:
        >>> thinned(np.arange(0, 1000, 10), 100, 120, 10).tolist()
        [0, 50, 80, 110, 150, 180, 250, 500, 740, 990]
    """
    if len(steps) <= points:
        return steps
    near = steps[(steps >= first / 2) & (steps <= 1.5 * last)]
    return np.union1d(_spread(steps, points // 2), _spread(near, points - points // 2))


def _spread(steps: np.ndarray, points: int) -> np.ndarray:
    """At most ``points`` of the steps, evenly, the first and the last among them."""
    if len(steps) <= points:
        return steps
    return steps[np.linspace(0, len(steps) - 1, points).round().astype(int)]


def _four_digits(value: float) -> float | None:
    return float(f"{value:.4g}") if math.isfinite(value) else None


def _percent(value: float) -> float | None:
    return round(100 * value, 2) if math.isfinite(value) else None
