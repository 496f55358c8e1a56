"""How figures look: one style, and one look for each arm in all of them.

Colours are Okabe and Ito's, which colour-blind readers tell apart; markers and dashes differ as well, so
that a figure reads in grey print. What is ordered (densities, learning rates, sizes) takes viridis instead.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, TypeAlias

import matplotlib

Dashes: TypeAlias = str | tuple[int, tuple[float, ...]]

STYLE: dict[str, Any] = {
    "font.size": 8.5, "axes.titlesize": 8.5, "axes.labelsize": 8.5, "legend.fontsize": 8,
    "xtick.labelsize": 7.5, "ytick.labelsize": 7.5,
    "axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.7,
    "axes.grid": True, "axes.grid.axis": "y", "grid.color": "#e6e6e6", "grid.linewidth": 0.6,
    "axes.axisbelow": True, "xtick.major.width": 0.7, "ytick.major.width": 0.7,
    "lines.linewidth": 1.3, "lines.markersize": 4.2, "errorbar.capsize": 1.6,
    "legend.frameon": False, "legend.handlelength": 2.8,
    "savefig.dpi": 160, "svg.fonttype": "path", "svg.hashsalt": "ltjax",
}  # fmt: skip
"""matplotlib's settings for every figure; the salt makes the names within an SVG repeatable."""

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, VERMILLION, PURPLE, GREY = "#0072B2", "#D55E00", "#CC79A7", "#7F7F7F"
INDIGO, WINE, OLIVE, TEAL, ROSE, SAND = "#332288", "#882255", "#999933", "#44AA99", "#AA4466", "#B09A30"
BROWN = "#8B5A2B"
"""Paul Tol's muted colours, two of them darker, and a brown: for what Okabe and Ito's have no place for."""
NOISE = ("#B8B8B8", "#939393", "#6B6B6B", "#3F3F3F")
"""More noise is darker."""

SOLID, DASHED, DOTTED, DASHDOT = "-", (0, (4, 1.6)), (0, (1, 1.4)), (0, (5, 1.4, 1, 1.4))
LONG: Dashes = (0, (8, 2))
DASHES: tuple[Dashes, ...] = (SOLID, DASHED, DASHDOT, DOTTED, LONG)
MARKERS = "osD^vP<>pX*h"
SEVERAL = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK)
OWN = (INDIGO, WINE, OLIVE, TEAL, ROSE, SAND)
"""The colours of several runs in one panel, and of arms of the user's own."""
OWN_MARKERS = ("d", (4, 1, 0), (8, 1, 0), "H")
"""The markers of arms of the user's own, which ltjax's arms have not: stars of four and of eight points."""


class Look(NamedTuple):
    """How one line is drawn and called."""

    label: str
    colour: Any
    marker: Any = ""
    dashes: Dashes = SOLID
    hollow: bool = False

    def keywords(self) -> dict[str, Any]:
        """What matplotlib's ``plot`` and ``errorbar`` take."""
        face = "white" if self.hollow else self.colour
        return {"label": self.label, "color": self.colour, "marker": self.marker, "linestyle": self.dashes,
                "markerfacecolor": face, "markeredgecolor": self.colour}  # fmt: skip


ARMS = {
    "ticket": Look("winning ticket", BLUE, "o"),
    "reinit": Look("random reinit", VERMILLION, "s", DASHED),
    "random": Look("random sparsity", GREEN, "^", DASHDOT),
    "shuffle": Look("shuffled mask", BLACK, "P", DOTTED),
    "resample": Look("resampled in each layer", PURPLE, "D", DASHDOT),
    "continued": Look("continued training", ORANGE, "v", DASHED),
    "noise_0.5": Look("ticket + 0.5σ noise", NOISE[0], "<", DASHED),
    "noise": Look("ticket + 1σ noise", NOISE[1], "p", DASHDOT),
    "noise_2": Look("ticket + 2σ noise", NOISE[2], ">", LONG),
    "noise_3": Look("ticket + 3σ noise", NOISE[3], "X", DOTTED),
    "step0": Look("pruned before training", SKY, "*", DOTTED),
}
"""The look of every arm, the same in all figures, and of the tickets of runs pruned before training."""


def second(look: Look, what: str) -> Look:
    """The look of what is set beside a line: its colour and its marker, hollow and dashed."""
    return look._replace(label=f"{look.label}, {what}", dashes=DASHED, hollow=True)


def arms(names: Iterable[str]) -> dict[str, Look]:
    """A look for each of a run's arms, tickets first and the user's own last.

    The user's own are called by their names, and told apart by colour, marker and dashes.
    """
    there = set(names)
    own = distinct(sorted(there - set(ARMS)), OWN, OWN_MARKERS)
    return {name: look for name, look in ARMS.items() if name in there} | {look.label: look for look in own}


def sided(look: Look, arm: Look) -> Look:
    """The look of an arm of the user's own beside a line: the line's colour, the arm's marker, hollow."""
    dashes = LONG if arm.dashes == SOLID else arm.dashes
    return Look(f"{look.label}, {arm.label}", look.colour, arm.marker, dashes, hollow=True)


def distinct(
    labels: Sequence[str], colours: Sequence[str] = SEVERAL, markers: Sequence[Any] = MARKERS
) -> list[Look]:
    """A look for each of several things without an order; markers are filled first, then hollow."""
    return [
        Look(label, colours[at % len(colours)], markers[at % len(markers)], DASHES[at % len(DASHES)],
             hollow=at // len(markers) % 2 == 1)
        for at, label in enumerate(labels)
    ]  # fmt: skip


def ordered(labels: Sequence[str]) -> list[Look]:
    """A look for each of several ordered things: viridis from dark to light, markers and dashes in turn."""
    colours = matplotlib.colormaps["viridis"]
    return [
        Look(label, colours(0.9 * at / max(len(labels) - 1, 1)), MARKERS[at % 12], DASHES[at % 5])
        for at, label in enumerate(labels)
    ]


def layers(names: Sequence[str]) -> dict[str, Look]:
    """A look for each layer, from input to output; none has the colour of tickets or reinits."""
    colours, markers = (BLACK, ORANGE, SKY, PURPLE), "os^D"
    dashes: tuple[Dashes, ...] = (SOLID, DASHED, DASHDOT, DOTTED)
    return {name: Look(name, colours[at % 4], markers[at % 4], dashes[at % 4])
            for at, name in enumerate(names)}  # fmt: skip
