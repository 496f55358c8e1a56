"""A figure that knows no paper: the points of a sweep, against what was swept and by size."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from ltjax.analysis.results import RUN, Absent, Results, Study, varying
from ltjax.plots.comparing import valued
from ltjax.plots.gallery import figure
from ltjax.plots.layout import MANY, beside, compact, panels, percent_axis, steps_ticks
from ltjax.plots.leaving import mark_exits
from ltjax.plots.metrics import (
    EARLY_STOP,
    Line,
    Metric,
    draw_metric,
    limits,
    of_all,
    points,
    span_of,
    there,
    titled,
)
from ltjax.plots.style import ordered

LINES = 6
"""Most rounds that are drawn across a sweep, spread over those there are."""

DECADE = 10
"""From this ratio of the greatest to the least value on, a swept setting has a logarithmic axis."""

SHOWN = 20
"""Most values that are written along an axis of things that are no numbers."""


class Swept(NamedTuple):
    """The points of a sweep in order: what was swept, each point's run by its value, and whether numbers."""

    setting: str
    values: list[Any]
    runs: list[Results]
    labels: list[str]
    numbers: bool


def swept(study: Study) -> Swept:
    """The points of the study's first swept run; ascending where they are numbers.

    Raises:
        Absent: no run has two points.
    """
    families = [runs for runs in study.families.values() if len(runs) > 1 and all(run.point for run in runs)]
    if not families:
        raise Absent(
            "no sweep of two points", f"{RUN} mnist_5k --sweep train.learning_rate=6e-4,1.2e-3,2.4e-3"
        )
    found, differ = list(families[0]), varying(families[0])
    words = [part.split("=")[0] for part in found[0].point.split(",")]
    named = [name for name in differ if name.rsplit(".", 1)[-1] in words] or list(differ)
    setting = " and ".join(named)
    values = list(zip(*(differ[name] for name in named), strict=True))
    if numbers := len(named) == 1 and all(_number(value) for (value,) in values):
        order = sorted(range(len(values)), key=lambda at: values[at][0])
        found, values = [found[at] for at in order], [values[at] for at in order]
    labels = [" / ".join(map(valued, value)) for value in values]
    return Swept(
        setting, [value[0] if len(named) == 1 else value for value in values], found, labels, numbers
    )


@figure(
    "sweep", "The points of a sweep: test accuracy and early stopping against what was swept, and by size"
)
def sweep(study: Study) -> Figure:
    """Above, a line for each of some rounds across the points; below, a line for each point."""
    found = swept(study)
    shown = of_all(found.runs)
    test = there("test", shown)
    figure, axes = panels(4, columns=2, width=3.7, height=2.6)
    labels = _rounds(found.runs)
    for each, metric in zip(axes[:2], (test, EARLY_STOP), strict=True):
        _across(each, found, labels, metric)
    beside(figure, axes[:2], list(labels.values()), "weights left")
    drawn = [Line(look, run.rows()) for look, run in zip(ordered(found.labels), found.runs, strict=True)]
    for each, metric in zip(axes[2:], (test, EARLY_STOP), strict=True):
        draw_metric(each, drawn, metric)
        percent_axis(each)
    beside(figure, axes[2:], found.labels, found.setting)
    titled(
        figure, shown, "The points of a sweep: test {} and early stopping against what was swept, and by size"
    )
    return figure


def _rounds(runs: Sequence[Results]) -> dict[int, str]:
    """Some rounds of a sweep, dense first, by how much is left where that is the same at every point."""
    percents = [run.rows().groupby("round")["percent_remaining"].mean() for run in runs]
    every = sorted(set.intersection(*(set(each.index) for each in percents)))
    kept = [every[at] for at in np.unique(np.linspace(0, len(every) - 1, LINES).round().astype(int))]
    alike = all(np.allclose(each.loc[kept], percents[0].loc[kept], rtol=0.02) for each in percents)
    return {round: f"{compact(percents[0][round])}%" if alike else f"round {round}" for round in kept}


def _across(axes: Axes, found: Swept, labels: Mapping[int, str], metric: Metric) -> None:
    """A metric against the swept setting, a line for every one of some rounds."""
    x = np.asarray(found.values if found.numbers else range(len(found.runs)), float)
    tables = [points(run.rows(), metric.column) for run in found.runs]
    lowest, highest, dense = np.inf, -np.inf, []
    for look, round in zip(ordered(list(labels.values())), labels, strict=True):
        rows = np.array([table.reindex([round])[["mean", "low", "high"]].iloc[0] for table in tables])
        mean, low, high = rows.T.astype(float)
        bars = np.maximum([mean - low, high - mean], 0) if len(x) <= MANY else None
        shown = look if len(x) <= MANY else look._replace(marker="")
        axes.errorbar(x, mean, bars, elinewidth=0.7, **shown.keywords())
        if np.isfinite(mean).any():
            lowest, highest = min(lowest, np.nanmin(low)), max(highest, np.nanmax(high))
            dense.append(np.nanmax(mean) if metric.shown.higher_is_better else np.nanmin(mean))
    _setting_axis(axes, found, x)
    axes.set_ylabel(metric.label)
    if metric == EARLY_STOP:
        steps_ticks(axes.yaxis)
        axes.set_ylim(0, 1.05 * highest if highest > 0 else 1)
    elif dense:
        worst = min(dense) if metric.shown.higher_is_better else max(dense)
        span = span_of(metric, [run.rows() for run in found.runs])
        axes.set_ylim(*limits(metric, lowest, highest, worst, span))
    mark_exits(axes)


def _setting_axis(axes: Axes, found: Swept, x: np.ndarray) -> None:
    axes.set_xlabel(found.setting)
    if found.numbers:
        if x.min() > 0 and x.max() / x.min() >= DECADE:
            axes.set_xscale("log")
        else:
            axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: valued(value)))
        return
    told = np.unique(np.linspace(0, len(x) - 1, min(len(x), SHOWN)).round().astype(int))
    axes.xaxis.set_major_locator(FixedLocator(list(told)))
    axes.xaxis.set_minor_locator(NullLocator())
    crowded = sum(len(found.labels[at]) for at in told) > 32
    axes.set_xticks(list(told), [found.labels[at] for at in told], rotation=45 if crowded else 0,
                    ha="right" if crowded else "center", rotation_mode="anchor")  # fmt: skip


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
