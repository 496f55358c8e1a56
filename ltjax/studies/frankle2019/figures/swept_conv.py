"""Figures of settings swept on Conv-2, Conv-4 and Conv-6 (Appendix H, Figures 32 to 37), a row for each."""

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from ltjax.analysis.results import Study
from ltjax.plots.gallery import figure
from ltjax.plots.layout import rate
from ltjax.plots.metrics import EARLY_STOP, NUMBER, TEST
from ltjax.plots.sources import those_there
from ltjax.plots.style import BLUE, DASHDOT, DASHED, GREEN, ORANGE, Look
from ltjax.studies.frankle2019.figures.networks import CONVS
from ltjax.studies.frankle2019.figures.swept import rows, sweep

KINDS = ("prune.rates.conv", "prune.rates.fc", "prune.rates.output")


LAYERS = {
    "all": Look("all", BLUE, "o"),
    "fully-connected only": Look("fully-connected only", ORANGE, "s", DASHED),
    "convolutions only": Look("convolutions only", GREEN, "^", DASHDOT),
}
"""The look of Figure 37's lines, by which layers were pruned."""


def _names(kind: str) -> list[str]:
    """The named experiments of a kind: ``conv2_adam_rates`` …"""
    return [f"{name}_{kind}" for name in CONVS]


def _rates(study: Study, kind: str) -> Figure:
    return sweep(study, "train.learning_rate", "learning rate", *_names(kind), says=rate)


@figure("32", "Conv-2, Conv-4 and Conv-6 by Adam at several learning rates")
def figure_32(study: Study) -> Figure:
    """Paper: the pattern of tickets at all but the highest."""
    return _rates(study, "adam_rates")


@figure("33", "Conv-2, Conv-4 and Conv-6 by SGD at several learning rates")
def figure_33(study: Study) -> Figure:
    """Paper: dense networks 2 to 3 points below Adam's."""
    return _rates(study, "sgd_rates")


@figure("34", "Conv-2, Conv-4 and Conv-6 by SGD with momentum 0.9 at several learning rates")
def figure_34(study: Study) -> Figure:
    """Paper: the pattern mostly holds, but for the lowest and the highest."""
    return _rates(study, "momentum_rates")


@figure("35", "Conv-2, Conv-4 and Conv-6 with different shares of their convolutions pruned in every round")
def figure_35(study: Study) -> Figure:
    """Fully-connected layers are pruned by 20% at every point."""
    names = _names("pruning_rates")
    return sweep(study, "prune.rates.conv", "pruned in a round", *names, says="{:.0%}".format)


@figure("36", "Conv-2, Conv-4 and Conv-6 with dropout, by Adam at several learning rates")
def figure_36(study: Study) -> Figure:
    """Paper: at 1e-4 Conv-2 fails to train until it is pruned past 26.5%."""
    return _rates(study, "dropout_rates")


@figure("37", "Conv-2, Conv-4 and Conv-6 with only their convolutions pruned, or only their other layers")
def figure_37(study: Study) -> Figure:
    """Paper: convolutions alone give higher accuracy, sooner; the other layers alone are generally worse."""
    points = those_there(_names("layers"), lambda name: study.sweep(KINDS, name))
    found = {name: {_pruned(rates): run for rates, run in runs.items()} for name, runs in points.items()}
    return rows(
        found, (EARLY_STOP, TEST), "pruned layers", x=NUMBER,
        looks=lambda labels: [LAYERS[label] for label in labels],
    )  # fmt: skip


def _pruned(rates: Sequence[Any]) -> str:
    """Which layers rates of convolutions, fully-connected layers and the output prune."""
    conv, *others = rates
    if conv is None:
        return "fully-connected only"
    return "all" if any(others) else "convolutions only"
