"""Figures of swept settings (Appendix G, Figures 26 to 31): early stopping and validation accuracy there."""

from collections.abc import Callable
from typing import Any

from matplotlib.figure import Figure

from ltjax.figures.gallery import figure
from ltjax.figures.layout import legend, number_axis, panels, percent_axis
from ltjax.figures.metrics import EARLY_STOP, NUMBER, PERCENT, VALID, Line, draw_metric
from ltjax.figures.style import ordered
from ltjax.study import Absent, Study


def sweep(
    study: Study, setting: str, name: str, title: str, *,
    says: Callable[[Any], str] = "{:g}".format, x: str = PERCENT,
) -> Figure:  # fmt: skip
    """Two panels with a line for each point of a sweep; ``says`` writes the swept value in the legend."""
    found = study.sweep(setting, name)
    ascending = sorted(found, key=lambda value: (value is None, value or 0))  # None is Glorot's
    rows = {says(value): found[value].rows() for value in ascending if found[value].curves is not None}
    if not rows:
        raise Absent(f"no curves of the sweep of {setting}", f"python -m ltjax.run --config {name}")
    drawn = [Line(look, rows[look.label]) for look in ordered(list(rows))]
    figure, axes = panels(2, columns=2, width=3.9, height=2.8)
    for each, metric in zip(axes, (EARLY_STOP, VALID), strict=True):
        draw_metric(each, drawn, metric, x=x)
        if x == PERCENT:
            percent_axis(each)
        else:
            number_axis(each)
    legend(figure, title=title, right=True)
    return figure


def rate(value: float) -> str:
    """A learning rate in the fewest characters.

    Example:
        >>> rate(2.5e-05), rate(0.0012)
        ('2.5e-5', '0.0012')
    """
    return f"{value:g}".replace("e-0", "e-")


@figure("26", "LeNet by Adam at eight learning rates")
def figure_26(study: Study) -> Figure:
    """Paper: 2e-4 to 2e-3 are alike, 1.2e-3 and 2e-3 fastest."""
    return sweep(study, "train.learning_rate", "lenet_adam_rates", "learning rate", says=rate)


@figure("27", "LeNet by SGD at eight learning rates")
def figure_27(study: Study) -> Figure:
    """Paper: at 0.4 and 0.8 tickets hold to less than 1% of the size."""
    return sweep(study, "train.learning_rate", "lenet_sgd_rates", "learning rate", says=rate)


@figure("28", "LeNet by SGD with momentum 0.9 at seven learning rates")
def figure_28(study: Study) -> Figure:
    """Paper: 0.025 to 0.1 are best."""
    return sweep(study, "train.learning_rate", "lenet_momentum_rates", "learning rate", says=rate)


@figure("29", "LeNet pruned by 10% to 80% in every round")
def figure_29(study: Study) -> Figure:
    """Paper: 10% and 20% clearly beat 40% and more."""
    return sweep(study, "prune.rates.fc", "lenet_pruning_rates", "pruned in a round", says="{:.0%}".format)


@figure("30", "LeNet from Gaussian initialisations of six widths, and from Glorot's")
def figure_30(study: Study) -> Figure:
    """Paper: tickets at every σ; 0.1 is about as good as Glorot."""

    def says(value: float | None) -> str:
        return "Glorot" if value is None else f"σ = {value:g}"

    return sweep(study, "model.init_std", "lenet_init_scales", "initialisation", says=says)


@figure("31", "LeNets of ten sizes, by the number of weights that remain")
def figure_31(study: Study) -> Figure:
    """Paper: all are back at their own dense accuracy at about 9,000 to 15,000 weights."""

    def says(widths: tuple[int, ...]) -> str:
        return "-".join(map(str, widths))

    return sweep(study, "model.widths", "lenet_sizes", "hidden units", says=says, x=NUMBER)
