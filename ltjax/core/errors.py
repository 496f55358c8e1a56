"""The error a user can act on, how its message shows what was given, and the nearest-name hint."""

import difflib
import unicodedata
from collections.abc import Iterable
from typing import Any

SHOWN = 100
"""Characters of a value that a message shows."""


class UserError(Exception):
    """A mistake of the user's, told in one sentence: the command lines print it and exit with 2."""


class Ending(Exception):
    """What ends work in good order and is nobody's mistake: it passes through whatever is running."""


def shown(value: Any) -> str:
    """A value as a message shows it: short, and as Python writes it, so that it is plain where it ends.

    Example:
        >>> shown("a b"), shown(3), len(shown("x" * 1000))
        ("'a b'", '3', 101)
    """
    try:
        text = repr(value)
    except Exception:  # a number of too many digits, or an object of the user's own
        return f"something of type {type(value).__name__} that cannot be shown"
    return text if len(text) <= SHOWN else f"{text[: SHOWN // 2]}…{text[-SHOWN // 2 :]}"


def escaped(text: str) -> str:
    """A text in one line; its control characters, which might act on a terminal, as Python writes them.

    Example:
        >>> escaped("red" + chr(27) + chr(10) + "light")
        'red\\\\x1b light'
    """
    return "".join(
        repr(each)[1:-1] if is_control(each) else each
        for each in text.replace("\n", " ")
    )  # fmt: skip


def sentence(text: object) -> str:
    """A text with a full stop, if it has no end yet."""
    return str(text) if str(text).endswith((".", "?", "!")) else f"{text}."


def first_line(error: BaseException) -> str:
    """What an error says first; what it is, where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def is_control(character: str) -> bool:
    """Whether a character is a control character or a lone surrogate, which no name or path can do with."""
    return unicodedata.category(character) in ("Cc", "Cs")


def unknown(kind: str, name: str, known: Iterable[str], hint: str = "") -> UserError:
    """The error for a ``name`` that is not among the ``known`` ones, with the nearest of them.

    Example:
        >>> str(unknown("arm", "reinti", ["ticket", "reinit"]))
        "there is no arm 'reinti'; did you mean 'reinit'?"
    """
    names = sorted(known)
    close = difflib.get_close_matches(name[:SHOWN], names, n=1, cutoff=0.5)
    advice = f"did you mean '{close[0]}'?" if close else f"there are: {', '.join(names)}."
    return UserError(f"there is no {kind} {shown(name)}; {advice}{' ' + hint if hint else ''}")
