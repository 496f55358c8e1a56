"""Figures that know no paper: runs given together, and every arm of one run."""

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from ltjax.analysis.results import Absent, Results, Study, varying
from ltjax.core.texts import written
from ltjax.plots.gallery import figure
from ltjax.plots.layout import MANY, colour_bar, legend, panels, percent_axis, rate
from ltjax.plots.metrics import EARLY_STOP, Line, compare, draw_metric, of_all, there, titled
from ltjax.plots.sources import lines
from ltjax.plots.style import ARMS, distinct, ordered


def every_arm(run: Results) -> Figure:
    """All arms of a run at early stopping, whatever the network: the panels of the paper's Figure 4a."""
    metrics = [EARLY_STOP, there("test", run.metric), there("train", run.metric)]
    return compare(lines(run, *(name for name in ARMS if name in run.arms)), metrics)


@figure("runs", "Runs side by side: early stopping and test accuracy there of each run's tickets")
def runs(study: Study) -> Figure:
    """A line for the tickets of every run, named by what differs between their settings."""
    if len(study.families) < 2:
        raise Absent("one run, and none to set beside it", "ltjax report RUN RUN")
    names, shown = called(study.runs), of_all(study.runs)
    looks = distinct(names) if len(names) <= MANY else ordered(names)
    drawn = [Line(look, run.rows()) for look, run in zip(looks, study.runs, strict=True)]
    figure, axes = panels(2, width=3.4)
    for each, metric in zip(axes, (EARLY_STOP, there("test", shown)), strict=True):
        draw_metric(each, drawn, metric)
        percent_axis(each)
    if len(names) > MANY:
        colour_bar(figure, axes, names, "run")
    else:
        legend(figure)
    titled(figure, shown, "Runs side by side: early stopping and test {} there of each run's tickets")
    return figure


def called(runs: Sequence[Results]) -> list[str]:
    """What runs are called beside one another: by one or two settings that differ, else by name or folder."""
    differ = varying(runs, ("value", "shape"))
    settings = [
        ", ".join(f"{name.rsplit('.', 1)[-1]} {valued(values[at])}" for name, values in differ.items())
        for at in range(len(runs))
    ]
    names = [f"{run.experiment.name} {run.point}".strip() for run in runs]
    folders = [f"{name} ({(run.folder.parent if run.point else run.folder).name})"
               for name, run in zip(names, runs, strict=True)]  # fmt: skip
    choices = [settings] * (len(differ) <= 2) + [names]
    return next((each for each in choices if len(set(each)) == len(each)), folders)


def valued(value: Any) -> str:
    """A setting's value in the words of a legend."""
    return rate(value) if isinstance(value, float) else written(value)
