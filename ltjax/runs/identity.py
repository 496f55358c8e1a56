"""What a run is beside its settings: the user's code and data. Kept in its folder, and compared with.

``identity.json`` has a checksum of every file of the user's, what each registers of what the experiment
names, a fingerprint of the data, and the changes that were accepted; ``code/`` has copies of the files, with
which others are compared by definitions. Nothing in it is ever run.
"""

import datetime
import json
import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

import jax

from ltjax.core.errors import UserError
from ltjax.core.files import write_text
from ltjax.core.keys import random_numbers
from ltjax.core.texts import read_json, read_text
from ltjax.core.trees import fingerprint
from ltjax.data import Dataset
from ltjax.data.sources import ARRAYS
from ltjax.runs import own_files, paths
from ltjax.runs.folder import read_config
from ltjax.runs.origins import Entry, named
from ltjax.runs.own_files import File, Files
from ltjax.settings import compatible, sweeps
from ltjax.settings.schema import OF_DATA, Experiment

CHECKSUM = "crc32"

MOST = 6
"""Differences that a message shows."""

ACCEPT = "accept that by --accept-changes (in Python accept_changes=True), which identity.json then tells"


@dataclass(frozen=True)
class Identity:
    """The user's files by name, the fingerprint of the data, and the changes that were accepted.

    ``names`` gives the entries of registries that the experiment names, whoever registered them; of a folder
    it is asked only where there are files of the user's to compare. ``files`` is
    None where nothing is known of them, as of a run from before they were kept; ``data`` where the data are
    none of the user's, or not known.
    """

    files: Files | None = field(default_factory=dict)
    data: str | None = None
    names: Callable[[], Collection[Entry]] = tuple
    accepted: tuple[Mapping[str, Any], ...] = ()


def identity_of(
    experiment: Experiment, dataset: Dataset | None = None, config: Path | None = None,
    points: Collection[Experiment] | None = None,
) -> Identity:  # fmt: skip
    """The identity of an experiment, as its code and data are now.

    Args:
        experiment: what is run; its entries of registries say which files belong to it.
        dataset: its data, where they are loaded.
        config: the ``.py`` file that is run for it, if one is.
        points: of its sweep, where they were made already.
    """
    entries = named(sweeps.points(experiment).values() if points is None else points)
    return Identity(own_files.files_of(entries, config), _data(experiment, dataset), lambda: entries)


def _data(experiment: Experiment, dataset: Dataset | None) -> str | None:
    """The fingerprint of data of the user's own; arrays that were given have it in their name."""
    for name in (experiment.task.name, experiment.data.name):
        if name.startswith(ARRAYS):
            return name
    of = Entry("data set", experiment.data.name) if experiment.task.name in OF_DATA else Entry(
        "task", experiment.task.name
    )  # fmt: skip
    return fingerprint(dataset) if dataset is not None and of.is_own else None


def changes(before: Identity | None, now: Identity) -> list[str]:
    """What differs between two identities, a line each; what one of them does not know is not compared."""
    lines: list[str] = []
    if before and before.files is not None and now.files is not None:
        names = before.names() if before.files or now.files else ()
        lines += own_files.changes(before.files, now.files, names)
    if before and before.data and now.data and before.data != now.data:
        lines.append(f"the data: their fingerprint is {_short(now.data)}, and was {_short(before.data)}")
    return lines


def _short(data: str) -> str:
    return data.removeprefix(ARRAYS)[:8]


def joined(known: Mapping[Path, Identity], to: Path) -> Identity:
    """The identity of runs that are merged, by their folders: where they differ, the first one's.

    It has the changes that each of them accepted, but for those of the run that they are merged into.
    """
    files: dict[str, File] | None = None
    for each in reversed(list(known.values())):
        files = files if each.files is None else {**(files or {}), **each.files}
    data = next((each.data for each in known.values() if each.data), None)
    accepted = ({"run": str(folder), **entry} for folder, each in known.items() if folder != to
                for entry in each.accepted)  # fmt: skip
    return Identity(files, data, tuple, tuple(accepted))


def told(lines: Sequence[str]) -> str:
    """Differences as a part of a sentence, not too many."""
    more = [f"and {len(lines) - MOST} more"] if len(lines) > MOST else []
    return "; ".join([*lines[:MOST], *more])


def read(folder: Path) -> Identity | None:
    """The identity that a run's folder keeps; of a point, the swept run's. None where there is none.

    Raises:
        UserError: ``identity.json`` is damaged; the message says what to do.
    """
    folder = home(folder)
    path = paths.identity(folder)
    if not path.exists():
        return _by_config(folder)
    try:
        said = read_json(read_text(path))
        if said.pop(CHECKSUM) != _checksum(said):
            raise ValueError("it is not as it was written")
        code, data, accepted = said["code"], said["data"], tuple(said["accepted"])
        files = code and {name: _copy(folder, name, each) for name, each in code.items()}
        return Identity(files, data, lambda: _names(folder), accepted)
    except (UserError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(
            f"'{path}' is damaged ({error}); put it back, or remove it and '{paths.code(folder)}': the run "
            "then continues without a comparison of its code and data, and gets new ones."
        ) from error


def _names(folder: Path) -> Collection[Entry]:
    """What a run's configuration names; nothing where it was lost."""
    try:
        return named(sweeps.points(read_config(folder)).values())
    except UserError:
        return ()


def _by_config(folder: Path) -> Identity | None:
    """What the configuration alone tells: the fingerprint of arrays."""
    try:
        name = read_config(folder).data.name
    except UserError:
        return None
    return Identity(None, name) if name.startswith(ARRAYS) else None


def _copy(folder: Path, name: str, said: Mapping[str, Any]) -> File:
    place = PurePosixPath(name)
    if place.is_absolute() or ".." in place.parts:
        raise ValueError(f"{name!r} is not the name of a file in code/")
    try:
        text = read_text(paths.code(folder) / name)
    except UserError:
        text = None
    whole = text is not None and zlib.crc32(text.encode()) == said[CHECKSUM]
    entries = tuple(Entry(str(kind), str(entry)) for kind, entry in said["entries"])
    return File(text if whole else None, int(said[CHECKSUM]), entries)


def home(folder: Path) -> Path:
    """Where a run's identity lies: of a sweep's point, in the swept run's folder."""
    above = folder.resolve().parent
    if paths.identity(folder).exists() or not paths.identity(above).exists():
        return folder
    try:
        return above if folder.resolve().name in sweeps.points(read_config(above)) else folder
    except UserError:
        return folder


def check(
    folder: Path, now: Identity, accept: bool, more: Sequence[str] = (),
    other: str = "choose another --workdir, ",
) -> list[str]:  # fmt: skip
    """The changes of a run's code and data, where they are accepted; none where nothing was trained yet.

    Args:
        folder: the run's.
        now: the identity of what is asked for.
        accept: whether changes are accepted.
        more: what else differs.
        other: what else the user can do, before an "or".

    Raises:
        UserError: there are changes, and they are not accepted; the message says what they are.
    """
    found = [*changes(read(folder), now), *more] if has_trained(folder) else []
    if found and not accept:
        raise UserError(
            f"'{folder}' was begun with other code or data: {told(found)}. Undo that, {other}or {ACCEPT}."
        )
    return found


def numerics_here(experiment: Experiment) -> list[str]:
    """What of a run's random numbers is set otherwise in this process, a line each."""
    x64 = bool(jax.config.jax_enable_x64)  # type: ignore[attr-defined]
    kept, here = experiment.numerics, {"random_numbers": random_numbers(), "x64": x64}
    return [f"numerics.{name} is {value!r} here, not {getattr(kept, name)!r}"
            for name, value in here.items() if getattr(kept, name) not in (None, value)]  # fmt: skip


def has_trained(folder: Path) -> bool:
    """Whether a folder, or one of a sweep's point in it, has any checkpoint."""
    kept = paths.rounds(folder).parent.name
    return any(next(folder.glob(pattern), None) for pattern in (kept, f"*/{kept}"))


def keep(folder: Path, now: Identity, accepted: Sequence[str] = (), command: str = "ltjax run") -> None:
    """Write the identity that a run has from now on, and the changes that were accepted; by its only writer.

    What changed files were before lies in ``code/before-N/`` from then on.

    Raises:
        UserError: a folder ``code`` is there that is the user's.
        OSError: it could not be written; repeating the command completes it.
    """
    before = read(folder) or Identity()
    files, entries = before.files or {}, list(before.accepted)
    if not has_trained(folder):
        for name in files:
            (paths.code(folder) / name).unlink(missing_ok=True)
        files, entries = {}, []
    entries += [each for each in now.accepted if each not in entries]
    if accepted:
        kept = f"before-{len(entries) + 1}"
        for name, file in files.items():
            if file.text is not None and file != (now.files or {}).get(name):
                write_text(paths.code(folder) / kept / name, file.text)
        told = {"before": f"code/{kept}"} if (paths.code(folder) / kept).exists() else {}
        entries.append(_accepted(accepted, command) | told)
    still = own_files.left(files, now.files or {})
    found = None if now.files is None else {**still, **now.files}
    _write(folder, Identity(found, now.data or before.data, accepted=tuple(entries)))


def record(folder: Path, accepted: Sequence[str], command: str) -> None:
    """Write down that a run was used with other code or data than its own, which it keeps.

    Raises:
        OSError: it could not be written.
    """
    folder = home(folder)
    before = read(folder) or Identity(None)
    _write(folder, replace(before, accepted=(*before.accepted, _accepted(accepted, command))))


def _accepted(changed: Sequence[str], command: str) -> dict[str, Any]:
    when = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    return {"when": when, "by": command, "changes": list(changed)}


def _write(folder: Path, identity: Identity) -> None:
    """Write ``identity.json`` first: a copy that a kill leaves out is written by the next start."""
    files = identity.files or {}
    if files and paths.code(folder).exists() and not paths.identity(folder).exists():
        raise UserError(
            f"'{paths.code(folder)}' is there already, and ltjax did not write it; move it away: copies of "
            "your files are to lie there."
        )
    code = {name: {CHECKSUM: each.checksum, "entries": [list(entry) for entry in each.entries]}
            for name, each in sorted(files.items())}  # fmt: skip
    said = {
        "code": None if identity.files is None else code, "data": identity.data,
        "accepted": list(identity.accepted),
    }  # fmt: skip
    _write_anew(paths.identity(folder), json.dumps({**said, CHECKSUM: _checksum(said)}, indent=2) + "\n")
    for name, file in files.items():
        if file.text is not None:
            _write_anew(paths.code(folder) / name, file.text)


def _write_anew(path: Path, text: str) -> None:
    """Write a file, unless it has this text already."""
    if not path.is_file() or path.read_bytes() != text.encode():
        write_text(path, text)


def _checksum(said: Mapping[str, Any]) -> int:
    return zlib.crc32(json.dumps(said, sort_keys=True).encode())


def with_arrays_of(folder: Path, experiment: Experiment) -> Experiment:
    """The experiment with the name of the arrays that a run was begun with, where both are of arrays.

    So that other arrays are told as another identity, and not as another experiment.
    """
    try:
        stored = read_config(folder) if has_trained(folder) else None
    except UserError:
        return experiment
    return _named_as(experiment, stored) if stored else experiment


def _named_as(experiment: Experiment, other: Experiment) -> Experiment:
    """The experiment with another's names of arrays, of its data or of its task, where both are of arrays."""
    if other.task.name.startswith(ARRAYS) and experiment.task.name.startswith(ARRAYS):
        experiment = replace(experiment, task=other.task)
    if other.data.name.startswith(ARRAYS) and experiment.data.name.startswith(ARRAYS):
        experiment = replace(experiment, data=replace(experiment.data, name=other.data.name))
    return experiment


def adopt_arrays(folder: Path, experiment: Experiment) -> None:
    """Let a run, and its points, name the arrays of an experiment, accepted in place of its own."""
    if not paths.config(folder).exists() or with_arrays_of(folder, experiment) == experiment:
        return
    homes = [paths.point(folder, point) for point in sweeps.points(read_config(folder))]
    for each in dict.fromkeys([*homes, folder]):  # the whole run's comes last: it is what others look at
        if paths.config(each).exists():
            kept = _named_as(read_config(each), experiment)
            write_text(paths.config(each), compatible.to_json(kept))
