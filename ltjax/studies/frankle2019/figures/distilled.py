"""Figures of tickets from inside (Appendix F, Figures 15, 16 and 19 to 24), by their weight statistics."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator, PercentFormatter

from ltjax.analysis import weight_statistics
from ltjax.analysis.results import RUN, Absent, Results, Study
from ltjax.data import DATASETS
from ltjax.plots.gallery import figure
from ltjax.plots.layout import legend, panels
from ltjax.plots.style import BLUE, DASHED, GREY, Look, layers
from ltjax.studies.frankle2019.facts import LENET
from ltjax.studies.frankle2019.runs import find

NAMES = {"adam": LENET.kinds["iterative"], "sgd": LENET.sgd}


def table(study: Study, what: str, optimizer: str = "adam") -> tuple[Results, pd.DataFrame]:
    """A run that was looked into, and its rows of one kind.

    Raises:
        Absent: no run has checkpoints or the table distilled from them, or none went far enough.
    """
    run = find(study, optimizer=optimizer, anatomy=True)
    assert run.anatomy is not None
    rows = run.anatomy[run.anatomy["what"] == what]
    if rows.empty and what in weight_statistics.OF_TRAINING and not run.anatomy.empty:
        raise Absent(f"no iterative run by {optimizer} with two rounds that kept its dense network's params",
                     f"{RUN} {NAMES[optimizer]} --keep tickets")  # fmt: skip
    if rows.empty:
        raise Absent(f"no iterative run by {optimizer} that went far enough to look into its tickets",
                     f"{RUN} {NAMES[optimizer]}")  # fmt: skip
    return run, rows


def by_round(rows: pd.DataFrame, x: str) -> Figure:
    """A panel of densities for each round, with an outline for each layer."""
    rounds = [round for round, _ in rows.groupby("round")]
    figure, axes = panels(len(rounds), columns=min(len(rounds), 4), width=2.35, height=2.1)
    looks = layers(list(dict.fromkeys(rows["layer"])))
    for each, round in zip(axes, rounds, strict=True):
        here = rows[rows["round"] == round]
        for name, look in looks.items():
            outline(each, here[here["layer"] == name], look)
        each.set_title(f"{here['percent_remaining'].iloc[0]:.2f}% remaining")
        each.set_xlabel(x)
        each.set_ylabel("Density")
        each.set_ylim(bottom=0)
    legend(figure)
    return figure


def outline(axes: Axes, rows: pd.DataFrame, look: Look) -> None:
    """The outline of a histogram whose bins have their middles at x; nothing where there are no rows."""
    if len(rows):
        middles = rows["x"].to_numpy()
        width = middles[1] - middles[0]
        edges = np.append(middles - width / 2, middles[-1] + width / 2)
        axes.stairs(rows["y"], edges, label=look.label, color=look.colour, linestyle=look.dashes)


def initial_values(study: Study, optimizer: str) -> Figure:
    """Density of the initial values of surviving weights, a panel for each size."""
    _, rows = table(study, "initial", optimizer)
    return by_round(rows, "Initial Value of Surviving Weights")


def connections(study: Study, what: str, optimizer: str) -> Figure:
    """Density of units by the share of their connections that survives, a panel for each size."""
    _, rows = table(study, what, optimizer)
    figure = by_round(rows, f"Surviving {what.title()} Connections")
    for axes, (_, here) in zip(figure.axes, rows[rows["y"] > 0].groupby("round"), strict=True):
        axes.set_xlim(0, min(1.0, here["x"].max() + 0.03))
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    return figure


def split(study: Study, what: str, x: str) -> Figure:
    """A density of the dense network's weights, in the ticket and not, a panel for each layer."""
    _, rows = table(study, what)
    names = list(dict.fromkeys(rows["layer"]))
    figure, axes = panels(len(names), columns=len(names))
    looks = [Look(weight_statistics.INSIDE, BLUE), Look(weight_statistics.OUTSIDE, GREY, dashes=DASHED)]
    for each, name in zip(axes, names, strict=True):
        for look in looks:
            outline(each, rows[(rows["layer"] == name) & (rows["group"] == look.label)], look)
        each.set_title(name)
        each.set_xlabel(x)
        each.set_ylabel("Density")
        each.set_ylim(bottom=0)
    percent = rows["percent_remaining"].iloc[0]
    legend(figure, title=f"weights of the dense network, by the ticket with {percent:.2f}% remaining")
    return figure


@figure("15", "Initial values of the weights that survive in tickets found by Adam")
def figure_15(study: Study) -> Figure:
    """Paper: the first layer keeps its Gaussian, the others become bimodal."""
    return initial_values(study, "adam")


@figure("16", "Initial values of the weights that survive in tickets found by SGD")
def figure_16(study: Study) -> Figure:
    """Paper: all layers become bimodal."""
    return initial_values(study, "sgd")


@figure("19", "How far weights of the dense network move in training, in the ticket and not")
def figure_19(study: Study) -> Figure:
    """Paper: weights of the ticket move more."""
    return split(study, "movement", r"$|\theta_T - \theta_0|$")


@figure("20", "How much weights of the dense network grow in training, in the ticket and not")
def figure_20(study: Study) -> Figure:
    """Paper: weights of the ticket tend to grow."""
    return split(study, "growth", r"$|\theta_T| - |\theta_0|$")


@figure("21", "Incoming connections that each unit keeps in tickets found by Adam")
def figure_21(study: Study) -> Figure:
    """Paper: unimodal about the layer's density; the output layer is denser."""
    return connections(study, "incoming", "adam")


@figure("22", "Incoming connections that each unit keeps in tickets found by SGD")
def figure_22(study: Study) -> Figure:
    """Figure 21 for SGD."""
    return connections(study, "incoming", "sgd")


@figure("23", "Outgoing connections that each unit keeps in tickets found by Adam")
def figure_23(study: Study) -> Figure:
    """Paper: uneven; the input's are bimodal, pixels of the edge and of the centre."""
    return connections(study, "outgoing", "adam")


@figure("24", "Outgoing connections that each unit keeps in tickets found by SGD")
def figure_24(study: Study) -> Figure:
    """Paper: as Figure 23, less bimodal."""
    return connections(study, "outgoing", "sgd")


@figure("layers", "How dense each layer of the tickets is, round by round")
def densities(study: Study) -> Figure:
    """Surviving share of each layer against the round; not in the paper."""
    _, rows = table(study, "density")
    figure, (axes,) = panels(1, width=4.4)
    for name, look in layers(list(dict.fromkeys(rows["layer"]))).items():
        here = rows[rows["layer"] == name].sort_values("round")
        # larger and hollow, so that layers of equal density show through one another
        axes.plot(here["round"], 100 * here["y"], **look._replace(hollow=True).keywords())
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(FixedLocator([100, 70, 50, 30, 20, 10, 5, 2, 1, 0.5, 0.2, 0.1]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("Pruning Round")
    axes.set_ylabel("Percent of Layer Remaining")
    legend(figure)
    return figure


@figure("pixels", "Which pixels the tickets look at: surviving share of each pixel's connections")
def pixels(study: Study) -> Figure:
    """A map of the input for every fourth round, dark where little survives; not in the paper."""
    run, rows = table(study, "pixels")
    shape = DATASETS.find(run.experiment.data.name).inputs.shape
    maps = {round: here for round, here in rows.groupby("round") if round and len(here) == math.prod(shape)}
    if not maps:
        raise Absent("no pruned network whose first layer sees the pixels",
                     f"{RUN} {NAMES['adam']}")  # fmt: skip
    figure, axes = panels(len(maps), columns=min(len(maps), 5), width=1.9, height=2.0)
    for each, here in zip(axes, maps.values(), strict=True):
        _map(figure, each, here, shape)
    return figure


def _map(figure: Figure, axes: Axes, rows: pd.DataFrame, shape: Sequence[int]) -> None:
    share = rows.sort_values("x")["y"].to_numpy().reshape(shape).mean(axis=-1)
    # a few pixels keep far more than all others; the brightest colour is for them together
    image = axes.imshow(100 * share, vmin=0, vmax=float(np.quantile(100 * share, 0.99)), cmap="viridis")
    axes.set_axis_off()
    axes.set_title(f"{rows['percent_remaining'].iloc[0]:.2f}% remaining")
    figure.colorbar(image, ax=axes, orientation="horizontal", extend="max", format="%g%%", pad=0.04,
                    label="Connections Kept")  # fmt: skip
