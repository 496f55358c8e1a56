"""A metric of the summary against the weights remaining: lines through means, bars from least to greatest."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import ScaledTranslation, Transform

from ltjax.analysis.results import Absent, Results
from ltjax.plots.layout import MANY, TICKS, legend, panels, percent_axis, steps_ticks, thousands
from ltjax.plots.style import SOLID, Look
from ltjax.training.metrics import ACCURACY, Shown

PERCENT, NUMBER = "percent_remaining", "weights_remaining"

WINDOW = 0.05
"""How far below the dense network an accuracy axis reaches at most; lines that fall further leave it."""

QUARTER = 0.25
"""As ``WINDOW``, of other metrics: the share of what training gained the dense network."""


Reach: TypeAlias = Callable[[Sequence[float]], float]
"""Of several dense networks' accuracies, the one that an axis is laid out by."""


class Metric(NamedTuple):
    """A column of the summary, what its axis is called, and a paper's range of it."""

    column: str
    label: str
    window: tuple[float, float] | None = None
    shown: Shown = Shown()

    def within(self, low: float, high: float) -> "Metric":
        """The metric with a paper's range, which is shown if the dense network lies in it."""
        return self._replace(window=(low, high))


EARLY_STOP = Metric("early_stop_step", "Early-Stop Iteration (Val.)")


def there(split: str, shown: Shown = ACCURACY) -> Metric:
    """A run's metric at the early stop, on ``test``, ``train`` or ``validation``."""
    label = f"{shown.called.title()} at Early-Stop ({ {'validation': 'Val.'}.get(split, split.title()) })"
    return Metric(f"early_stop_{split}_{shown.name}", label, shown=shown)


TEST, TRAIN, VALID = there("test"), there("train"), there("validation")
UNTRAINED = Metric("initial_test_accuracy", "Accuracy before Training (Test)")


def at_end(split: str, *steps: int) -> Metric:
    """The accuracy after the last step, on ``test`` or ``train``; of networks trained for these steps."""
    return Metric(f"final_{split}_accuracy", accuracy_at(split, steps))


def accuracy_at(split: str, steps: Sequence[int]) -> str:
    """What the axis of accuracy at a step is called, or at several: each network's or setting's own.

    Example:
        >>> accuracy_at("test", [20_000, 25_000, 20_000])
        'Accuracy at Iteration 20K/25K (Test)'
    """
    said = "/".join(dict.fromkeys(map(thousands, steps)))
    return f"Accuracy at Iteration {said} ({ {'validation': 'Val.'}.get(split, split.title()) })"


def titled(figure: Figure, shown: Shown, title: str) -> None:
    """Call a figure of another metric than accuracy by a title with a place for the metric's name."""
    if shown != ACCURACY:
        figure.set_label(title.format(shown.called))


class Line(NamedTuple):
    """A line of a panel: its look, and the rows of a summary it is drawn from.

    ``place`` is how far to the side of its values it stands, in points.
    """

    look: Look
    rows: pd.DataFrame
    place: float = 0.0

    def named(self) -> Look:
        """The look; its label tells how many lanes diverged, which are in no mean and no bar."""
        lost = int(self.rows["diverged"].sum())
        note = f" ({lost} of {len(self.rows)} diverged)" if lost else ""
        return self.look._replace(label=self.look.label + note)


def points(rows: pd.DataFrame, column: str, x: str = PERCENT) -> pd.DataFrame:
    """A row per round, largest ``x`` first: x, mean, low and high of the lanes that did not diverge."""
    kept = rows[~rows["diverged"].astype(bool) & np.isfinite(rows[column].astype(float))]
    by_round = kept.groupby("round")
    found = by_round[column].agg(mean="mean", low="min", high="max").assign(x=by_round[x].mean())
    return found.sort_values("x", ascending=False)


def of_all(runs: Sequence[Results]) -> Shown:
    """The metric of runs that are drawn in one panel.

    Raises:
        Absent: they have different ones.
    """
    names = dict.fromkeys(run.metric.called for run in runs)
    if len(names) > 1:
        raise Absent(f"runs of one metric: these have {' and '.join(names)}", "ltjax report RUN RUN")
    return runs[0].metric


def compare(
    drawn: Sequence[Line], metrics: Sequence[Metric], *, ticks: Sequence[float] = TICKS,
    reach: Reach = np.median, title: str | None = None, pairs: bool = False,
) -> Figure:  # fmt: skip
    """A panel for each metric, with all lines in it, and a legend, which ``title`` and ``pairs`` are for."""
    figure, axes = panels(len(metrics))
    for each, metric in zip(axes, metrics, strict=True):
        draw_metric(each, drawn, metric, reach=reach)
        percent_axis(each, ticks)
    legend(figure, title=title, pairs=pairs)
    return figure


def draw_metric(
    axes: Axes, lines: Sequence[Line], metric: Metric, *, x: str = PERCENT, reach: Reach = np.median,
    most: int = MANY, beside: Sequence[pd.DataFrame] = (),
) -> None:  # fmt: skip
    """Draw lines of a metric; ``reach`` chooses the dense accuracy by which the axis is laid out.

    More lines than ``most`` have neither bars nor markers, which would hide them. ``beside`` are rows that
    the axis has room for too, after those of the lines, and that are not drawn.
    """
    drawn = [points(line.rows, metric.column, x) for line in lines]
    drawn = [found[found["x"] > 0] for found in drawn]  # a logarithmic axis has no place for none left
    longest = max(map(len, drawn), default=0)
    crowded = (len(lines) > 6 and longest > 1) or longest > 30
    size: dict[str, Any] = {"markersize": 3.0, "linewidth": 0.9} if crowded else {}
    for line, found in zip(lines, drawn, strict=True):
        # a mean of equal numbers can lie outside of them by its rounding
        bars = np.maximum([found["mean"] - found["low"], found["high"] - found["mean"]], 0)
        shown = bars if len(lines) <= most else None
        look = line.named() if shown is not None else line.named()._replace(marker="", dashes=SOLID)
        moved: dict[str, Any] = {"transform": _aside(axes, line.place)} if line.place else {}
        axes.errorbar(found["x"], found["mean"], shown, elinewidth=0.7, **size, **look.keywords(), **moved)
    axes.set_ylabel(metric.label)
    if metric == EARLY_STOP:
        steps_ticks(axes.yaxis)
    else:
        axes.ticklabel_format(axis="y", useOffset=False)
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    if metric in (EARLY_STOP, UNTRAINED):
        highest = max((found["high"].max() for found in drawn if len(found)), default=1.0)
        axes.set_ylim(0, 1.05 * highest if highest > 0 else 1)
    else:
        span = span_of(metric, [*(line.rows for line in lines), *beside])
        every = [*drawn, *(points(rows, metric.column, x) for rows in beside)]
        axes.set_ylim(*_range([found for found in every if len(found)], metric, reach, span))


def _aside(axes: Axes, place: float) -> Transform:
    """The panel's own transform, so many points further to the right."""
    return axes.transData + ScaledTranslation(place / 72, 0, axes.figure.dpi_scale_trans)


def _range(drawn: Sequence[pd.DataFrame], metric: Metric, reach: Reach, span: float) -> tuple[float, float]:
    """The values to show: the metric's, or all of them down to ``span`` worse than the dense network's."""
    if not drawn:
        return 0.0, 1.0
    dense = float(reach([found["mean"].iloc[0] for found in drawn]))
    if metric.window and metric.window[0] < dense < metric.window[1]:
        return metric.window
    low, high = min(found["low"].min() for found in drawn), max(found["high"].max() for found in drawn)
    return limits(metric, low, high, dense, span)


def span_of(metric: Metric, tables: Iterable[pd.DataFrame]) -> float:
    """How much worse than the dense network an axis reaches: ``WINDOW``, or ``QUARTER`` of what it gained."""
    if metric.shown.percent:
        return WINDOW
    name, rows = metric.shown.name, pd.concat(list(tables))
    dense = rows[(rows["round"] == 0) & ~rows["diverged"].astype(bool)]
    gained = abs(float((dense[f"final_test_{name}"] - dense[f"initial_test_{name}"]).median()))
    return QUARTER * gained if 0 < gained < np.inf else np.inf


def limits(metric: Metric, low: float, high: float, dense: float, span: float) -> tuple[float, float]:
    """An axis of values from ``low`` to ``high``, but for those more than ``span`` worse than ``dense``."""
    shown = metric.shown
    low, high = (max(low, dense - span), high) if shown.higher_is_better else (low, min(high, dense + span))
    if shown.percent:
        margin = 0.05 * (high - low) + 1e-4 if high - low > 1e-6 else 0.01
    else:
        margin = 0.05 * (high - low) or 0.05 * abs(high) or 0.01
    return low - margin, high + margin
