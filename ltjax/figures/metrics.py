"""A metric of the summary against the weights remaining: lines through means, bars from least to greatest."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from ltjax.figures.layout import steps_ticks, thousands
from ltjax.figures.style import Look
from ltjax.study import VALIDATION

PERCENT, NUMBER = "percent_remaining", "weights_remaining"

WINDOW = 0.05
"""How far below the dense network an accuracy axis reaches at most; lines that fall further leave it."""


class Metric(NamedTuple):
    """A column of the summary, and what the paper calls its axis."""

    column: str
    label: str


EARLY_STOP = Metric("early_stop_step", "Early-Stop Iteration (Val.)")
TEST = Metric("early_stop_test_accuracy", "Accuracy at Early-Stop (Test)")
TRAIN = Metric("early_stop_train_accuracy", "Accuracy at Early-Stop (Train)")
VALID = Metric(VALIDATION, "Accuracy at Early-Stop (Val.)")
UNTRAINED = Metric("initial_test_accuracy", "Accuracy before Training (Test)")


def at_end(split: str, steps: int) -> Metric:
    """The accuracy after the last step, on ``test`` or ``train``."""
    return Metric(f"final_{split}_accuracy", f"Accuracy at Iteration {thousands(steps)} ({split.title()})")


class Line(NamedTuple):
    """A line of a panel: its look, and the rows of a summary it is drawn from."""

    look: Look
    rows: pd.DataFrame

    def named(self) -> Look:
        """The look; its label tells how many lanes diverged, which are in no mean and no bar."""
        lost = int(self.rows["diverged"].sum())
        note = f" ({lost} of {len(self.rows)} diverged)" if lost else ""
        return self.look._replace(label=self.look.label + note)


def points(rows: pd.DataFrame, column: str, x: str = PERCENT) -> pd.DataFrame:
    """A row per round, largest ``x`` first: x, mean, low and high of the lanes that did not diverge."""
    kept = rows[~rows["diverged"].astype(bool) & rows[column].notna()]
    by_round = kept.groupby("round")
    found = by_round[column].agg(mean="mean", low="min", high="max").assign(x=by_round[x].mean())
    return found.sort_values("x", ascending=False)


def draw_metric(
    axes: Axes, lines: Sequence[Line], metric: Metric, *, x: str = PERCENT,
    window: tuple[float, float] | None = None,
) -> None:  # fmt: skip
    """Draw lines of a metric, in the paper's ``window`` of accuracies where the dense network lies in it."""
    drawn = [points(line.rows, metric.column, x) for line in lines]
    size: dict[str, Any] = {"markersize": 3.0, "linewidth": 0.9} if len(lines) > 6 else {}
    for line, found in zip(lines, drawn, strict=True):
        # a mean of equal numbers can lie outside of them by its rounding
        bars = np.maximum([found["mean"] - found["low"], found["high"] - found["mean"]], 0)
        axes.errorbar(found["x"], found["mean"], bars, elinewidth=0.7, **size, **line.named().keywords())
    axes.set_ylabel(metric.label)
    if metric == EARLY_STOP:
        steps_ticks(axes.yaxis)
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    if metric in (EARLY_STOP, UNTRAINED):
        axes.set_ylim(bottom=0)
    else:
        axes.set_ylim(*_range([found for found in drawn if len(found)], window))


def _range(drawn: Sequence[pd.DataFrame], window: tuple[float, float] | None) -> tuple[float, float]:
    """The accuracies to show: the paper's, or all of them down to ``WINDOW`` below the dense network's."""
    if not drawn:
        return 0.0, 1.0
    dense = float(np.median([found["mean"].iloc[0] for found in drawn]))
    if window and window[0] < dense < window[1]:
        return window
    low = max(min(found["low"].min() for found in drawn), dense - WINDOW)
    high = max(found["high"].max() for found in drawn)
    margin = 0.05 * (high - low) + 1e-4
    return low - margin, high + margin
