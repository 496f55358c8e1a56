"""The registry of figures: what each shows, and the pure function that draws it from a study."""

import functools
from collections.abc import Callable
from typing import NamedTuple, ParamSpec, TypeAlias

import matplotlib.style
from matplotlib.figure import Figure

from ltjax.analysis.results import Study
from ltjax.core.registry import Registry, definition_of
from ltjax.plots.style import STYLE

P = ParamSpec("P")

Draw: TypeAlias = Callable[[Study], Figure]
"""Draws a figure; raises ``ltjax.analysis.results.Absent`` where the study lacks what it needs."""


class Entry(NamedTuple):
    """A figure: a sentence that says what it shows, and the function that draws it."""

    title: str
    draw: Draw


FIGURES: Registry[Entry] = Registry("figure")
"""By the paper's number, or by a name where the paper has no such figure."""


def in_order() -> list[str]:
    """The names of all figures: the paper's in its order, then the others."""

    def place(name: str) -> tuple[float, str]:
        number = name.rstrip("abc")
        return float(number) if number.isdigit() else float("inf"), name

    return sorted(FIGURES, key=place)


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """The drawing function, called in ltjax's style whatever the user's is."""

    @functools.wraps(draw)
    def drawn(*arguments: P.args, **named: P.kwargs) -> Figure:
        with matplotlib.style.context(["default", STYLE]):
            return draw(*arguments, **named)

    return drawn


def figure(name: str, title: str, *, replace: bool = False) -> Callable[[Draw], Draw]:
    """A decorator that enters a drawing function, to be called in ltjax's style whatever the user's is.

    Raises:
        UserError: by the decorator, where ``name`` exists already and ``replace`` is False.
    """

    def enter(draw: Draw) -> Draw:
        FIGURES.enter(name, Entry(title, styled(draw)), definition_of(draw), replace=replace)
        return FIGURES[name].draw

    return enter
