"""Figures of training itself: accuracy and loss against the step, for some sizes (Figures 3 and 11)."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ltjax.analysis.results import RUN, Absent, Results, Study
from ltjax.claims.statistics import sizes
from ltjax.plots.gallery import figure
from ltjax.plots.layout import compact, legend, panels, steps_ticks
from ltjax.plots.leaving import mark_exits
from ltjax.plots.sources import own, rounds_near
from ltjax.plots.style import DASHED, SOLID, Look, arms, ordered, sided
from ltjax.studies.frankle2019.facts import AXES, LENET
from ltjax.studies.frankle2019.runs import fullest

SIZES = tuple(LENET.sizes.values())
"""The percentages of weights remaining that the paper shows."""

EDGE = 0.3
"""The share of the paper's range in which lines are squeezed: the bottom of accuracy, the top of loss."""

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


@figure("3", "Test accuracy as training proceeds: tickets of several sizes, and other arms beside theirs")
def figure_3(study: Study) -> Figure:
    """Panels of early rounds, later rounds, and tickets beside their reinits and the user's own arms."""
    return _panels(study, ACCURACY)


@figure("11", "Validation loss, by which the early stop is found, as training proceeds: Figure 3's panels")
def figure_11(study: Study) -> Figure:
    """Figure 3's panels, of the loss that early stopping goes by."""
    return _panels(study, LOSS)


def _panels(study: Study, course: Course) -> Figure:
    run = fullest(study, ("ticket", "reinit"), ("ticket",), curves=True)
    looks = _looks(run)
    if len(looks) < 2:
        raise Absent("no iterative run with curves of the dense network and of a ticket",
                     f"{RUN} {LENET.kinds['iterative']}")  # fmt: skip
    shown = _shown(run, list(looks))
    figure, axes = panels(len(shown))
    for each, courses in zip(axes, shown, strict=True):
        for arm, round in courses:
            _line(each, run, arm, round, looks, course)
        _frame(each, run, course)
    legend(figure)
    return figure


def _looks(run: Results) -> dict[int, Look]:
    """The tickets' looks by round: of the paper's sizes where a run has three of them, else of its own."""
    percent = sizes(run)
    near = sorted(set(rounds_near(run, SIZES).values()))
    every = percent.index.to_numpy()
    if len(every) <= len(SIZES) or len(near) < 3 or 0 not in near:
        near = every[np.linspace(0, len(every) - 1, min(len(SIZES), len(every))).round().astype(int)].tolist()
    looks = ordered([f"{compact(percent[round])}%" for round in near])
    return {round: look._replace(dashes=SOLID) for round, look in zip(near, looks, strict=True)}


def _shown(run: Results, rounds: Sequence[int]) -> list[list[tuple[str, int]]]:
    """The arms and rounds of each panel: larger tickets, smaller ones, and a panel for every other arm."""
    early, late = rounds[:3], [rounds[0], *rounds[2:]]
    shown = [[("ticket", round) for round in each] for each in ([early, late] if rounds[3:] else [early])]
    for arm in [name for name in ("reinit",) if name in run.arms] + own(run):
        had = set(run.rows(arm)["round"])
        if both := [round for round in rounds[1:] if round in had][:2]:
            shown.append(
                [*[("ticket", round) for round in (rounds[0], *both)], *((arm, round) for round in both)]
            )
    return shown


def _line(axes: Axes, run: Results, arm: str, round: int, looks: Mapping[int, Look], course: Course) -> None:
    """A line; another arm than the ticket has its ticket's colour, and the user's own their own marker."""
    found = _spread(run, arm, round, course)
    if not len(found):
        return
    look = looks[round]
    if arm != "ticket":
        mine = arms(run.arms)[arm]
        look = sided(look, mine) if arm in own(run) else look._replace(dashes=DASHED, hollow=True)
        look = look._replace(label=f"{looks[round].label} {arm}")
    each = max(len(found) // BARS, 1)
    bars = np.maximum([found["mean"] - found["min"], found["max"] - found["mean"]], 0)
    start = list(looks).index(round) * each // len(looks)  # bars side by side
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
    """The paper's range where the dense network ends well within it, else one about where it ends."""
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
    squeezed = EDGE * (high - low)
    fits = low < best < high - squeezed if course.column == "loss" else low + squeezed < best < high
    if fits:
        axes.set_ylim(low, high)
    elif course.column == "loss":
        axes.set_ylim(0, 3 * best)
    else:
        axes.set_ylim(best - 0.05, max(float(np.nanmax(each)) for each in values if len(each)) + 0.005)
    mark_exits(axes, entries=False)
