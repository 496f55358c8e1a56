"""Panels, axes and legends."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from ltjax.plots.leaving import mark_exits, noted
from ltjax.plots.showing import Shown
from ltjax.plots.style import ordered

TICKS = (100, 51.3, 26.3, 13.5, 7.0, 3.6, 1.9, 1.0, 0.5, 0.3, 0.1, 0.03, 0.01)
"""Percentages that are marked where nothing else is asked: about every third round of 20%, fewer below."""

FEW = 7
"""Up to so many sizes are marked as they are, where no other ticks than ``TICKS`` are asked for."""

MANY = 12
"""Most entries of a legend of ordered lines; more of them have a colour bar."""


def panels(
    count: int, *, columns: int = 3, width: float = 2.9, height: float = 2.35
) -> tuple[Figure, list[Axes]]:
    """A figure of ``count`` panels in reading order; sizes are of one panel, in inches."""
    columns = min(columns, count)
    rows = math.ceil(count / columns)
    figure = Shown(figsize=(max(width * columns, 4.4), height * rows + 0.5), layout="constrained")
    axes = list(figure.subplots(rows, columns, squeeze=False).ravel())
    for spare in axes[count:]:
        spare.set_axis_off()
    return figure, axes[:count]


def percent_axis(axes: Axes, ticks: Sequence[float] = TICKS, *, scale: str = "log") -> None:
    """Percent of weights remaining, decreasing to the right as the network is pruned."""
    _weights_axis(axes, "Percent of Weights Remaining", ticks, scale, compact)


def number_axis(axes: Axes) -> None:
    """Number of weights remaining, decreasing to the right."""
    ticks = [tick * 10**power for power in range(2, 8) for tick in (1, 3)]
    _weights_axis(axes, "Weights Remaining (Thousands)", ticks, "log", lambda value: f"{value / 1000:g}")


def _weights_axis(
    axes: Axes, label: str, ticks: Sequence[float], scale: str, says: Callable[[float], str]
) -> None:
    """An axis of weights remaining, decreasing to the right, with those of the ticks that lie in the data.

    The data's own values are marked instead where they are few, or where fewer than three ticks lie in them.
    """
    drawn = [np.asarray(line.get_xdata(), float) for line in axes.lines]
    values = np.concatenate([*drawn, []])
    values = values[values > 0] if (values > 0).any() else np.array([100.0])
    values = np.unique([float(f"{value:.6g}") for value in values])  # means of equal numbers may differ
    low, high = values[0], values[-1]
    shown = [tick for tick in ticks if 0.97 * low <= tick <= 1.03 * high]
    axes.set_xscale(scale)
    few = ticks == TICKS and len(values) <= FEW and _apart(values)
    own = len(shown) < 3 or (scale == "log" and few)
    axes.xaxis.set_major_locator(FixedLocator(list(values) if own else shown))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: says(value)))
    margin = max((high / low) ** 0.03, 1.01)
    axes.set_xlim(*(high * margin, low / margin) if scale == "log" else (103, 0))
    axes.set_xlabel(label)
    mark_exits(axes)


def _apart(values: np.ndarray) -> bool:
    """Whether labels at these values, ascending, do not touch one another on a logarithmic axis."""
    gaps = np.diff(np.log(values))
    return bool(len(gaps)) and bool(gaps.min() > gaps.sum() / (FEW + 1))


def steps_ticks(axis: Axis) -> None:
    """Ticks of an axis of steps as papers write them: 10K."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: thousands(value)))


def thousands(number: float) -> str:
    """Steps as papers write them.

    Example:
        >>> thousands(50_000), thousands(2_500), thousands(40)
        ('50K', '2.5K', '40')
    """
    return f"{number / 1000:.6g}K" if abs(number) >= 1000 else f"{number:g}"


def compact(number: float) -> str:
    """A percentage to a tenth, or to one digit where it is less than that; 100 is whole.

    Example:
        >>> compact(100.0), compact(51.27), compact(0.96), compact(0.01)
        ('100', '51.3', '1.0', '0.01')
    """
    return "100" if number > 99.95 else f"{number:.1f}" if number >= 0.095 else f"{number:.1g}"


def rate(value: float) -> str:
    """A learning rate in the fewest characters.

    Example:
        >>> rate(2.5e-05), rate(0.0012)
        ('2.5e-5', '0.0012')
    """
    return f"{value:g}".replace("e-0", "e-")


def beside(figure: Figure, row: Sequence[Axes], labels: Sequence[str], title: str) -> None:
    """To the right of a row of panels with the same ordered lines: their legend, or of many a colour bar."""
    if len(labels) > MANY:
        colour_bar(figure, row, labels, title.replace("\n", ", "))
    else:
        row[-1].legend(loc="center left", bbox_to_anchor=(1.02, 0.5), title=noted(row, title, 20),
                       alignment="left")  # fmt: skip


def colour_bar(figure: Figure, axes: Sequence[Axes], labels: Sequence[str], title: str) -> None:
    """Instead of a legend of many ordered lines: the colours of ``style.ordered``, some with labels."""
    looks = ordered(labels)
    scale = ScalarMappable(Normalize(-0.5, len(looks) - 0.5), ListedColormap([look.colour for look in looks]))
    place = axes[-1].inset_axes((1.06, 0, 0.05, 1))
    bar = figure.colorbar(scale, cax=place, label=noted(axes, title, 26) or "")
    told = np.unique(np.linspace(0, len(looks) - 1, 7).round().astype(int))
    bar.ax.yaxis.set_major_locator(FixedLocator(list(told)))
    bar.ax.yaxis.set_minor_locator(NullLocator())
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda at, _: labels[round(at)]))
    bar.outline.set_visible(False)


def legend(
    figure: Figure, *, title: str | None = None, pairs: bool = False, handles: Sequence[Artist] = ()
) -> None:
    """One legend for all panels, each label once: in the cell that is left, or below.

    ``pairs`` keeps every two entries in one column, a line and what is set beside it; ``handles`` are the
    entries where they are not the panels' own.
    """
    found: dict[str, Any] = {str(handle.get_label()): handle for handle in handles}
    for axes in figure.axes if not handles else ():
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    entries, labels = list(found.values()), list(found)
    spare = [axes for axes in figure.axes if not axes.axison]
    title = noted(figure.axes, title, 36 if spare else 80)
    if spare:
        spare[0].legend(entries, labels, loc="center", title=title)
    else:
        longest = 0.6 + 0.063 * max(map(len, labels), default=1)  # inches, about
        rows, columns = _grid(len(found), max(int(figure.get_figwidth() / longest), 1), pairs)
        figure.set_figheight(figure.get_figheight() + 0.18 * (rows - (title is None)))  # a line has its place
        figure.legend(entries, labels, loc="outside lower center", ncols=columns, title=title)


def _grid(count: int, most: int, pairs: bool) -> tuple[int, int]:
    """Rows and columns of a legend of ``count`` entries, ``most`` of which fit side by side.

    Columns are filled one after the other, so pairs stay together where the columns divide their number.

    Example:
        >>> _grid(10, 4, False), _grid(10, 4, True), _grid(10, 5, True)
        ((3, 4), (10, 1), (2, 5))
    """
    if pairs:
        columns = max(each for each in range(1, most + 1) if count // 2 % each == 0 and each <= max(count, 1))
    else:
        columns = math.ceil(count / max(math.ceil(count / most), 1)) or 1
    return math.ceil(count / columns), columns
