"""What any paper's figures need: their registry, layout, looks, saving. It knows no paper.

A figure is a function ``(Study) -> matplotlib.figure.Figure`` under a ``@figure(name, title)`` line.
"""

from ltjax.plots import comparing, connectivity, methods, sweeping, tickets
from ltjax.plots.gallery import FIGURES, Entry, figure, in_order
from ltjax.plots.saving import Drawn, draw

__all__ = [
    "FIGURES",
    "Drawn",
    "Entry",
    "comparing",
    "connectivity",
    "draw",
    "figure",
    "in_order",
    "methods",
    "sweeping",
    "tickets",
]
