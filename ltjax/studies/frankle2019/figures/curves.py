"""Figures of training itself: accuracy and loss against the step, for some sizes (Figures 3 and 11)."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ltjax.analysis.results import RUN, Absent, Results, Study
from ltjax.plots.gallery import figure
from ltjax.plots.layout import compact, legend, panels, steps_ticks
from ltjax.plots.sources import rounds_near
from ltjax.plots.style import DASHED, SOLID, Look, ordered
from ltjax.studies.frankle2019.facts import AXES, LENET
from ltjax.studies.frankle2019.runs import fullest

SIZES = tuple(LENET.sizes.values())
"""The percentages of weights remaining that the paper shows."""

BARS = 12
"""Bars along a line, at most: one at every evaluation would hide the lines."""


class Course(NamedTuple):
    """What is drawn against the step: a split's loss or accuracy, up to a step, in the paper's range."""

    split: str
    column: str
    label: str
    until: int
    window: tuple[float, float]


ACCURACY = Course("test", "accuracy", "Test Accuracy", AXES["3"].until, AXES["3"].window)
LOSS = Course("validation", "loss", "Validation Loss", AXES["11"].until, AXES["11"].window)


@figure("3", "Test accuracy as training proceeds: tickets of several sizes, and two of them reinitialised")
def figure_3(study: Study) -> Figure:
    """Three panels: early rounds, later rounds, and tickets beside their reinits."""
    return _three(study, ACCURACY)


@figure("11", "Validation loss as training proceeds: it falls, bottoms out and rises")
def figure_11(study: Study) -> Figure:
    """Figure 3's panels, of the loss that early stopping goes by."""
    return _three(study, LOSS)


def _three(study: Study, course: Course) -> Figure:
    run = fullest(study, ("ticket", "reinit"), ("ticket",), curves=True)
    rounds = rounds_near(run, SIZES)
    if len(rounds) < 2 or 100.0 not in rounds:
        raise Absent("no iterative run with curves of the dense network and of a size the paper shows",
                     f"{RUN} {LENET.kinds['iterative']}")  # fmt: skip
    early, late = [100.0, 51.3, 21.1], [100.0, 21.1, 7.0, 3.6, 1.9]
    shown = [[("ticket", size) for size in sizes] for sizes in (early, late)]
    if "reinit" in run.arms:
        shown.append([*shown[0], ("reinit", 51.3), ("reinit", 21.1)])
    figure, axes = panels(len(shown))
    for each, courses in zip(axes, shown, strict=True):
        for arm, size in courses:
            if size in rounds:
                _line(each, run, arm, rounds[size], _look(arm, size), course)
        _frame(each, run, course)
    legend(figure)
    return figure


def _look(arm: str, size: float) -> Look:
    """Tickets by their size; a reinit has the colour and the marker of its ticket."""
    look = ordered([f"{compact(each)}%" for each in SIZES])[SIZES.index(size)]
    if arm == "ticket":
        return look._replace(dashes=SOLID)
    return look._replace(label=f"{look.label} reinit", dashes=DASHED, hollow=True)


def _line(axes: Axes, run: Results, arm: str, round: int, look: Look, course: Course) -> None:
    found = _spread(run, arm, round, course)
    if not len(found):
        return
    each = max(len(found) // BARS, 1)
    bars = np.maximum([found["mean"] - found["min"], found["max"] - found["mean"]], 0)
    start = SIZES.index(float(look.label.split("%")[0])) * each // len(SIZES)  # bars side by side
    axes.errorbar(found.index, found["mean"], bars, errorevery=(start, each), markevery=(start, each),
                  elinewidth=0.7, linewidth=1.0, **look.keywords())  # fmt: skip


def _spread(run: Results, arm: str, round: int, course: Course) -> pd.DataFrame:
    """Mean, min and max over the lanes that did not diverge, at the shown steps where all were evaluated."""
    assert run.curves is not None
    kept = run.rows(arm).query("round == @round and not diverged")[["trial", "repeat"]]
    rows = run.curves.query(
        "arm == @arm and round == @round and split == @course.split and step <= @course.until"
    )
    found = rows.merge(kept).groupby("step")[course.column].agg(["mean", "min", "max", "size"])
    return found[found["size"] == len(kept)]


def _frame(axes: Axes, run: Results, course: Course) -> None:
    """The paper's range where the dense network's line ends in it, else one about where it ends."""
    axes.set_xlabel("Training Iterations")
    axes.set_ylabel(course.label)
    steps_ticks(axes.xaxis)
    axes.set_xlim(0, min(course.until, run.experiment.train.steps))
    values: Sequence[np.ndarray] = [np.asarray(line.get_ydata(), float) for line in axes.lines]
    if not values:  # every lane diverged
        return
    dense = values[0]
    best = float(np.nanmin(dense) if course.column == "loss" else dense[-1])
    low, high = course.window
    if low < best < high:
        axes.set_ylim(low, high)
    elif course.column == "loss":
        axes.set_ylim(0, 3 * best)
    else:
        axes.set_ylim(best - 0.05, max(float(np.nanmax(each)) for each in values if len(each)) + 0.005)
