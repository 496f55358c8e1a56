"""A figure that knows no paper: how well each method of pruning does at each density, beside its controls."""

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ltjax.analysis.methods import SIZE, Group, Method, compared
from ltjax.analysis.results import Study
from ltjax.plots.gallery import figure
from ltjax.plots.layout import FEW, MANY, legend, panels, percent_axis
from ltjax.plots.metrics import Line, draw_metric, points, there
from ltjax.plots.style import (
    BROWN,
    GREY,
    INDIGO,
    OLIVE,
    SEVERAL,
    SOLID,
    TEAL,
    WINE,
    Look,
    arms,
    distinct,
    ordered,
    sided,
)

TITLE = "Ways of pruning by density: test {} at the early stop, controls dashed, the dense network grey"

SHARE, WIDEST = 0.8, 16.0
"""Of the width of an axis with one density, how much its points take up side by side; points from one to the
next, at most."""

NEAR, CLOSEST = 0.3, 3.0
"""As these, of the room between two densities: lines should still point to where they are."""

ALONE, AMONG = 5.2, 3.6
"""The width of a panel by itself and of one among others, in inches, with the names along its axis."""

COLOURS = (*SEVERAL, INDIGO, WINE, OLIVE, TEAL, BROWN)
"""Of unordered methods, as many as there are markers."""

DENSE = Look("dense network", GREY)
CONTROL = "#3F3F3F"
"""The colour of controls in the legend, where they stand for those of every method."""


@figure("methods", TITLE.format("accuracy"))
def methods(study: Study) -> Figure:
    """A panel for each group of runs that are trained alike, with a line for each way of pruning them."""
    drawn, left = compared(study)
    looks, beside = _looks(drawn), _controls(drawn)
    width = ALONE if len(drawn) == 1 else AMONG
    figure, axes = panels(len(drawn), width=width, height=3.1)
    for each, group in zip(axes, drawn, strict=True):
        places = _places(group, 72 * (width - 0.7))
        _panel(each, group, looks, beside, places)
        _make_room(each, max(places.values(), default=0.0), 72 * (width - 0.7))
        if len(drawn) > 1:
            each.set_title(textwrap.fill(group.name, 44))
    _legend(figure, drawn, looks, beside)
    figure.set_label(_title(drawn, left))
    return figure


def _title(drawn: Sequence[Group], left: Sequence[Group]) -> str:
    metrics = dict.fromkeys(group.first.metric.called for group in drawn)
    names = "; ".join(group.name for group in left)
    return TITLE.format(" or ".join(metrics)) + f". Of one method alone, so not drawn: {names}" * bool(left)


def _looks(drawn: Sequence[Group]) -> dict[str, Look]:
    """A look for each method by name, the same in all panels, with a solid line, as only tickets have it."""
    names = list(dict.fromkeys(method.name for group in drawn for method in group.methods))
    in_turn = len(names) > MANY or any(group.ordered for group in drawn)
    looks = ordered(names) if in_turn else distinct(names, COLOURS)
    return {look.label: look._replace(dashes=SOLID) for look in looks}


def _controls(drawn: Sequence[Group]) -> dict[str, Look]:
    """The looks of the arms beside tickets, by arm."""
    every = {arm for group in drawn for method in group.methods for arm in method.arms}
    return {arm: look for arm, look in arms(every).items() if arm != "ticket"}


def _panel(
    axes: Axes, group: Group, looks: Mapping[str, Look], beside: Mapping[str, Look],
    places: Mapping[tuple[str, str], float],
) -> None:  # fmt: skip
    """A group's methods, each with its controls; round 0 is the dense network's line, and in no other."""
    metric = there("test", group.first.metric)
    lines = [
        Line(looks[method.name] if arm == "ticket" else sided(looks[method.name], beside[arm]),
             method.rows(arm), places.get((method.name, arm), 0.0))
        for method, arm in _pairs(group)
    ]  # fmt: skip
    dense = points(group.dense, metric.column)
    reach = (lambda firsts: firsts[-1]) if len(dense) else np.median  # the dense network's own is the last
    draw_metric(axes, lines, metric, reach=reach, most=len(lines), beside=[group.dense])
    percent_axis(axes)
    if len(dense):
        _level(axes, dense.iloc[0])


def _level(axes: Axes, dense: pd.Series) -> None:
    """The dense network across a panel: its mean, and a band from the least to the greatest."""
    axes.axhspan(dense["low"], dense["high"], color=GREY, alpha=0.13, linewidth=0, zorder=0)
    axes.axhline(dense["mean"], color=GREY, zorder=1, label=DENSE.label)


def _sizes(group: Group) -> np.ndarray:
    """The densities of a group's methods, ascending."""
    every = [method.lanes[method.lanes["round"] > 0] for method in group.methods]
    means = pd.concat([lanes.groupby("round")[SIZE].mean() for lanes in every])
    return np.unique([float(f"{percent:.6g}") for percent in means if percent > 0])


def _places(group: Group, width: float) -> dict[tuple[str, str], float]:
    """How far to the side the points of a method's arm stand on an axis, in points as its width is.

    Where densities are few, methods stand side by side in their order, and in each the ticket before its
    controls, with a place left between two methods.
    """
    sizes = _sizes(group)
    if len(sizes) > FEW:
        return {}
    gaps = np.diff(np.log(sizes))
    room, most = (NEAR * width * gaps.min() / gaps.sum(), CLOSEST) if len(gaps) else (SHARE * width, WIDEST)
    at = np.array([place + group.methods.index(method) for place, (method, _) in enumerate(_pairs(group))])
    step = min(room / max(at[-1], 1), most)
    moved = (step * (at - at[-1] / 2)).tolist()
    return {(method.name, arm): to for (method, arm), to in zip(_pairs(group), moved, strict=True)}


def _make_room(axes: Axes, aside: float, width: float) -> None:
    """Widen an axis of densities of so many points by what stands aside at either end."""
    left, right = axes.get_xlim()
    more = (left / right) ** (aside / (width - 2 * aside))
    axes.set_xlim(left * more, right / more)


def _pairs(group: Group) -> list[tuple[Method, str]]:
    """Every method with each of its arms."""
    return [(method, arm) for method in group.methods for arm in method.arms]


def _legend(
    figure: Figure, drawn: Sequence[Group], looks: Mapping[str, Look], beside: Mapping[str, Look]
) -> None:
    """Methods by their colours, controls by their dashes and markers, and the dense network."""
    lanes = {
        name: pd.concat([method.lanes for group in drawn for method in group.methods if method.name == name])
        for name in looks
    }
    shown = [Line(look, lanes[name]).named() for name, look in looks.items()]
    shown += [sided(Look("", CONTROL), look)._replace(label=look.label) for look in beside.values()]
    level = any(line.get_label() == DENSE.label for axes in figure.axes for line in axes.lines)
    shown += [DENSE] if level else []
    legend(figure, handles=[Line2D([], [], **look.keywords()) for look in shown])
