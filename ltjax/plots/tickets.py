"""One ticket seen from inside: its masks as images, and what its first units see. Not in the paper."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ltjax.analysis.weight_statistics import Layers, layers
from ltjax.core.errors import UserError
from ltjax.core.types import Mask, Ticket
from ltjax.plots.gallery import styled
from ltjax.plots.layout import panels
from ltjax.plots.showing import Shown

PRUNED = "#dedede"
"""The colour of a pruned connection among survivors, of which those about 0 are white."""


@styled
def mask_images(mask: Mask) -> Figure:
    """Every fully-connected layer's mask as an image, dark where a weight survives.

    A row is a unit, a column one of its inputs.

    Raises:
        UserError: there is no fully-connected layer.
    """
    kernels = _layers(mask)
    # as tall as a layer has units, but so that ten of them can still be seen beside three hundred
    heights = [max(0.012 * kernel.shape[1], 0.35) for kernel in kernels.values()]
    figure = Shown(figsize=(7.2, sum(heights) + 0.75 * len(heights)), layout="constrained")
    every = figure.subplots(len(kernels), 1, squeeze=False, height_ratios=heights).ravel()
    for axes, (name, kernel) in zip(every, kernels.items(), strict=True):
        axes.imshow(kernel.T, cmap="Greys", vmin=0, vmax=1, aspect="auto", interpolation="antialiased")
        axes.grid(visible=False)
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.set_ylabel("Unit")
        axes.set_title(f"{name}: {np.count_nonzero(kernel):,} of {kernel.size:,} connections", loc="left")
    every[-1].set_xlabel("Input of the Unit")
    return figure


@styled
def fields(ticket: Ticket, image: Sequence[int], units: int = 24) -> Figure:
    """What units of the first layer see: the initial values of their surviving weights, as images.

    Args:
        ticket: θ₀ under its mask.
        image: height, width and channels of the network's input; channels are summed.
        units: how many units to show, from the one that keeps most connections to the one that keeps fewest.

    Raises:
        UserError: no fully-connected layer sees the image.
    """
    (params, *_), (mask, *_) = (list(_layers(tree).values()) for tree in (ticket.params, ticket.mask))
    if len(mask) != math.prod(image):
        raise UserError(f"the first fully-connected layer has {len(mask)} inputs, not {math.prod(image)}.")
    counts = np.count_nonzero(mask, axis=0)
    order = np.argsort(-counts, kind="stable")
    shown = order[np.linspace(0, len(order) - 1, min(units, len(order))).round().astype(int)]
    figure, every = panels(len(shown), columns=8, width=1.0, height=1.1)
    limit = float(np.abs(params).max()) or 1.0
    for axes, unit in zip(every, shown, strict=True):
        values, alive = (np.reshape(each[:, unit], image) for each in (params, mask))
        seen = np.ma.array(values.sum(axis=-1), mask=~alive.any(axis=-1))
        drawn = axes.imshow(seen, cmap="RdBu", vmin=-limit, vmax=limit)
        axes.set(xticks=[], yticks=[], title=f"{counts[unit]}", facecolor=PRUNED)
        axes.spines[:].set_visible(False)
    figure.colorbar(drawn, ax=every, location="right", shrink=0.7, label="Initial Value")
    return figure


def _layers(tree: Mask) -> Layers:
    if not (found := layers(tree)):
        raise UserError("there is no fully-connected layer to look into.")
    return found
