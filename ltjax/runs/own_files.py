"""The files of the user's that belong to an experiment, and what differs between two times."""

import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain, count
from pathlib import Path
from typing import NamedTuple, TypeAlias

from ltjax.core import code
from ltjax.runs.origins import Entry, cell_of
from ltjax.settings import beside


class File(NamedTuple):
    """A file of the user's: its text, None where a copy is damaged; and what it registers that is named."""

    text: str | None
    checksum: int
    entries: tuple[Entry, ...] = ()


Files: TypeAlias = Mapping[str, File]
"""Files by their paths from the folder of the file that imports or registers."""


def file_of(text: str, entries: Sequence[Entry] = ()) -> File:
    """A file with this text."""
    return File(text, zlib.crc32(text.encode()), tuple(sorted(set(entries))))


def files_of(entries: Collection[Entry], config: Path | None = None) -> dict[str, File]:
    """The user's files that register what an experiment names, and what they import from their own folders.

    Args:
        entries: those that the experiment names.
        config: the ``.py`` file that is run for it, if one is.
    """
    starts: dict[Path, list[Entry]] = {} if config is None else {config.resolve(): []}
    cells = {}
    for entry in sorted(entries):
        if entry.file:
            starts.setdefault(entry.file, []).append(entry)
        elif entry.is_own and (text := cell_of(entry)):
            cells[f"notebook/{entry.kind}_{entry.name}.py".replace(" ", "_")] = file_of(text, [entry])
    return _labelled(starts) | cells


def _labelled(starts: Mapping[Path, Sequence[Entry]]) -> dict[str, File]:
    """Files and what they import, by names that tell them apart."""
    registering: dict[Path, list[Entry]] = {}
    labels: dict[Path, str] = {}
    texts: dict[Path, str] = {}
    for start in sorted(starts):
        found = code.files_of(start, beside.text_of)
        texts |= found
        for file in found:
            registering.setdefault(file, []).extend(starts[start])
            if file not in labels:
                label = file.relative_to(start.parent).as_posix()
                labels[file] = _apart(label, start.parent.name, set(labels.values()))
    return {labels[file]: file_of(texts[file], entries) for file, entries in registering.items()}


def _apart(label: str, folder: str, taken: set[str]) -> str:
    longer = (f"{folder}-{number}/{label}" for number in count(2))
    return next(each for each in chain((label, f"{folder}/{label}"), longer) if each not in taken)


def changes(before: Files, now: Files, names: Collection[Entry]) -> list[str]:
    """What differs between the files of two times, a line each.

    A file that registers nothing of what the experiment named counts only where it is there both times. A
    file that only has another name is the same.

    Args:
        before: the files that were.
        now: those that are.
        names: what the experiment named before, which the user's files need not have registered.
    """
    ours, theirs = _without_renamed(before, now), _without_renamed(now, before)
    return [line for name in sorted({*ours, *theirs})
            for line in _changes_of(name, ours.get(name), theirs.get(name), names)]  # fmt: skip


def left(before: Files, now: Files) -> dict[str, File]:
    """The files that are not there now, and that nothing which is registered now came from."""
    return {
        name: file for name, file in _without_renamed(before, now).items()
        if name not in now and not any(entry.is_registered for entry in file.entries)
    }  # fmt: skip


def _without_renamed(files: Files, others: Files) -> dict[str, File]:
    """Files without those that the others have under another name."""
    apart = [file for name, file in others.items() if name not in files]
    return {name: file for name, file in files.items()
            if name in others or not any(_is_same(file, other) for other in apart)}  # fmt: skip


def _is_same(one: File, other: File) -> bool:
    if one.text is None or other.text is None:
        return one.checksum == other.checksum
    return not code.differences(one.text, other.text)


def _changes_of(name: str, before: File | None, now: File | None, names: Collection[Entry]) -> Iterator[str]:
    if before and now and before.checksum == now.checksum:
        return
    if before and now:
        yield from (f"{name}: {each}" for each in _differences(before, now))
    had, has = (file.entries if file and _defines(file) else () for file in (before, now))
    if taken := [each for each in has if each in names and each not in had]:
        yield f"{_are(taken, 'is', 'are')} registered by {name} now"
    if not now and (lost := [each for each in had if each.is_registered]):
        yield f"{_are(lost, 'was', 'were')} registered by {name}, which is not there any more"


def _differences(before: File, now: File) -> list[str]:
    if before.text is None or now.text is None:
        return ["its copy in code/ is damaged or gone, so it cannot be compared"]
    return code.differences(before.text, now.text)


def _are(entries: Sequence[Entry], one: str, several: str) -> str:
    return f"{' and '.join(map(str, entries))} {one if len(entries) == 1 else several}"


def _defines(file: File) -> bool:
    return file.text is None or bool(code.definitions(file.text))
