"""Figures in a notebook: the last value of a cell, or what ``display`` is given, is seen."""

import io

import matplotlib.style
from matplotlib.figure import Figure
from PIL import Image

from ltjax.plots.style import STYLE

SCREEN = 110
"""Pixels an inch on a screen; files for print have more."""

COLOURS = 256
"""Colours of a figure in a notebook, which so is a third as large as with all of them."""


class Shown(Figure):
    """A figure that a notebook shows in ltjax's style, without a backend or a magic command."""

    def _repr_png_(self) -> bytes:
        with matplotlib.style.context(["default", STYLE]), io.BytesIO() as drawn, io.BytesIO() as small:
            self.savefig(drawn, format="png", dpi=SCREEN)
            full = Image.open(drawn).convert("RGB")
            full.quantize(COLOURS, dither=Image.Dither.NONE).save(small, format="png", optimize=True)
            return small.getvalue()
