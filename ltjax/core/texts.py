"""Text that comes from outside: what names and paths may hold, and files and JSON, which are data and end."""

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ltjax.core.errors import UserError, is_control, shown

LONGEST = 4096
"""Characters of a text setting or of an argument, at most."""

NAME_BYTES, PATH_BYTES = 255, 3000
"""Of a file's or folder's name, and of a whole path: what file systems take, less what ltjax adds to it."""

FILE_BYTES = 10_000_000
"""Of a file of settings; a configuration has some two thousand."""


def is_plain(text: str) -> bool:
    """Whether a text is free of control characters and lone surrogates, which no name or path can do with."""
    return len(text) <= LONGEST and not any(map(is_control, text))


def name_flaw(name: str) -> str:
    """Why a text cannot be the name of one folder, as what it must be; empty where it can."""
    if name in ("", ".", "..") or not is_plain(name) or set(name) & {"/", "\\"}:
        return "must be the name of one folder, without slashes"
    return f"must have at most {NAME_BYTES} bytes" if len(name.encode()) > NAME_BYTES else ""


def path_flaw(path: str) -> str:
    """Why a text cannot be a path, as what it must be; empty where it can."""
    if not path or not is_plain(path):
        return "must be a path, not empty and without control characters"
    if len(path.encode()) > PATH_BYTES or max(len(name.encode()) for name in path.split("/")) > NAME_BYTES:
        return f"must be a path of at most {PATH_BYTES} bytes, and {NAME_BYTES} in each of its names"
    return ""


def read_text(path: Path) -> str:
    """The text of a small UTF-8 file.

    Raises:
        UserError: there is none that can be read; the message says why, without naming it.
    """
    try:
        if path.exists() and not path.is_file():  # reading a pipe might never end
            raise UserError("it is no file")
        with path.open("rb") as file:
            content = file.read(FILE_BYTES + 1)
        if len(content) > FILE_BYTES:
            raise UserError(f"it has more than {FILE_BYTES} bytes")
        return content.decode()
    except OSError as error:
        raise UserError(error.strerror or type(error).__name__) from error
    except UnicodeDecodeError as error:
        raise UserError(f"it is no UTF-8 text: {error.reason} at byte {error.start}") from error


def read_json(text: str) -> Any:
    """What a JSON text says, strictly: no name twice in one object, no NaN or infinity.

    Raises:
        ValueError: the text is no JSON, or is nested too deeply.
    """
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise ValueError(f"{shown(twice)} is there twice")
    return found


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number of JSON's")


def written(value: Any) -> str:
    """A setting's value as a person writes it.

    Example:
        >>> written((300, 100)), written(50_000), written(None)
        ('300, 100', '50,000', '–')
    """
    if value is None or value == ():
        return "–"
    if isinstance(value, list | tuple):
        return ", ".join(map(written, value))
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def digits(value: float, most: int) -> str:
    """A number in so many digits; a large one is whole.

    Example:
        >>> digits(0.98, 4), digits(50257.3, 4), digits(1.5e-7, 2)
        ('0.9800', '50,257', '1.5e-07')
    """
    whole = 10 ** (most - 1) - 0.05 <= abs(value) < 1e9
    return f"{value:,.0f}" if whole else f"{value:#.{most}g}"


def spans(rounds: Iterable[int]) -> str:
    """Rounds in words, those that follow one another joined.

    Example:
        >>> spans([7]), spans([3, 5, 6, 7])
        ('round 7', 'rounds 3, 5–7')
    """
    spans: list[list[int]] = []
    for round in sorted(rounds):
        if spans and round == spans[-1][-1] + 1:
            spans[-1].append(round)
        else:
            spans.append([round])
    parts = [str(span[0]) if len(span) == 1 else f"{span[0]}–{span[-1]}" for span in spans]
    return f"round{'s' * (sum(map(len, spans)) > 1)} {', '.join(parts)}"


def duration(seconds: float) -> str:
    """Seconds as ``42 s``, ``3 min`` or ``2 h 05 min``.

    Example:
        >>> duration(42), duration(180), duration(7500)
        ('42 s', '3 min', '2 h 05 min')
    """
    minutes = round(seconds / 60)
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
