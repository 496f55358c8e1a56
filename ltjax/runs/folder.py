"""The folder of a run: what was trained, kept so that repeating the command continues it.

A part is what one call of the lane program trained. Its curves are written first, then its checkpoint,
whose note holds its summary rows: once the checkpoint is there the part is done, and ``summary.csv`` is
always what the notes say. So a kill at any moment loses at most the part being trained.
"""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd

from ltjax.core import files
from ltjax.core.errors import UserError, sentence
from ltjax.core.texts import read_text
from ltjax.core.trees import take
from ltjax.core.types import Lane, Params, Ticket
from ltjax.lanes import history, processes
from ltjax.lottery.loop import Round
from ltjax.lottery.rewinding import rewind
from ltjax.lottery.search import Outcome
from ltjax.models import Collections
from ltjax.runs import checkpoints, paths, tables
from ltjax.settings import bounds, compatible
from ltjax.settings.schema import Experiment


class Run:
    """A run's folder, opened; the past that ``find_tickets`` continues from.

    Args:
        folder: the run's folder, which exists.
        experiment: what was run in it, where its configuration may be lost.

    Raises:
        UserError: it holds no run, or a damaged one.
    """

    def __init__(self, folder: Path, experiment: Experiment | None = None) -> None:
        self.folder = folder
        self.experiment = experiment or read_config(folder)
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
                collections = tree.get("collections", {})
                return Outcome(*(take(each, at) for each in (tree["mask"], tree["trained"], collections)))
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

        All processes call it together: the first writes the tables, each its own lanes of the checkpoints.

        Raises:
            OSError: something could not be written; what was there before stands.
        """
        for trial, params in found.theta0.items():
            if processes.agreed(not paths.theta0(self.folder, trial).exists()):
                self.save_theta0(trial, params)
        taken = {paths.round_and_part(path)[1] for path, _ in self.parts.get(found.index, [])}
        # the lowest free number, so that a removed part's curves are replaced and no other's
        part = min(set(range(len(taken) + 1)) - taken)
        note = {
            "rows": found.summary.to_dict("records"), "seconds": seconds,
            "theta0": {str(trial): checkpoints.checksums(tree) for trial, tree in found.theta0.items()},
            "experiment": dataclasses.asdict(self.experiment),
        }  # fmt: skip
        if processes.first():  # whose note is the one that is kept
            curves = paths.curves(self.folder, found.index, part)
            tables.write_curves(curves, found.curves)
            note["curves"] = files.checksum(curves)
        path = paths.part(self.folder, found.index, part)
        held = [found.lanes.index(lane) for lane in found.held]
        own = {"mask": jax.tree.map(lambda leaf: leaf[held], found.masks), "trained": found.trained}
        if found.collections:
            own["collections"] = found.collections
        checkpoints.save(path, {}, note, own, found.holders)
        self.parts.setdefault(found.index, []).append((path, note))
        if processes.first():
            self.write_summary()

    def save_theta0(self, trial: int, params: Params) -> None:
        """Keep the initial params of a trial, of which none are kept.

        Raises:
            UserError: the trial was trained from others.
            OSError: they could not be written.
        """
        found = checkpoints.checksums(params)
        if any(note.get("theta0", {}).get(str(trial), found) != found for note in self._notes()):
            raise UserError(
                f"the initial params of trial {trial} in '{self.folder}' are lost: drawn again they are "
                "others, as with another JAX; use the version in environment.json, or another --workdir."
            )
        note = {"trial": trial, "experiment": dataclasses.asdict(self.experiment)}
        checkpoints.save(paths.theta0(self.folder, trial), params, note)

    def _notes(self) -> list[dict[str, Any]]:
        return [note for parts in self.parts.values() for _, note in parts]

    def summary(self) -> pd.DataFrame:
        """The table of every lane trained so far."""
        rows = [row for note in self._notes() for row in note["rows"]]
        return tables.sort_summary(pd.DataFrame(rows, columns=history.SUMMARY))

    def write_summary(self) -> None:
        """Write ``summary.csv`` as the checkpoints have it."""
        tables.write_summary(paths.summary(self.folder), self.summary())

    def verify(self) -> None:
        """Check that every finished part has its curves, as they were written.

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
                if note.get("curves", kept := files.checksum(file)) != kept:
                    raise UserError(
                        f"'{file}' is not as it was written. Remove '{path}' to train round {round} again."
                    )


def read_config(folder: Path) -> Experiment:
    """The experiment of a run's folder.

    Raises:
        UserError: there is no run, or its configuration is damaged.
    """
    path = paths.config(folder)
    if (folder / "mask.safetensors").exists():
        raise UserError(
            f"'{folder}' is an export of one lane and no run; what it holds is evaluated by "
            f"`ltjax evaluate {folder}/final.safetensors --config {folder}`."
        )
    try:
        experiment = compatible.begun(compatible.from_json(read_text(path)))
        bounds.check(experiment)
    except UserError as error:
        if isinstance(error.__cause__, OSError):
            raise UserError(f"'{folder}' holds no run of ltjax (there is no readable '{path}').") from error
        raise UserError(
            sentence(f"'{path}' is damaged: {error}")
            + " To mend the run, remove that file and repeat the command that the run began with."
        ) from error
    return experiment


def load_ticket(folder: str | Path, *, trial: int, round: int) -> Ticket:
    """A ticket of a run: ``.params`` are θ₀ under the mask of that round, ``.mask`` is the mask.

    Raises:
        UserError: the run has none such.
    """
    run = Run(Path(folder))
    mask, theta0 = run.outcome(round, Lane("ticket", trial)).mask, run.theta0(trial)
    if theta0 is None:
        raise UserError(f"'{folder}' lacks the initial params of trial {trial}.")
    return Ticket(_to_numpy(rewind(theta0, mask)), mask)


def load_trained(
    folder: str | Path, *, round: int, arm: str = "ticket", trial: int = 0, repeat: int = 0
) -> Params:
    """The params of a lane after training, pruned weights at exactly 0.

    Raises:
        UserError: the run has none such.
    """
    return Run(Path(folder)).outcome(round, Lane(arm, trial, repeat)).trained


def load_collections(
    folder: str | Path, *, round: int, arm: str = "ticket", trial: int = 0, repeat: int = 0
) -> Collections:
    """What a lane's network carries beside its params after training: BatchNorm's statistics, or nothing.

    Raises:
        UserError: the run has none such.
    """
    return Run(Path(folder)).outcome(round, Lane(arm, trial, repeat)).collections


def _to_numpy(tree: Params) -> Params:
    return jax.tree.map(np.asarray, tree)


def _lanes(note: dict[str, Any]) -> list[Lane]:
    return [Lane(row["arm"], row["trial"], row["repeat"]) for row in note["rows"]]
