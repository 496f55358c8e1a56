"""The folder of a run: what was trained, kept so that repeating the command continues it.

A part is what one call of the lane program trained. Its curves are written first, then its checkpoint,
whose note holds its summary rows: once the checkpoint is there the part is done, and ``summary.csv`` is
always what the notes say. So a kill at any moment loses at most the part being trained.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ltjax import checkpoints, identity, masks, paths, sweeps, tables
from ltjax.config import Experiment
from ltjax.errors import UserError
from ltjax.files import write_text, write_whole
from ltjax.lottery import Round
from ltjax.search import Outcome
from ltjax.trees import take
from ltjax.types import Lane, Params, Ticket


class Run:
    """A run's folder, opened; the past that ``find_tickets`` continues from.

    Args:
        folder: the run's folder, which exists.

    Raises:
        UserError: it holds no run, or a damaged one.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.experiment = read_config(folder)
        self.parts: dict[int, list[tuple[Path, dict[str, Any]]]] = {}
        for path in filter(paths.is_part, checkpoints.finished(paths.rounds(folder))):
            round, _ = paths.round_and_part(path)
            self.parts.setdefault(round, []).append((path, checkpoints.note(path)))

    def lanes(self, round: int) -> set[Lane]:
        """The lanes trained in a round."""
        return {lane for _, note in self.parts.get(round, []) for lane in _lanes(note)}

    def theta0(self, trial: int) -> Params | None:
        """The initial params of a trial, or None where none are kept yet."""
        path = paths.theta0(self.folder, trial)
        return checkpoints.load(path) if path.exists() else None

    def outcome(self, round: int, lane: Lane) -> Outcome:
        """The mask of a trained lane, and its params after training.

        Raises:
            UserError: it was not trained in this run; the message says what was.
        """
        for path, note in self.parts.get(round, []):
            if lane in _lanes(note):
                tree, at = checkpoints.load(path), _lanes(note).index(lane)
                return Outcome(take(tree["mask"], at), take(tree["trained"], at))
        raise UserError(self._missing(round, lane))

    def _missing(self, round: int, lane: Lane) -> str:
        trained = f"rounds 0 to {max(self.parts)}" if self.parts else "nothing yet"
        arms = sorted({lane.arm for index in self.parts for lane in self.lanes(index)})
        return (
            f"'{self.folder}' has no {lane.arm} of trial {lane.trial}, repeat {lane.repeat}, round {round}; "
            f"it has {trained} of {self.experiment.trials} trials, arms: {', '.join(arms) or 'none'}."
        )

    def save(self, found: Round, seconds: float) -> None:
        """Add what a round found to the folder: θ₀, curves, checkpoint, summary, in this order.

        Raises:
            OSError: something could not be written; what was there before stands.
        """
        for trial, params in found.theta0.items():
            if not paths.theta0(self.folder, trial).exists():
                checkpoints.save(paths.theta0(self.folder, trial), params, {"trial": trial})
        taken = {paths.round_and_part(path)[1] for path, _ in self.parts.get(found.index, [])}
        # the lowest free number, so that a removed part's curves are replaced and no other's
        part = min(set(range(len(taken) + 1)) - taken)
        tables.write_curves(paths.curves(self.folder, found.index, part), found.curves)
        path = paths.part(self.folder, found.index, part)
        note = {"rows": found.summary.to_dict("records"), "seconds": seconds}
        checkpoints.save(path, {"mask": found.masks, "trained": found.trained}, note)
        self.parts.setdefault(found.index, []).append((path, checkpoints.note(path)))
        self.write_summary()

    def summary(self) -> pd.DataFrame:
        """The table of every lane trained so far."""
        rows = [row for notes in self.parts.values() for _, note in notes for row in note["rows"]]
        return tables.sort_summary(pd.DataFrame(rows, columns=tables.SUMMARY))

    def write_summary(self) -> None:
        """Write ``summary.csv`` as the checkpoints have it."""
        tables.write_summary(paths.summary(self.folder), self.summary())

    def verify(self) -> None:
        """Check that every finished part has its curves.

        Raises:
            UserError: a file of them is missing or damaged.
        """
        for round, notes in self.parts.items():
            for path, note in notes:
                file = paths.curves(self.folder, *paths.round_and_part(path))
                try:
                    rows = tables.read_curves(file)
                except UserError as error:
                    raise UserError(f"{error} Remove '{path}' to train round {round} again.") from error
                columns = ["arm", "trial", "repeat"]
                if {Lane(*lane) for lane in rows[columns].drop_duplicates().values} != set(_lanes(note)):
                    raise UserError(f"'{file}' holds other lanes; remove '{path}' to train them again.")


def open_runs(folder: Path, asked: Experiment) -> dict[str, Run]:
    """The run of every point of a sweep, opened to run ``asked``; without a sweep, the one run under "".

    Raises:
        UserError, OSError: as ``open_run``'s.
    """
    if not asked.sweep:
        return {"": open_run(folder, asked)}
    grown = _grown(folder, asked)
    points = {point: (paths.point(folder, point), each) for point, each in sweeps.points(grown).items()}
    for home, each in points.values():  # whatever is refused is refused before anything is written
        _grown(home, each)
    write_text(paths.config(folder), identity.to_json(grown))
    return {point: open_run(home, each) for point, (home, each) in points.items()}


def write_points(folder: Path, runs: Mapping[str, Run]) -> None:
    """Write a swept run's own ``summary.csv``: those of its points, with a column ``point``."""
    tables_by_point = [run.summary().assign(point=point) for point, run in runs.items() if run.parts]
    if tables_by_point:
        rows = pd.concat(tables_by_point, ignore_index=True)[["point", *tables.SUMMARY]]
        write_whole(paths.summary(folder), lambda file: rows.to_csv(file, index=False))


def open_run(folder: Path, asked: Experiment) -> Run:
    """Open a run's folder to run ``asked`` in it: a new one is made, an older one grows to hold it.

    Raises:
        UserError: the folder holds another experiment (the message shows the difference), something else,
            or damaged files.
        OSError: it cannot be written.
    """
    grown = _grown(folder, asked)
    for kept in (paths.rounds(folder), paths.theta0(folder, 0).parent):
        checkpoints.sweep(kept)
    if not paths.config(folder).exists():
        write_text(paths.config(folder), identity.to_json(grown))
    run = Run(folder)
    run.verify()
    if grown != run.experiment:
        write_text(paths.config(folder), identity.to_json(grown))
        run.experiment = grown
    if run.parts:
        run.write_summary()
    return run


def holds_something_else(folder: Path) -> bool:
    """Whether a folder is neither a run nor free to become one: a file, or a folder of other things."""
    if not folder.exists() or paths.config(folder).exists():
        return False
    # a file whose name begins with a dot may be left from a first write that was killed
    return not folder.is_dir() or any(not path.name.startswith(".") for path in folder.iterdir())


def _grown(folder: Path, asked: Experiment) -> Experiment:
    """What a folder will hold once ``asked`` is run in it; writes nothing, refuses what does not fit."""
    if holds_something_else(folder):
        raise UserError(f"'{folder}' holds something that is no run of ltjax; choose another --workdir.")
    if not paths.config(folder).exists():
        return asked
    stored = read_config(folder)
    if found := identity.differences(stored, asked):
        raise UserError(
            f"'{folder}' holds another experiment; choose another --workdir. They differ in "
            + "; ".join(found) + "."
        )  # fmt: skip
    return identity.extended(stored, asked)


def read_config(folder: Path) -> Experiment:
    """The experiment of a run's folder.

    Raises:
        UserError: there is no run, or its configuration is damaged.
    """
    path = paths.config(folder)
    try:
        return identity.from_json(path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"'{folder}' holds no run of ltjax (there is no readable '{path}').") from error
    except UserError as error:
        raise UserError(f"'{path}' is damaged: {error}.") from error


def load_ticket(folder: str | Path, *, trial: int, round: int) -> Ticket:
    """A ticket of a run: ``.params`` are θ₀ under the mask of that round, ``.mask`` is the mask.

    Raises:
        UserError: the run has none such.
    """
    run = Run(Path(folder))
    mask, theta0 = run.outcome(round, Lane("ticket", trial)).mask, run.theta0(trial)
    if theta0 is None:
        raise UserError(f"'{folder}' lacks the initial params of trial {trial}.")
    return Ticket(_to_numpy(masks.apply(mask, theta0)), mask)


def load_trained(
    folder: str | Path, *, round: int, arm: str = "ticket", trial: int = 0, repeat: int = 0
) -> Params:
    """The params of a lane after training, pruned weights at exactly 0.

    Raises:
        UserError: the run has none such.
    """
    return Run(Path(folder)).outcome(round, Lane(arm, trial, repeat)).trained


def _to_numpy(tree: Params) -> Params:
    import jax

    return jax.tree.map(np.asarray, tree)


def _lanes(note: dict[str, Any]) -> list[Lane]:
    return [Lane(row["arm"], row["trial"], row["repeat"]) for row in note["rows"]]


def write_environment(folder: Path, facts: dict[str, Any]) -> None:
    """Write ``environment.json``: this start's facts, and those of earlier starts under ``earlier``."""
    path = paths.environment(folder)
    try:
        before = json.loads(path.read_text())
        earlier = [*before.pop("earlier", []), before]
    except (OSError, ValueError, AttributeError, TypeError):
        earlier = []
    write_text(path, json.dumps({**facts, "earlier": earlier}, indent=2) + "\n")
