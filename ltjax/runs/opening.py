"""Opening a run's folder to run an experiment in it: a new one is made, an older one grows or is refused."""

import json
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from ltjax.core import files, locks
from ltjax.core.errors import UserError
from ltjax.core.files import write_text, write_whole
from ltjax.core.texts import read_json
from ltjax.core.types import Lane
from ltjax.lanes import history, processes
from ltjax.runs import checkpoints, paths
from ltjax.runs.folder import Run, read_config
from ltjax.runs.state import Ours, Points, points_of, state_of, will_hold
from ltjax.settings import compatible, sweeps
from ltjax.settings.schema import Experiment


def restore_theta0(run: Run) -> None:
    """Draw again the initial params that are missing of trials that were trained; keep them, if any are kept.

    Raises:
        UserError: drawn again they are others.
        OSError: they could not be written.
    """
    trained = {lane.trial for round in run.parts for lane in run.lanes(round)}
    for trial in sorted(trained):
        if not paths.theta0(run.folder, trial).exists():
            run.save_theta0(trial, run.theta0(trial))


def open_runs(folder: Path, asked: Experiment, points: Points | None = None) -> dict[str, Run]:
    """The run of every point of a sweep, opened to run ``asked``; without a sweep, the one run under "".

    Args:
        folder: the run's folder.
        asked: what is to be run in it.
        points: its points, where they were made already.

    Raises:
        UserError, OSError: as ``open_run``'s.
    """
    if not asked.sweep:
        return {"": open_run(folder, asked)}
    points = points or sweeps.points(asked)
    grown = will_hold(folder, asked, points)
    files.sweep(folder, paths.is_written_by_runs)
    write_text(paths.config(folder), compatible.to_json(grown))
    runs = {
        point: open_run(paths.point(folder, point), each)
        for point, each in points_of(grown, asked, points).items()
    }
    write_points(folder, runs)
    return runs


def open_together(folder: Path, asked: Experiment, points: Points) -> dict[str, Run]:
    """As ``open_runs``, by all processes of a job: the first one opens, and the others read what it made.

    Raises:
        UserError: as ``open_runs``'s; or a process does not see the folder.
        OSError: as ``open_runs``'s, in the first process.
    """
    if runs := processes.first_alone(lambda: open_runs(folder, asked, points)):
        return runs
    try:
        made = points_of(read_config(folder), asked, points)
        runs = {point: Run(paths.point(folder, point)) for point in made}
    except UserError as error:
        raise UserError(f"{error} Every process of a job needs to see the same folder.") from error
    for run in runs.values():
        run.keep = asked.compute.keep
    return runs


def finished(
    folder: Path, asked: Experiment, points: Points, lanes: Callable[[str, int], Collection[Lane]]
) -> dict[str, Run] | None:
    """The runs of a folder that holds all that is asked, as a run leaves it; None where it does not.

    Nothing is written, so a folder that cannot be written will do.

    Args:
        folder: the run's folder.
        asked: what is to be run in it.
        points: its points.
        lanes: those asked for, by point and round.

    Raises:
        UserError: what is there is damaged.
    """
    if processes.count() > 1:  # each would have to see the same
        return None
    state = state_of(folder, asked, points)
    if not isinstance(state, Ours) or will_hold(folder, asked, points) != state.stored:
        return None
    homes = {name: paths.point(folder, name) if asked.sweep else folder for name in points}
    if _environment(folder) is None or not all(_is_whole(home) for home in {folder, *homes.values()}):
        return None
    runs = {name: Run(home) for name, home in homes.items()}
    for name, run in runs.items():
        run.check_rows()
        run.verify()
        rounds = range(points[name].prune.rounds + 1)
        there = all(run.lanes(round).issuperset(lanes(name, round)) for round in rounds)
        if not (there and run.is_whole()):
            return None
    if asked.sweep and paths.summary(folder).read_bytes() != _of_points(runs).to_csv(index=False).encode():
        return None
    return runs


def _is_whole(folder: Path) -> bool:
    """Whether nothing is there that a killed run would leave, and its table is."""
    kept = [paths.rounds(folder), paths.theta0(folder, 0).parent, paths.starts(folder),
            paths.curves(folder, 0, 0).parent]  # fmt: skip
    left = [*folder.glob(f".*{files.UNFINISHED}"), *(path for place in kept for path in place.glob(".*"))]
    there = all(path.exists() for path in (paths.config(folder), paths.summary(folder)))
    return there and not left and not paths.begun(folder).exists()


def write_points(folder: Path, runs: Mapping[str, Run]) -> None:
    """Write a swept run's own ``summary.csv``: those of its points, with a column ``point``."""
    if any(run.parts for run in runs.values()):
        rows = _of_points(runs)
        write_whole(paths.summary(folder), lambda file: rows.to_csv(file, index=False))


def _of_points(runs: Mapping[str, Run]) -> pd.DataFrame:
    tables_by_point = [run.summary().assign(point=point) for point, run in runs.items() if run.parts]
    return pd.concat(tables_by_point, ignore_index=True)[
        ["point", *history.summary_columns(history.metric_in(map(str, tables_by_point[0])))]
    ]


def open_run(folder: Path, asked: Experiment) -> Run:
    """Open a run's folder to run ``asked`` in it: a new one is made, an older one grows to hold it.

    Raises:
        UserError: the folder holds another experiment (the message shows the difference), something else,
            or damaged files.
        OSError: it cannot be written.
    """
    grown = will_hold(folder, asked, {"": asked})
    for kept in (paths.rounds(folder), paths.theta0(folder, 0).parent, paths.starts(folder)):
        checkpoints.sweep(kept)
    if not paths.config(folder).exists():
        shutil.rmtree(paths.begun(folder), ignore_errors=True)  # of who knows what experiment
        write_text(paths.config(folder), compatible.to_json(grown))
    run = Run(folder)
    run.check_rows()  # before curves of removed checkpoints would be swept
    _sweep_files(run)
    run.verify()
    if grown != run.experiment:
        write_text(paths.config(folder), compatible.to_json(grown))
        run.experiment = grown
    run.keep = asked.compute.keep
    if run.parts:
        run.write_summary()
    return run


def _sweep_files(run: Run) -> None:
    """Remove the files that killed writes left: unfinished ones, and curves of parts that were not finished.

    The lanes of such curves may be trained as another part, and would be in the tables twice.
    """
    files.sweep(run.folder, paths.is_written_by_runs)
    folder = paths.curves(run.folder, 0, 0).parent
    files.sweep(folder, paths.is_curves)
    for path in filter(paths.is_curves, folder.glob("*")):
        if not paths.part(run.folder, *paths.round_and_part(path)).exists():
            path.unlink()


def write_environment(folder: Path, facts: dict[str, Any]) -> None:
    """Write ``environment.json``: this start's facts, and those of earlier starts under ``earlier``."""
    before = _environment(folder)
    earlier = [] if before is None else [*before.pop("earlier", []), before]
    write_text(paths.environment(folder), json.dumps({**facts, "earlier": earlier}, indent=2) + "\n")


def _environment(folder: Path) -> dict[str, Any] | None:
    """What ``environment.json`` says, where it can be read and can be added to."""
    try:
        found: dict[str, Any] = read_json(paths.environment(folder).read_text())
        return found if isinstance(found.get("earlier", []), list) else None
    except (OSError, ValueError, AttributeError):
        return None


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Be the only process that writes in a run's folder, which is made.

    Raises:
        UserError: another process is writing there; the message says which. Nothing is changed.
        OSError: the folder cannot be made or written.
    """
    try:
        with locks.lock(paths.lock(folder)):
            yield
    except locks.Held as error:
        raise UserError(
            f"'{folder}' is being written by {error}; wait until that has finished, or stop it, and repeat "
            "the command (nothing is lost), or choose another folder."
        ) from error
