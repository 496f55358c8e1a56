"""Figures in a notebook: the last value of a cell, or what ``display`` is given, is seen."""

import io

import matplotlib.style
from matplotlib.figure import Figure

from ltjax.figures.style import STYLE

SCREEN = 110
"""Pixels an inch on a screen; files for print have more."""


class Shown(Figure):
    """A figure that a notebook shows in ltjax's style, without a backend or a magic command."""

    def _repr_png_(self) -> bytes:
        with matplotlib.style.context(["default", STYLE]), io.BytesIO() as file:
            self.savefig(file, format="png", dpi=SCREEN, metadata={"Software": None})
            return file.getvalue()
