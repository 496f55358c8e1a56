"""A figure that knows no paper: what lies on the line between two trained networks."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ltjax.analysis.connectivity import barriers
from ltjax.analysis.results import RUN, Absent, Study
from ltjax.lottery.arms import in_order
from ltjax.plots.gallery import figure
from ltjax.plots.layout import compact, legend, panels, percent_axis
from ltjax.plots.metrics import PERCENT, of_all, titled
from ltjax.plots.style import GREY, Look, arms, distinct
from ltjax.training.metrics import Shown

TITLE = "Barriers between trained networks by density, and test {} on the line between them"

BETWEEN = {
    "connectivity": "two copies", "connectivity_before": "a round and the one before",
    "connectivity_dense": "the dense network",
}  # fmt: skip
"""What lies at the ends of a line, by the analysis that tells of it."""

SPLITS = ("test", "train")

STABLE = 2.0
"""Points of accuracy: with less of a barrier training is stable (Frankle et al. 2020)."""

LINES = 3
"""Sizes of which the line itself is drawn, at most."""


class Told(NamedTuple):
    """What an analysis tells of all runs: rows with their ``size``, and the ``line`` that they belong to."""

    name: str
    rows: pd.DataFrame


@figure("connectivity", TITLE.format("accuracy"))
def connectivity(study: Study) -> Figure:
    """For each kind of pair the barriers on both splits, then the lines themselves at a few sizes."""
    every = [told for name in BETWEEN if (told := told_of(study, name))]
    if not every:
        raise Absent("no analysis of connectivity", f"{RUN} mnist_5k --arms.ticket 2 --analyses connectivity")
    shown, looks, sizes = metric_of(study), _looks(every), _some(every[0].rows)
    splits = [(told, split) for told in every for split in SPLITS if (told.rows["split"] == split).any()]
    figure, axes = panels(len(splits) + len(sizes))
    for each, (told, split) in zip(axes, splits, strict=False):
        _draw_barriers(each, told, split, looks, shown)
    for each, size in zip(axes[len(splits) :], sizes, strict=True):
        _draw_lines(each, every[0].rows, size, looks, shown)
    legend(figure)
    titled(figure, shown, TITLE)
    return figure


def metric_of(study: Study) -> Shown:
    """The metric of the runs that were asked.

    Raises:
        Absent: they have different ones.
    """
    return of_all([run for run in study.runs if any(run.analysis(name) is not None for name in BETWEEN)])


def told_of(study: Study, name: str) -> Told | None:
    """The tables of all runs; lines are arms, of each run by itself where two tell of one size."""
    tables = [(run, table) for run in study.runs if (table := run.analysis(name)) is not None]
    if not tables:
        return None
    every = [table.assign(of=run.point or run.folder.name, size=_sizes(table)) for run, table in tables]
    rows = pd.concat(every, ignore_index=True)
    several = rows.groupby(["arm", "size"])["of"].nunique().gt(1).any()
    line = rows["arm"] + ", " + rows["of"] if several else rows["arm"]
    return Told(name, rows.assign(line=line))


def _sizes(table: pd.DataFrame) -> pd.Series:
    """The density of each row's round, a mean over lanes."""
    means = table.groupby("round")[PERCENT].mean().map(lambda percent: float(f"{percent:.6g}"))
    return table["round"].map(means)


def _looks(every: Sequence[Told]) -> dict[str, Look]:
    lines = {line: arm for told in every for line, arm in told.rows[["line", "arm"]].drop_duplicates().values}
    looks = arms(lines.values())
    if all(line == arm for line, arm in lines.items()):
        return looks
    order = in_order(lines.values())
    names = sorted(lines, key=lambda line: (order.index(lines[line]), line))
    called = [looks[lines[name]].label + name.removeprefix(lines[name]) for name in names]
    return dict(zip(names, distinct(called), strict=True))


def _some(rows: pd.DataFrame) -> list[float]:
    """A few of the sizes that were tested on, the largest and the least among them."""
    sizes = np.sort(rows.loc[rows["split"] == "test", "size"].unique())[::-1]
    return [
        float(size) for size in sizes[np.unique(np.linspace(0, len(sizes) - 1, LINES).round().astype(int))]
    ]


def by_size(told: Told, split: str, line: str, shown: Shown) -> pd.DataFrame:
    """A line's barriers by density, the largest first: ``mean`` over its pairs, ``min`` and ``max``.

    Of a metric that is shown in per cent they are in points.
    """
    own = told.rows[(told.rows["split"] == split) & (told.rows["line"] == line)]
    found = barriers(own[_ordered(own, shown)]).set_index("size")[f"{shown.name}_barrier"]
    values = (shown.factor * found.astype(float)).groupby(level=0).agg(["mean", "min", "max"])
    return values.sort_index(ascending=False)


def _draw_barriers(axes: Axes, told: Told, split: str, looks: Mapping[str, Look], shown: Shown) -> None:
    """Each line's barriers by density: the mean over its pairs, and from the least to the greatest."""
    for line in [each for each in looks if (told.rows["line"] == each).any()]:
        values = by_size(told, split, line, shown)
        bars = np.maximum([values["mean"] - values["min"], values["max"] - values["mean"]], 0)
        axes.errorbar(values.index, values["mean"], bars, elinewidth=0.7, **looks[line].keywords())
    percent_axis(axes)
    if shown.percent:  # after the axis, which goes from the lines' first to their last point
        axes.axhline(STABLE, color=GREY, linewidth=0.8, linestyle=":", zorder=0,
                     label=f"{STABLE:g} points: stable below")  # fmt: skip
    axes.set_ylabel(f"{'Error' if shown.percent else shown.called.title()} Barrier, {split.title()}"
                    + " (Points)" * shown.percent)  # fmt: skip
    axes.set_title(f"Between {BETWEEN[told.name]}")


def _ordered(rows: pd.DataFrame, shown: Shown) -> list[str]:
    """The columns, with what tells a line before ``alpha``, as ``barriers`` reads them."""
    values = ["alpha", "loss", shown.name]
    return [str(name) for name in rows if name not in values] + values


def _draw_lines(axes: Axes, rows: pd.DataFrame, size: float, looks: Mapping[str, Look], shown: Shown) -> None:
    """Test metric from end to end: the mean over pairs, and from the least to the greatest."""
    here = rows[(rows["size"] == size) & (rows["split"] == "test")]
    for line, look in looks.items():
        by_alpha = here[here["line"] == line].groupby("alpha")[shown.name]
        values = by_alpha.agg(["mean", "min", "max"])
        plain = look._replace(marker="")
        axes.plot(values.index, values["mean"], **plain.keywords())
        axes.fill_between(values.index, values["min"], values["max"], color=look.colour, alpha=0.12,
                          linewidth=0)  # fmt: skip
    axes.set_xlabel("From One End to the Other")
    axes.set_ylabel(f"Test {shown.called.title()}")
    axes.ticklabel_format(axis="y", useOffset=False)
    axes.set_title(f"{compact(size)}% of Weights Remaining")
