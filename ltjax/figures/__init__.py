"""Every figure of the paper, drawn from runs that are finished. The only package that uses matplotlib.

Adding one takes a function ``(Study) -> matplotlib.figure.Figure`` under a ``@figure(name, title)`` line, in
a module imported here.
"""

from ltjax.figures import compared, courses, deep, distilled, networks, swept, swept_conv, tickets
from ltjax.figures.gallery import FIGURES, Entry, figure, in_order
from ltjax.figures.saving import Drawn, draw

__all__ = [
    "FIGURES",
    "Drawn",
    "Entry",
    "compared",
    "courses",
    "deep",
    "distilled",
    "draw",
    "figure",
    "in_order",
    "networks",
    "swept",
    "swept_conv",
    "tickets",
]
