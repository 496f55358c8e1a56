"""The folder of a run: what was trained, kept so that repeating the command continues it.

A part is what one call of the lane program trained. Its curves are written first, then its checkpoint,
whose note holds its summary rows: once the checkpoint is there the part is done, and ``summary.csv`` is
always what the notes say. So a kill at any moment loses at most the part being trained.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd

from ltjax.core import files
from ltjax.core.errors import UserError, sentence
from ltjax.core.found import Found
from ltjax.core.keys import named_key
from ltjax.core.texts import read_text
from ltjax.core.trees import take
from ltjax.core.types import Lane, Mask, Params, Start, Ticket
from ltjax.lanes import history, processes
from ltjax.lottery.loop import DROPPED, Round
from ltjax.lottery.rehearsal import rewinding_of
from ltjax.lottery.rewinding import original
from ltjax.lottery.search import Outcome, begin
from ltjax.runs import checkpoints, parts, paths, retention, tables
from ltjax.runs.parts import Stored
from ltjax.settings import compatible
from ltjax.settings.plain import Former, check, plain
from ltjax.settings.schema import Experiment
from ltjax.sparsity import schedules
from ltjax.training.tasks import network_of, task_of

READS = "reads_trained"
"""Under which a part's note has whether trained weights were read: thinning need not have the user's code."""

GIVEN = "given"
"""Under which a part's note has the fingerprints of the masks that round 0 was given, by trial."""


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
        self.keep = self.experiment.compute.keep
        self.parts: dict[int, list[tuple[Path, dict[str, Any]]]] = {}
        self._read: dict[Path, Stored] = {}
        self._drawn: dict[int, Params] = {}
        for path in filter(paths.is_part, checkpoints.finished(paths.rounds(folder))):
            round, _ = paths.round_and_part(path)
            self.parts.setdefault(round, []).append((path, checkpoints.note(path)))

    def lanes(self, round: int) -> set[Lane]:
        """The lanes trained in a round."""
        return {lane for _, note in self.parts.get(round, []) for lane in parts.lanes(note)}

    def theta0(self, trial: int) -> Params | None:
        """The initial params of a trial: the stored ones, else drawn again; None where nothing was trained.

        Raises:
            UserError: those stored are damaged, or drawn again they are others.
        """
        path = paths.theta0(self.folder, trial)
        if path.exists():
            return checkpoints.load(path)
        if trial not in self._drawn and any(str(trial) in note.get("theta0", {}) for note in self._notes()):
            drawn = begin(self.experiment, network_of(self.experiment), trial).params
            self._check_theta0(trial, drawn)
            self._drawn[trial] = drawn
        return self._drawn.get(trial)

    def starts(self, trial: int) -> dict[int, Start]:
        """The dense network of a trial by the steps at which it was kept.

        Raises:
            UserError: one is damaged.
        """
        kept = {path: paths.trial_and_step(path) for path in checkpoints.finished(paths.starts(self.folder))}
        own = {step: checkpoints.load(path) for path, (number, step) in kept.items() if number == trial}
        return {step: Start(tree["params"], tree.get("state", {})) for step, tree in own.items()}

    def ticket(self, round: int, trial: int) -> Ticket:
        """The ticket of a trial in a round, as it was rewound: its params unmasked.

        Raises:
            UserError: the run has none such, or no longer what it was rewound to.
        """
        mask, theta0 = self.began(round, Lane("ticket", trial)), self.theta0(trial)
        if theta0 is None:
            raise UserError(f"'{self.folder}' lacks the initial params of trial {trial}.")
        experiment = self.experiment
        task = task_of(experiment)
        starts = self.starts(trial)
        began = begin(experiment, task.network, trial, theta0, starts[0].state if 0 in starts else None)
        step = schedules.step_of(experiment.prune, round) if round else None
        arm = step and step.arm
        functions = rewinding_of(experiment, task)
        if round and (lost := set(functions.captures) - set(starts)):
            raise UserError(
                f"'{self.folder}' lacks the dense network of trial {trial} at step {min(lost)}, to which its "
                "tickets are rewound."
            )
        found = Found(
            began, mask, named_key(experiment.seed, "found", trial, round), round, experiment.train.steps,
            {0: began, **starts},
            (lambda: self.outcome(step.before, Lane(arm, trial)).start) if step and arm else None, task,
        )  # fmt: skip
        if not round:
            return original(found)
        return functions.rewound(found, named_key(experiment.seed, "rewind", trial, round))

    def outcome(self, round: int, lane: Lane) -> Outcome:
        """The mask of a trained lane, and its params after training.

        Raises:
            UserError: it was not trained in this run, and the message says what was; or its params were not
                kept.
        """
        stored = self._part_of(round, lane)
        if lane not in stored.kept:
            raise UserError(
                f"'{self.folder}' does not hold the trained params of {lane.arm}, trial {lane.trial}, repeat "
                f"{lane.repeat}, round {round}, only its mask and what was measured; a run with --keep "
                f"{'tickets or --keep all' if lane.arm == 'ticket' else 'all'} keeps them."
            )
        own = (take(tree, stored.kept.index(lane)) for tree in (stored.trained, stored.collections))
        return Outcome(stored.mask(lane), *jax.tree.map(np.copy, tuple(own)))

    def mask(self, round: int, lane: Lane) -> Mask:
        """The mask of a trained lane, whatever else of it was kept; where masks evolve, as training left it.

        Raises:
            UserError: it was not trained in this run; the message says what was.
        """
        return self._part_of(round, lane).mask(lane)

    def began(self, round: int, lane: Lane) -> Mask:
        """The round's mask, which a lane had before it was trained; raises what ``mask`` does."""
        return self._part_of(round, lane).began(lane)

    def given(self, trial: int) -> str | None:
        """The fingerprint of the mask that a trial's round 0 was given of another run; None where of none."""
        known = (note.get(GIVEN, {}).get(str(trial)) for note in self._notes())
        return next((each for each in known if each), None)

    @property
    def reads_trained(self) -> bool:
        """Whether the rewinding or an arm reads what training left, as was seen when parts were saved."""
        return any(note.get(READS, False) for note in self._notes())

    def keeps_tickets(self, round: int) -> bool:
        """Whether the trained params of all tickets of a round are there."""
        there = {lane for _, note in self.parts.get(round, []) for lane in parts.kept(note)}
        return all(lane in there for lane in self.lanes(round) if lane.arm == "ticket")

    def ticket_mask(self, round: int, trial: int) -> Mask | None:
        """The mask of a trial's tickets in a round that was trained, or in the one after; None beyond."""
        if Lane("ticket", trial) in self.lanes(round):
            return self.began(round, Lane("ticket", trial))
        found = (self._stored(path, note).ahead.get(trial) for path, note in self.parts.get(round - 1, [])
                 if trial in {lane.trial for lane in parts.lanes(note)})  # fmt: skip
        return next((mask for mask in found if mask is not None), None)

    def part(self, path: Path, note: dict[str, Any]) -> Round:
        """A part as the round that found it, but for the initial params.

        Raises:
            UserError: it is damaged; by its checksums, so that no damage spreads.
        """
        stored, own = self._stored(path, note), processes.index()
        index, number = paths.round_and_part(path)
        return Round(
            index, stored.lanes, {}, stored.masks, stored.trained, stored.collections,
            pd.DataFrame(note["rows"]), tables.read_curves(paths.curves(self.folder, index, number)),
            holders=[own if lane in stored.kept else DROPPED for lane in stored.lanes], ahead=stored.ahead,
            reads_trained=note.get(READS, False),
            given={int(trial): each for trial, each in note.get(GIVEN, {}).items()}, begun=stored.begun,
        )  # fmt: skip

    def _part_of(self, round: int, lane: Lane) -> Stored:
        for path, note in self.parts.get(round, []):
            if lane in parts.lanes(note):
                return self._stored(path, note)
        raise UserError(self._missing(round, lane))

    def _stored(self, path: Path, note: dict[str, Any]) -> Stored:
        """A part's arrays; those of two are kept: lanes are asked for in turn, or beside those before."""
        if path not in self._read:
            self._read = dict([*self._read.items()][-1:])
            self._read[path] = parts.read(path, note)
        return self._read[path]

    def _missing(self, round: int, lane: Lane) -> str:
        trained = f"rounds 0 to {max(self.parts)}" if self.parts else "nothing yet"
        arms = sorted({lane.arm for index in self.parts for lane in self.lanes(index)})
        return (
            f"'{self.folder}' has no {lane.arm} of trial {lane.trial}, repeat {lane.repeat}, round {round}; "
            f"it has {trained} of {self.experiment.trials} trials, arms: {', '.join(arms) or 'none'}."
        )

    def save(self, found: Round, seconds: float) -> None:
        """Add what a round found to the folder: θ₀ and the like, curves, checkpoint, summary, in this order.

        All processes call it together: the first writes the tables, each its own lanes of the checkpoints.

        Raises:
            OSError: something could not be written; what was there before stands.
        """
        for trial, params in found.theta0.items():
            if processes.agreed(not paths.theta0(self.folder, trial).exists()):
                self.save_theta0(trial, params)
        for trial, starts in found.starts.items():
            for step, start in starts.items():
                if processes.agreed(not paths.start(self.folder, trial, step).exists()):
                    self.save_start(trial, step, start)
        taken = {paths.round_and_part(path)[1] for path, _ in self.parts.get(found.index, [])}
        # the lowest free number, so that a removed part's curves are replaced and no other's
        part = min(set(range(len(taken) + 1)) - taken)
        note = {
            "rows": found.summary.to_dict("records"), "seconds": seconds,
            "theta0": {str(trial): checkpoints.checksums(tree) for trial, tree in found.theta0.items()},
            "starts": [[trial, step] for trial, starts in found.starts.items() for step in starts],
            "experiment": plain(self.experiment),
        }  # fmt: skip
        if processes.first():  # whose note is the one that is kept
            curves = paths.curves(self.folder, found.index, part)
            tables.write_curves(curves, found.curves)
            note["curves"] = files.checksum(curves)
        path = paths.part(self.folder, found.index, part)
        there = [lane for lane, holder in zip(found.lanes, found.holders or found.lanes, strict=True)
                 if holder != DROPPED]  # fmt: skip
        note[READS] = found.reads_trained
        if found.given:
            note[GIVEN] = {str(trial): each for trial, each in found.given.items()}
        wanted = retention.wanted(
            self.experiment, found.index, there, self.keep, found.ahead, found.reads_trained
        )
        note = parts.write(path, found, wanted, note)
        self.parts.setdefault(found.index, []).append((path, note))
        if processes.first():
            self.write_summary()

    def rewrite(self, path: Path, found: Round, wanted: Sequence[Lane], note: dict[str, Any]) -> None:
        """Put a part in its own place, with the params of fewer lanes or more masks of the next round.

        Raises:
            OSError: it could not be written; the part stands as it was.
        """
        later = parts.write(path, found, wanted, note, over=True)
        own = self.parts[found.index]
        own[[each for each, _ in own].index(path)] = path, later
        self._read = {}

    def save_theta0(self, trial: int, params: Params) -> None:
        """Keep the initial params of a trial, of which none are kept, where the run keeps any.

        Raises:
            UserError: the trial was trained from others.
            OSError: they could not be written.
        """
        self._check_theta0(trial, params)
        if retention.keeps_theta0(self.experiment, self.keep):
            note = {"trial": trial, "experiment": plain(self.experiment)}
            checkpoints.save(paths.theta0(self.folder, trial), params, note)

    def save_start(self, trial: int, step: int, start: Start) -> None:
        """Keep the dense network of a trial at a step, to which its tickets are rewound.

        Raises:
            OSError: it could not be written.
        """
        note = {"trial": trial, "step": step, "experiment": plain(self.experiment)}
        tree = {name: value for name, value in start._asdict().items() if jax.tree.leaves(value)}
        checkpoints.save(paths.start(self.folder, trial, step), tree, note)

    def _check_theta0(self, trial: int, params: Params) -> None:
        found = checkpoints.checksums(params)
        if any(note.get("theta0", {}).get(str(trial), found) != found for note in self._notes()):
            raise UserError(
                f"the initial params of trial {trial} in '{self.folder}' are lost: drawn again they are "
                "others, as with another JAX; use the version in environment.json, or another --workdir."
            )

    def _notes(self) -> list[dict[str, Any]]:
        return [note for parts in self.parts.values() for _, note in parts]

    def summary(self) -> pd.DataFrame:
        """The table of every lane trained so far."""
        rows = [row for note in self._notes() for row in note["rows"]]
        metric = history.metric_in(rows[0] if rows else ())
        return tables.sort_summary(pd.DataFrame(rows, columns=history.summary_columns(metric)))

    def write_summary(self) -> None:
        """Write ``summary.csv`` as the checkpoints have it."""
        tables.write_summary(paths.summary(self.folder), self.summary())

    def is_whole(self) -> bool:
        """Whether nothing is to be written anew: the table is as the checkpoints have it, with all of θ₀."""
        drawn = {int(trial) for note in self._notes() for trial in note.get("theta0", {})}
        table = tables.sort_summary(self.summary()).to_csv(index=False)
        curves = paths.curves(self.folder, 0, 0).parent
        return (
            paths.summary(self.folder).read_bytes() == table.encode()
            and (
                not retention.keeps_theta0(self.experiment, self.keep)
                or all(paths.theta0(self.folder, trial).exists() for trial in drawn)
            )
            and all(
                paths.start(self.folder, *each).exists()
                for note in self._notes()
                for each in note.get("starts", [])
            )
            and len(list(filter(paths.is_curves, curves.glob("*")))) == len(self._notes())
        )

    def check_rows(self) -> None:
        """Check that what ``summary.csv`` has rows of is there: training is not repeated unasked.

        Raises:
            UserError: it has rows of lanes whose checkpoints were removed.
        """
        path = paths.summary(self.folder)
        try:
            rows = tables.read_summary(path)[["round", *history.LANE[:3]]].values.tolist()
        except UserError:  # missing or damaged, it is written anew
            return
        gone = [round for round, *lane in rows if Lane(*lane) not in self.lanes(round)]
        if gone:
            raise UserError(
                f"'{path}' has rows of round {gone[0]} whose checkpoints are gone; put them back, or remove "
                f"'{path}' to train them again."
            )

    def verify(self) -> None:
        """Check that every finished part has its curves, as they were written.

        Raises:
            UserError: a file of them is missing or damaged.
        """
        summary = paths.summary(self.folder)
        for round, notes in self.parts.items():
            for path, note in notes:
                file = paths.curves(self.folder, *paths.round_and_part(path))
                try:
                    rows = tables.read_curves(file)
                except UserError as error:
                    raise UserError(f"{error} {_again(path, summary, round)}") from error
                columns = ["arm", "trial", "repeat"]
                if {Lane(*lane) for lane in rows[columns].drop_duplicates().values} != set(parts.lanes(note)):
                    raise UserError(f"'{file}' holds other lanes. {_again(path, summary, round)}")
                if note.get("curves", kept := files.checksum(file)) != kept:
                    raise UserError(f"'{file}' is not as it was written. {_again(path, summary, round)}")


def _again(part: Path, summary: Path, round: int) -> str:
    return f"Remove '{part}' and '{summary}' to train round {round} again."


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
        check(experiment)
    except Former as error:
        raise UserError(f"'{path}': {error}") from error
    except UserError as error:
        if isinstance(error.__cause__, OSError):
            raise UserError(f"'{folder}' holds no run of ltjax (there is no readable '{path}').") from error
        raise UserError(
            sentence(f"'{path}' is damaged: {error}")
            + " To mend the run, remove that file and repeat the command that the run began with."
        ) from error
    return experiment
