"""The error a user can act on, and the nearest-name hint that most of them want."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """A mistake of the user's, told in one sentence: the command lines print it and exit with 2."""


def unknown(kind: str, name: str, known: Iterable[str], hint: str = "") -> UserError:
    """The error for a ``name`` that is not among the ``known`` ones, with the nearest of them.

    Example:
        >>> str(unknown("arm", "reinti", ["ticket", "reinit"]))
        "there is no arm 'reinti'; did you mean 'reinit'?"
    """
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    advice = f"did you mean '{close[0]}'?" if close else f"there are: {', '.join(names)}."
    return UserError(f"there is no {kind} '{name}'; {advice}{' ' + hint if hint else ''}")
