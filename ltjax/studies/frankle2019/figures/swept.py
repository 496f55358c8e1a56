"""Figures of settings swept on LeNet (Appendix G, Figures 26 to 31), and what draws any such figure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from ltjax.analysis.results import Results, Study
from ltjax.plots.gallery import figure
from ltjax.plots.layout import beside, number_axis, panels, percent_axis, rate
from ltjax.plots.metrics import EARLY_STOP, NUMBER, PERCENT, VALID, Line, Metric, draw_metric
from ltjax.plots.sources import curved, those_there
from ltjax.plots.style import Look, ordered
from ltjax.studies.frankle2019.facts import NETWORKS
from ltjax.studies.frankle2019.runs import ticks_of


def sweep(
    study: Study, setting: str, title: str, *names: str, says: Callable[[Any], str] = "{:g}".format,
    x: str = PERCENT,
) -> Figure:  # fmt: skip
    """Early stopping and validation accuracy there, with a line for each point of a sweep.

    Args:
        study: the runs.
        setting: what was swept, by its dotted name.
        title: what the legends call it.
        names: the named experiments that sweep it, one for each network; those that the study has are drawn.
        says: writes a swept value in the legend.
        x: the summary's column of the horizontal axis.

    Raises:
        Absent: the study has none of them, or not their curves.
    """
    found = {
        name: {says(value): run for value, run in points.items()}
        for name, points in those_there(names, lambda name: curved(study, setting, name)).items()
    }
    return rows(found, (EARLY_STOP, VALID), title, x=x)


def rows(
    found: Mapping[str, Mapping[str, Results]], metrics: Sequence[Metric], title: str, *, x: str = PERCENT,
    looks: Callable[[Sequence[str]], Sequence[Look]] = ordered,
) -> Figure:  # fmt: skip
    """A row of panels for each named experiment, one for each metric, and a legend of the row's own.

    ``found`` has the points' runs by what the legend calls them, by the name of their experiment.
    """
    columns = len(metrics)
    figure, axes = panels(columns * len(found), columns=columns, width=3.9, height=2.8)
    for at, (name, runs) in enumerate(found.items()):
        drawn = [Line(look, runs[look.label].rows()) for look in looks(list(runs))]
        row = axes[columns * at : columns * (at + 1)]
        for each, metric in zip(row, metrics, strict=True):
            draw_metric(each, drawn, metric, x=x)
            if x == PERCENT:
                percent_axis(each, ticks_of(next(iter(runs.values()))))
            else:
                number_axis(each)
        beside(figure, row, list(runs), f"{NETWORKS[name.split('_')[0]].name}\n{title}")
    return figure


@figure("26", "LeNet by Adam at several learning rates")
def figure_26(study: Study) -> Figure:
    """Paper: 2e-4 to 2e-3 are alike, 1.2e-3 and 2e-3 fastest."""
    return sweep(study, "train.learning_rate", "learning rate", "lenet_adam_rates", says=rate)


@figure("27", "LeNet by SGD at several learning rates")
def figure_27(study: Study) -> Figure:
    """Paper: at 0.4 and 0.8 tickets hold to less than 1% of the size."""
    return sweep(study, "train.learning_rate", "learning rate", "lenet_sgd_rates", says=rate)


@figure("28", "LeNet by SGD with momentum 0.9 at several learning rates")
def figure_28(study: Study) -> Figure:
    """Paper: 0.025 to 0.1 are best."""
    return sweep(study, "train.learning_rate", "learning rate", "lenet_momentum_rates", says=rate)


@figure("29", "LeNet pruned by different shares in every round")
def figure_29(study: Study) -> Figure:
    """Paper: 10% and 20% clearly beat 40% and more."""
    return sweep(study, "prune.rates.fc", "pruned in a round", "lenet_pruning_rates", says="{:.0%}".format)


@figure("30", "LeNet from Gaussian initialisations of several widths, and from Glorot's")
def figure_30(study: Study) -> Figure:
    """Paper: tickets at every σ; 0.1 is about as good as Glorot."""

    def says(value: float | None) -> str:
        return "Glorot" if value is None else f"σ = {value:g}"

    return sweep(study, "model.init_std", "initialisation", "lenet_init_scales", says=says)


@figure("31", "LeNets of several sizes, by the number of weights that remain")
def figure_31(study: Study) -> Figure:
    """Paper: all are back at their own dense accuracy at about 9,000 to 15,000 weights."""

    def says(widths: tuple[int, ...]) -> str:
        return "-".join(map(str, widths))

    return sweep(study, "model.widths", "hidden units", "lenet_sizes", says=says, x=NUMBER)
