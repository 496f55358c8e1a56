"""Runs of one experiment, trained apart, merged into one that is as if it had been trained in one place.

Everything is compared before anything is written. Then what the merged run lacks is added part by part, as a
run adds what it trains: a kill leaves a run that can be used, and merging again completes it.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import pandas as pd

from ltjax.core.errors import UserError
from ltjax.core.trees import stack
from ltjax.core.types import Lane, Params
from ltjax.lottery.loop import Round
from ltjax.runs import identity, learned, opening, paths
from ltjax.runs.folder import Run, read_config
from ltjax.runs.identity import Identity
from ltjax.runs.opening import open_runs, write_points
from ltjax.runs.state import New, state_of, will_hold
from ltjax.settings import compatible, sweeps
from ltjax.settings.schema import Experiment


class Taken(NamedTuple):
    """How many lanes a merge took from a run, and how many of its lanes were there already."""

    folder: Path
    new: int
    known: int


@dataclass(frozen=True)
class Piece:
    """Lanes of one part of a run, by their places in it, that the merged run lacks; perhaps none."""

    source: Path
    point: str
    run: Run
    part: Path
    note: dict[str, Any]
    places: tuple[int, ...]

    def load(self) -> Round:
        """These lanes as the round that found them.

        Raises:
            UserError: the part is damaged; by its checksums, so that no damage spreads.
        """
        found = self.run.part(self.part, self.note)
        theta0 = {trial: params for trial in sorted({lane.trial for lane in found.lanes})
                  if (params := self.run.theta0(trial)) is not None}  # fmt: skip
        dense = {trial: self.run.starts(trial) for trial in theta0} if not found.index else {}
        found = replace(found, theta0=theta0, point=self.point, starts=dense)
        return found if len(self.places) == len(found.lanes) else _some(found, self.places)

    @property
    def seconds(self) -> float:
        """These lanes' share of the time that their part took."""
        return float(self.note["seconds"]) * len(self.places) / len(self.note["rows"])


def merge(
    sources: Sequence[Path], to: Path, writing: Callable[[], AbstractContextManager[None]] = nullcontext,
    accept_changes: bool = False,
) -> list[Taken]:  # fmt: skip
    """Merge the folders of runs of one experiment, which stay as they are, into the folder ``to``.

    Args:
        sources: runs that differ in trials, rounds, arms, repeats or points of a sweep.
        to: a folder in which nothing was trained, or a run of the same experiment, which is added to.
        writing: what to be in while a part is written.
        accept_changes: whether code and data may differ between the runs; ``identity.json`` in ``to`` then
            tells so.

    Returns:
        What was taken from each source.

    Raises:
        UserError: the runs are of different experiments, code or data, or hold different results of one
            lane, and nothing was written; or another process writes in ``to``; or a checkpoint is damaged,
            and what was added before it stands.
        OSError: something could not be written; what was added stands, and merging again completes it.
    """
    sources = list(dict.fromkeys(sources))  # one that is named twice is one
    _check_apart(sources, to)
    asked = identity.with_arrays_of(to, _one_experiment(sources))
    points = sweeps.points(asked)
    will_hold(to, asked, points, "--to")  # before its lock would make it
    ours, changed = _one_identity([*sources, to], accept_changes)
    with opening.writing(to):
        experiment = will_hold(to, asked, points, "--to")
        return _merge(
            sources, to, experiment, writing, lambda: identity.keep(to, ours, changed, "ltjax merge")
        )


def _merge(
    sources: Sequence[Path], to: Path, experiment: Experiment,
    writing: Callable[[], AbstractContextManager[None]], keep: Callable[[], None],
) -> list[Taken]:  # fmt: skip
    points = sweeps.points(experiment)
    pieces = [piece for point, each in points.items() for piece in _plan(sources, to, point, each)]
    runs = open_runs(to, experiment)
    keep()
    for point, home in ((point, paths.point(to, point)) for point in points):
        learned.copy([paths.point(source, point) for source in sources], home)
    for piece in pieces:
        if piece.places:
            found = piece.load()
            with writing():
                runs[piece.point].save(found, piece.seconds)
                if piece.point:
                    write_points(to, runs)
    return [_taken(source, [piece for piece in pieces if piece.source == source]) for source in sources]


def _taken(source: Path, pieces: Sequence[Piece]) -> Taken:
    new = sum(len(piece.places) for piece in pieces)
    return Taken(source, new, sum(len(piece.note["rows"]) for piece in pieces) - new)


def _check_apart(sources: Sequence[Path], to: Path) -> None:
    for source in sources:
        if source.resolve() in (to.resolve(), *to.resolve().parents):
            raise UserError(f"'{to}' lies in '{source}', which is to stay as it is; choose another --to.")


def _one_experiment(folders: Sequence[Path]) -> Experiment:
    """The experiment of all runs, grown to hold what each of them has."""
    experiments = {folder: identity.with_arrays_of(folders[0], read_config(folder)) for folder in folders}
    for one, two in combinations(experiments, 2):
        if found := compatible.differences(experiments[one], experiments[two]):
            raise UserError(
                f"'{one}' and '{two}' hold different experiments, which cannot be merged: "
                + "; ".join(found).replace("the run", f"'{one}'").replace("asked is", f"'{two}' has") + "."
            )  # fmt: skip
    first, *others = experiments.values()
    for other in others:
        first = compatible.extended(first, other)
    return first


def _one_identity(folders: Sequence[Path], accept: bool) -> tuple[Identity, list[str]]:
    """The code and data of all runs, those of the last folder first, and in what they differ, if accepted."""
    known = {folder: kept for folder in [folders[-1], *folders[:-1]]
             if identity.has_trained(folder) and (kept := identity.read(folder))}  # fmt: skip
    lines = [*_differences(known), *_random_numbers(folders)]
    if lines and not accept:
        raise UserError(
            f"these runs were trained by other code or data: {'; '.join(lines)}. Merge those that agree, or "
            f"{identity.ACCEPT}."
        )
    return identity.joined(known, folders[-1]), lines


def _differences(known: Mapping[Path, Identity]) -> list[str]:
    """In what the code and data of runs differ from the first one's, a line for each run."""
    found = {}
    for folder, other in known.items():
        first = next(iter(known.values()))
        found[folder] = identity.changes(first, other) or identity.changes(other, first)
    return [f"'{folder}' beside '{next(iter(known))}': {identity.told(each)}"
            for folder, each in found.items() if each]  # fmt: skip


def _random_numbers(folders: Sequence[Path]) -> list[str]:
    """Whether runs had 64-bit numbers, where that differs; how JAX draws is a part of the experiment."""
    x64 = {folder: read_config(folder).numerics.x64 for folder in folders if paths.config(folder).exists()}
    lines = [f"numerics.x64 is {each} in '{folder}'" for folder, each in x64.items()]
    return lines if len({*x64.values()}) > 1 else []


def _plan(sources: Sequence[Path], to: Path, point: str, experiment: Experiment) -> list[Piece]:
    """What of each source's parts, at one point of a sweep, is to be added; everything is compared here."""
    theta0: dict[int, tuple[Path, Params]] = {}
    dense: dict[tuple[int, int], tuple[Path, Any]] = {}
    given: dict[int, tuple[Path, str]] = {}
    rows: dict[tuple[int, Lane], tuple[Path, str]] = {}
    pieces = []
    for folder in (to, *sources):
        home = paths.point(folder, point)
        if state_of(home, experiment, {"": experiment}) == New():
            continue  # or a run without this point
        run = Run(home, experiment if folder == to else None)
        run.verify()
        _compare_theta0(run, theta0)
        _compare_starts(run, dense)
        _compare_given(run, given)
        for part, note in [each for parts in run.parts.values() for each in parts]:
            places = tuple(_new_places(home, part, note, rows))
            if folder != to:
                pieces.append(Piece(folder, point, run, part, note, places))
    return pieces


def _compare_theta0(run: Run, known: dict[int, tuple[Path, Params]]) -> None:
    """Enter a run's θ₀ among those known; refuse another θ₀ of a trial that is known."""
    for trial in range(run.experiment.trials):
        params = run.theta0(trial)
        if params is None:
            continue
        where, other = known.setdefault(trial, (run.folder, params))
        if not jax.tree.all(jax.tree.map(np.array_equal, params, other)):
            raise UserError(f"'{where}' and '{run.folder}' hold different initial params of trial {trial}.")


def _compare_starts(run: Run, known: dict[tuple[int, int], tuple[Path, Any]]) -> None:
    """Enter the dense networks that a run keeps among those known; refuse another one of a trial and step."""
    for trial in range(run.experiment.trials):
        for step, start in run.starts(trial).items():
            where, other = known.setdefault((trial, step), (run.folder, start))
            if not jax.tree.all(jax.tree.map(np.array_equal, start, other)):
                raise UserError(
                    f"'{where}' and '{run.folder}' hold different params of trial {trial} at step {step}."
                )


def _compare_given(run: Run, known: dict[int, tuple[Path, str]]) -> None:
    """Enter the masks that a run's trials were given among those known; refuse another one of a trial."""
    for trial in range(run.experiment.trials):
        if found := run.given(trial):
            where, other = known.setdefault(trial, (run.folder, found))
            if found != other:
                raise UserError(
                    f"'{where}' and '{run.folder}' were given different masks of trial {trial} by ticket "
                    f"{run.experiment.ticket}."
                )


def _new_places(
    folder: Path, part: Path, note: dict[str, Any], known: dict[tuple[int, Lane], tuple[Path, str]]
) -> list[int]:
    """The places in a part of the lanes not known before; refuse a lane that is known with other results."""
    round, _ = paths.round_and_part(part)
    new = []
    for place, row in enumerate(note["rows"]):
        lane, text = _lane(row), json.dumps(row, sort_keys=True)  # as text, NaN equals NaN
        if (round, lane) not in known:
            known[round, lane] = folder, text
            new.append(place)
        elif known[round, lane][1] != text:
            raise UserError(
                f"'{known[round, lane][0]}' and '{folder}' both hold {lane.arm} of trial {lane.trial}, "
                f"repeat {lane.repeat}, round {round}, with different results."
            )
    return new


def _some(found: Round, places: Sequence[int]) -> Round:
    """Some lanes of a round, by their places."""
    lanes = tuple(found.lanes[place] for place in places)
    held = [at for at, lane in enumerate(found.held) if lane in lanes]
    kept = (found.trained, found.collections)
    trained, collections = jax.tree.map(lambda leaf: leaf[held], kept)
    return replace(
        found, lanes=lanes, theta0=_of_trials(found.theta0, lanes),
        masks=stack([found.mask(lane) for lane in lanes]), trained=trained, collections=collections,
        summary=found.summary.iloc[list(places)], curves=_of_lanes(found.curves, lanes),
        holders=found.holders and [found.holders[place] for place in places],
        ahead=_of_trials(found.ahead, lanes), starts=_of_trials(found.starts, lanes),
        given=_of_trials(found.given, lanes),
        begun=None if found.begun is None else stack([found.began(lane) for lane in lanes]),
    )  # fmt: skip


def _of_trials(trees: Mapping[int, Any], lanes: Sequence[Lane]) -> dict[int, Any]:
    return {trial: tree for trial, tree in trees.items() if trial in {lane.trial for lane in lanes}}


def _lane(row: dict[str, Any]) -> Lane:
    return Lane(row["arm"], row["trial"], row["repeat"])


def _of_lanes(curves: pd.DataFrame, lanes: Sequence[Lane]) -> pd.DataFrame:
    """The rows of some lanes, in the order that they have."""
    keys = zip(curves["arm"], curves["trial"], curves["repeat"], strict=True)
    return curves[[Lane(*key) in lanes for key in keys]].reset_index(drop=True)
