"""Reading figures back: their panels, legends and lines; and the plainest runs to draw."""

from dataclasses import replace

import numpy as np

from ltjax.settings.loading import load_experiment

from .conftest import with_prune

CIFAR = ["5", "6", "7", "8", "10", "13", *map(str, range(32, 46))]
"""The figures of CIFAR networks alone, which no run of LeNet suffices for."""


def same(arm, round, trial, repeat):
    """Every lane as made_up has it by default."""
    return {}


def tickets(rounds=3):
    return with_prune(replace(load_experiment("lenet_iterative"), trials=2), rounds=rounds)


def panels(figure):
    return [axes for axes in figure.axes if axes.axison and axes.get_ylabel()]


def labels(figure):
    """The entries of a figure's one legend."""
    (legend,) = figure.legends or [axes.get_legend() for axes in figure.axes if axes.get_legend()]
    return [text.get_text() for text in legend.get_texts()]


def lines(axes):
    """Every line with error bars: its label to x, mean, low and high, as drawn."""
    found = {}
    for container in axes.containers:
        line, _, (bars,) = container.lines
        ends = np.array([segment[:, 1] for segment in bars.get_segments()])
        found[container.get_label()] = (line.get_xdata(), line.get_ydata(), ends[:, 0], ends[:, 1])
    return found


def empty(figure):
    """The panels, by title or axis, that show no number: no line with a point, no image and no outline."""

    def shows(axes):
        drawn = [line.get_ydata() for line in axes.lines] + [image.get_array() for image in axes.images]
        drawn += [patch.get_data().values for patch in axes.patches if hasattr(patch, "get_data")]
        return any(np.isfinite(np.asarray(numbers, float)).any() for numbers in drawn)

    shown = [
        axes for axes in figure.axes if (axes.axison or axes.images) and axes.get_label() != "<colorbar>"
    ]
    return [axes.get_title() or axes.get_ylabel() for axes in shown if not shows(axes)] if shown else ["all"]
