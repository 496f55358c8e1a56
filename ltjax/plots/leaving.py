"""Lines that leave their axes: a triangle where each does, and the words that say what it means."""

import textwrap
from collections.abc import Iterable, Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

GONE = "_gone"
"""The label of the triangles; the underscore keeps it out of legends."""

NOTE = "triangle at the edge: values lie beyond the axis"


def mark_exits(axes: Axes, *, entries: bool = True) -> None:
    """Mark every line where it leaves the vertical range of its axes, and where it enters.

    A line that lies outside altogether is marked at its first point.

    Args:
        axes: with its lines, and its limits set.
        entries: whether to mark where lines come in; curves of a training all come from outside, and are
            marked at their last point where they never come in.
    """
    for line in list(axes.lines):
        if line.get_label() == GONE or line.get_linestyle() == "None":
            continue  # the caps of bars
        for x, above in _crossings(axes, line, entries):
            edge = axes.get_ylim()[1 if above else 0]
            axes.plot([x], [edge], label=GONE, linestyle="None", marker="^" if above else "v", clip_on=False,
                      markersize=5, zorder=3, color=line.get_color(),
                      transform=line.get_transform())  # fmt: skip


def _crossings(axes: Axes, line: Line2D, entries: bool) -> Iterator[tuple[float, bool]]:
    """Where a line crosses the upper (True) or lower edge, along the axis as it is drawn."""
    low, high = axes.get_ylim()
    x, y = (np.asarray(each, float) for each in (line.get_xdata(), line.get_ydata()))
    left, right = sorted(axes.get_xlim())
    seen = np.isfinite(y) & (x >= left) & (x <= right)
    x, y = x[seen], y[seen]
    side = np.where(y > high, 1, np.where(y < low, -1, 0))
    if len(side) and np.all(side != 0):
        at = 0 if entries else -1
        yield float(x[at]), bool(side[at] > 0)
        return
    place = np.log(x) if axes.get_xscale() == "log" else x
    for at in np.flatnonzero((side[:-1] == 0) != (side[1:] == 0)).tolist():
        outside = side[at] or side[at + 1]
        if not entries and (side[at] != 0 or np.any(side[at + 1 :] == 0)):
            continue  # only where it leaves for good: noisy curves cross an edge many times
        share = ((high if outside > 0 else low) - y[at]) / (y[at + 1] - y[at])
        crossed = place[at] + share * (place[at + 1] - place[at])
        yield float(np.exp(crossed) if axes.get_xscale() == "log" else crossed), bool(outside > 0)


def noted(panels: Iterable[Axes], title: str | None, width: int = 80) -> str | None:
    """A legend's title, with what triangles mean where some of the panels have one, in lines of ``width``."""
    marked = any(line.get_label() == GONE for axes in panels for line in axes.lines)
    return "\n".join(filter(None, (title, textwrap.fill(NOTE, width) if marked else None))) or None
