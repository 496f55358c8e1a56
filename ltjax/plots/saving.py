"""Figures as files: PNG to look at, SVG to print, the same bytes each time."""

from collections.abc import Collection
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import matplotlib.style
from matplotlib.figure import Figure

from ltjax.analysis.results import Absent, Study
from ltjax.core.files import write_whole
from ltjax.plots.gallery import FIGURES, Entry, in_order
from ltjax.plots.style import STYLE

METADATA: dict[str, dict[str, Any]] = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}}
"""What matplotlib would write into a file of its own accord, left out: it changes from day to day."""


class Drawn(NamedTuple):
    """What became of a figure of the registry.

    ``title`` is what the figure's label (``Figure.set_label``) says was seen, else the registry's title.
    ``stem`` is the name of its files without ``.png`` and ``.svg``; where it could not be drawn ``stem`` is
    empty, ``missing`` says what the study lacks and ``command`` would run it.
    """

    name: str
    title: str
    stem: str = ""
    missing: str = ""
    command: str = ""


def draw(study: Study, folder: Path, names: Collection[str] | None = None) -> list[Drawn]:
    """Draw every figure that a study has the runs for, as PNG and SVG.

    Args:
        study: the runs.
        folder: where the files go; it is made.
        names: the figures to draw, by their names in the registry; by default all.

    Returns:
        An entry per figure of the registry, a paper's first and in its order, drawn or not.

    Raises:
        OSError: a file could not be written.
    """
    chosen = [name for name in in_order() if names is None or name in names]
    return [_drawn(study, folder, name, FIGURES[name]) for name in chosen]


def _drawn(study: Study, folder: Path, name: str, entry: Entry) -> Drawn:
    try:
        figure = entry.draw(study)
    except Absent as absent:
        return Drawn(name, entry.title, missing=absent.what, command=absent.command)
    stem = f"figure_{name}"
    save(figure, folder / stem)
    return Drawn(name, str(figure.get_label()) or entry.title, stem)


def save(figure: Figure, path: Path) -> None:
    """Write a figure beside ``path`` as ``.png`` and ``.svg``, each whole or not at all."""
    with matplotlib.style.context(["default", STYLE]):
        for kind, metadata in METADATA.items():

            def write(file: BinaryIO, kind: str = kind, metadata: dict[str, Any] = metadata) -> None:
                figure.savefig(file, format=kind, metadata=metadata)

            write_whole(path.with_name(f"{path.name}.{kind}"), write)
