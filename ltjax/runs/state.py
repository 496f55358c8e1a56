"""What a folder is to the experiment asked to run in it, and what follows: asked and decided here alone."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from ltjax.core.errors import UserError
from ltjax.runs import checkpoints, paths
from ltjax.runs.folder import read_config
from ltjax.settings import compatible, sweeps
from ltjax.settings.plain import built
from ltjax.settings.schema import Experiment


@dataclass(frozen=True)
class New:
    """No folder, or only hidden files in it, as a lock or a killed first write leaves them."""


@dataclass(frozen=True)
class Bare:
    """Another experiment's run that was refused or stopped before it trained anything."""


@dataclass(frozen=True)
class Ours:
    """A run of this experiment, as far as it was asked for before."""

    stored: Experiment


@dataclass(frozen=True)
class Another:
    """A run of another experiment; what differs, a line each."""

    differences: tuple[str, ...]


@dataclass(frozen=True)
class Damaged:
    """A run that can be read at most; the reason is a whole message."""

    reason: str


@dataclass(frozen=True)
class Foreign:
    """A file, or a folder of other things."""


State = New | Bare | Ours | Another | Damaged | Foreign


Points: TypeAlias = Mapping[str, Experiment]
"""An experiment's points by name; itself by the name "" where nothing is swept."""


def state_of(folder: Path, asked: Experiment, points: Points) -> State:
    """What a folder is to an experiment, whose points these are; writes nothing.

    Raises:
        OSError: the folder cannot be read.
    """
    if _is_empty(folder):
        return New()
    try:
        stored = _stored(folder, asked, points)
    except UserError as error:
        return Damaged(str(error))
    if stored is None:
        return Foreign()
    if differences := compatible.differences(stored, asked):
        return Bare() if _is_bare(folder) else Another(tuple(differences))
    if paths.summary(folder).exists() and not (asked.sweep or paths.rounds(folder).parent.exists()):
        return Damaged(
            f"'{folder}' holds the tables of a run without its checkpoints, so it cannot be continued; "
            "choose another folder."
        )
    return Ours(stored)


def will_hold(folder: Path, asked: Experiment, points: Points, option: str = "--workdir") -> Experiment:
    """What a folder will hold once an experiment is run in it, or runs are merged into it.

    Args:
        folder: the folder; of a sweep, its points' folders are looked at too.
        asked: the experiment.
        points: its points.
        option: what names the folder on the command line.

    Raises:
        UserError: the folder holds another experiment, something else or damaged files.
    """
    grown = _grown(folder, asked, points, option)
    for point, each in points_of(grown, asked, points).items() if asked.sweep else ():
        _grown(paths.point(folder, point), each, {"": each}, option)
    return grown


def points_of(grown: Experiment, asked: Experiment, points: Points) -> Points:
    """The points that a folder will hold: those asked for, unless it holds more."""
    return points if grown == asked else sweeps.points(grown)


def _grown(folder: Path, asked: Experiment, points: Points, option: str) -> Experiment:
    match state_of(folder, asked, points):
        case New() | Bare():
            return asked
        case Ours(stored):
            return _extended(folder, stored, asked, option)
        case Another(differences):
            raise UserError(
                f"'{folder}' holds another experiment; choose another {option}. They differ in "
                + "; ".join(differences) + "."
            )  # fmt: skip
        case Damaged(reason):
            raise UserError(reason)
        case Foreign():
            raise UserError(f"'{folder}' holds something that is no run of ltjax; choose another {option}.")


def _extended(folder: Path, stored: Experiment, asked: Experiment, option: str) -> Experiment:
    grown = compatible.extended(stored, asked)
    grows = grown.sweep != stored.sweep
    if grows and (renamed := set(sweeps.points(stored)) - set(sweeps.points(grown))):
        raise UserError(
            f"two points are called '{min(renamed)}' if those asked for are added to '{folder}'; choose "
            f"another {option}."
        )
    return grown


def _stored(folder: Path, asked: Experiment, points: Points) -> Experiment | None:
    """What a folder holds, by its configuration or, where that was lost, by all else; None if no run."""
    if paths.config(folder).exists():
        return read_config(folder)
    own = folder.is_dir() and all(paths.is_own(path) or path.name in points for path in _visible(folder))
    if not own or not (asked.sweep or paths.rounds(folder).parent.exists()):  # tables alone
        return None
    homes = paths.rounds(folder), paths.theta0(folder, 0).parent
    kept = [checkpoints.note(path).get("experiment")
            for home in homes for path in checkpoints.finished(home)]  # fmt: skip
    try:
        found = functools.reduce(compatible.extended, map(built, kept or [asked]))
        return compatible.begun(found) if kept else found
    except (ValueError, TypeError):  # another version's settings, or none
        return None


def _is_empty(folder: Path) -> bool:
    return not _visible(folder) if folder.is_dir() else not folder.exists()


def _is_bare(folder: Path) -> bool:
    """Whether a folder has only what a run writes before it trains."""
    config = paths.config(folder)
    early = {config, paths.environment(folder), paths.tensorboard(folder), paths.wandb(folder)}
    if paths.identity(folder).exists():
        early |= {paths.identity(folder), paths.code(folder)}
    # a configuration without a checksum was written by hand, and is the user's
    return _visible(folder) <= early and compatible.CHECKSUM.encode() in config.read_bytes()


def _visible(folder: Path) -> set[Path]:
    return {path for path in folder.iterdir() if not path.name.startswith(".")}
