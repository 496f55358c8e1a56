"""Errors in a user's own functions, told as the user's: a sentence with the file and the line."""

import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from traceback import walk_tb
from types import FrameType

from ltjax.core.errors import SHOWN, Ending, UserError, escaped, first_line, sentence

LIBRARY = sysconfig.get_path("stdlib")
"""Where Python's own modules lie."""

INSTALLED = {"site-packages", "dist-packages"}
"""The folders in which installed modules lie."""

PACKAGE = str(Path(__file__).parent.parent)
"""Where ltjax's modules lie."""


@contextmanager
def guarded(what: str, place: str = "") -> Iterator[None]:
    """A stretch that calls a function of a user's; an error inside becomes a ``UserError`` that says where.

    The sentence names the last line of the traceback that lies in ``place``; else the last that lies neither
    in ltjax nor in a library; else the last. An error of what ltjax has itself stays as it is, because it is
    not the user's, and so does whatever ends a program in good order. It can decorate a function too.

    Args:
        what: what is called, such as ``"the arm 'mine'"``.
        place: the file in which it was defined, or the module of a notebook's cell, as a registry knows it.

    Raises:
        UserError: something went wrong inside; its cause is the error.
    """
    try:
        yield
    except (UserError, Ending):
        raise
    except Exception as error:
        frames = [found for found in walk_tb(error.__traceback__) if found[0].f_code.co_filename != __file__]
        users = _of(frames, place) or [
            (frame, line) for frame, line in frames if not is_library(frame.f_code.co_filename)
        ]
        if not users and _lies_in(place, PACKAGE):
            raise
        raise UserError(_told(what, error, *(users or frames)[-1])) from error


def _of(frames: list[tuple[FrameType, int]], place: str) -> list[tuple[FrameType, int]]:
    """The frames of a place, unless that is ltjax's own."""
    if not place or _lies_in(place, PACKAGE):
        return []
    return [
        (frame, line)
        for frame, line in frames
        if place in (str(Path(frame.f_code.co_filename).resolve()), frame.f_globals.get("__name__"))
    ]


def is_library(file: str) -> bool:
    """Whether a file is one of ltjax, of a library, or code that Python makes (``<string>``)."""
    installed = not INSTALLED.isdisjoint(Path(file).parts)
    return installed or file.startswith("<") or _lies_in(file, PACKAGE) or _lies_in(file, LIBRARY)


def _lies_in(file: str, folder: str) -> bool:
    return Path(file).is_relative_to(folder)


def _told(what: str, error: Exception, frame: FrameType, line: int) -> str:
    kind, text = type(error).__name__, escaped(_text(error))
    said = f": {text[: 3 * SHOWN]}{'…' if len(text) > 3 * SHOWN else ''}" if text != kind else ""
    return sentence(f"{what} raised {kind} at {frame.f_code.co_filename}, line {line}{said}")


def _text(error: Exception) -> str:
    try:
        return first_line(error)
    except Exception:  # an error of the user's own, which cannot be shown
        return type(error).__name__
