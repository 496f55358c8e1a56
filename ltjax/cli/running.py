"""Running an experiment into a folder, or continuing it there: what ``ltjax run`` does."""

import contextlib
import dataclasses
import shlex
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from rich.console import Console

from ltjax.analysis import cut_off
from ltjax.analysis.named import Asked, lacking
from ltjax.analysis.named import check as check_names
from ltjax.analysis.results import Study, read_study
from ltjax.cli import boxes
from ltjax.cli.display import QUIET_SECONDS, Display, Summary
from ltjax.cli.loggers import LOGGERS, Logs, Place, start
from ltjax.core.errors import UserError
from ltjax.core.interrupts import Interrupts
from ltjax.core.safetensors import start_files
from ltjax.core.texts import duration
from ltjax.core.types import Lane
from ltjax.core.version import __version__
from ltjax.data import Dataset, enter_arrays
from ltjax.lanes import backend, distributed, history, processes
from ltjax.lanes.box import Box, Ended
from ltjax.lanes.placement import choose_devices
from ltjax.lottery.loop import Part, Round, train_rounds
from ltjax.lottery.resolving import Resolved, resolve
from ltjax.runs import checkpoints, identity, learned, opening, paths
from ltjax.runs.folder import Run
from ltjax.runs.identity import Identity
from ltjax.runs.opening import open_together, write_environment, write_points
from ltjax.runs.partial import Begun
from ltjax.runs.state import Bare, New, state_of, will_hold
from ltjax.settings import compatible, sweeps
from ltjax.settings.schema import Experiment, Numerics
from ltjax.training.task import Task

NOTEBOOK = 96
"""Characters of a line in a notebook, whose own width is not told."""


class Told(NamedTuple):
    """Where progress is told, and how.

    ``pace`` is the seconds between two plain lines, ``log`` names loggers, ``program`` is what was started,
    ``picture`` whether the run ends with one.
    """

    console: Console
    pace: float = QUIET_SECONDS
    log: Collection[str] = ()
    program: str = "ltjax run"
    picture: bool = False


def run_experiment(
    experiment: Experiment, folder: str | Path | None = None, *, only: Collection[int] = (),
    minutes: float | None = None, quiet: bool = False, pace: float = 60.0, log: Collection[str] = (),
    dataset: Dataset | None = None, accept_changes: bool = False,
) -> Study:  # fmt: skip
    """Run an experiment into a folder, or continue it there, and read what the folder then holds.

    What was trained there before is not trained again, and an interruption loses at most the minutes since
    the last snapshot. Progress is told in plain lines where there is no terminal, as in a notebook.

    Args:
        experiment: what to run.
        folder: the run's folder; ``runs/NAME`` by default.
        only: the trials to train; by default all.
        minutes: stop in good order within so many; the same call continues.
        quiet: whether to say nothing.
        pace: seconds between two plain lines of progress; the end of a round is always told.
        log: loggers to tell too, by name, such as ``tensorboard``.
        dataset: arrays of your own, used in place of the data set that the experiment names. The folder keeps
            their checksum, as ``data.name``, and not the arrays: to continue the run, or to evaluate what it
            trained, give the same ones again. Others are refused.
        accept_changes: continue a run though its code or data are others than it was begun with; its
            ``identity.json`` then tells so.

    Raises:
        UserError: the experiment cannot be run, or the folder holds another one; before anything is trained.
            Or the minutes are too few to train anything.
        OSError: something could not be written.
        KeyboardInterrupt: the user interrupted; the same call continues.
    """
    if dataset is not None:
        data = dataclasses.replace(experiment.data, name=enter_arrays(dataset))
        experiment = dataclasses.replace(experiment, data=data)
    box = Box(minutes)
    home = Path("runs") / experiment.name if folder is None else Path(folder)
    with Interrupts(f"run_experiment of '{home}'", ends=False) as interrupts:
        told = Told(_console(quiet), pace, log)
        trained = run(experiment, home, only, told, interrupts, box=box, accept_changes=accept_changes)
    return read_study([home]) if trained else Study([])


def _console(quiet: bool) -> Console:
    """The terminal, or plain text in a notebook: rich would make a block of HTML of every line there."""
    if quiet or not Console().is_jupyter:
        return Console(quiet=quiet, force_terminal=False if quiet else None)
    return Console(force_jupyter=False, force_terminal=False, width=NOTEBOOK)


def run(
    experiment: Experiment, folder: Path, only: Collection[int], told: Told, interrupts: Interrupts,
    config: Path | None = None, box: Box | None = None, accept_changes: bool = False,
) -> bool:  # fmt: skip
    """Run an experiment into a folder; all processes of a job call it together.

    Args:
        experiment: what to run.
        folder: the run's folder.
        only: the trials to train; none are all.
        told: where to say what comes of it.
        interrupts: what holds interruptions back while something is written.
        config: the ``.py`` file that is run for it, if one is.
        box: the minutes that it has; by default without end.
        accept_changes: whether code and data may be others than the run was begun with.

    Returns:
        Whether the folder holds anything that was trained to its end.

    Raises:
        UserError, OSError, KeyboardInterrupt: as ``run_experiment``.
    """
    asked = experiment.numerics
    check_names(experiment)
    resolved = resolve(experiment, only=only or None)
    experiment = resolved.experiment
    for name in told.log:
        LOGGERS.find(name)
    box = box or Box()
    distributed.agree(_alike(experiment, only, box))
    choose_devices(experiment.compute)
    dataset = resolved.task.load(experiment.data)
    if isinstance(state_of(folder, experiment, resolved.points), New | Bare):
        resolved.check_start()
    resolved = _as_begun(resolved, _grown(folder, resolved), folder, asked)
    ours = identity.identity_of(experiment, dataset, config, resolved.points.values())
    changed = identity.check(folder, ours, accept_changes)
    with contextlib.ExitStack() as held:
        began = time.monotonic()
        done = None if changed else opening.finished(
            folder, resolved.experiment, resolved.points, resolved.lanes
        )  # fmt: skip
        if done is None or any(lacking(run, run.parts) for run in done.values()):
            processes.first_alone(lambda: held.enter_context(opening.writing(folder)))
            runs = _open(resolved, folder, ours, changed, told.program)
            ended = _train(resolved, runs, folder, dataset, told, interrupts, box)
        else:
            runs, ended = done, None
            _say(_heading(resolved, folder, runs, todo=0), told.console)
        if not told.console.quiet:
            _tables(runs, resolved.tasks, told.console)
        if ended:
            line = boxes.stopped(ended, box, *_left(resolved, runs, ended), interrupts.again)
            told.console.print(line, highlight=False, soft_wrap=True)
            return any(run.parts for run in runs.values())
        own = f" --config {shlex.quote(str(config))}" if config else ""
        _end(folder, told, own, time.monotonic() - began, picture=told.picture and done is None)
    return True


def _open(
    resolved: Resolved, folder: Path, ours: Identity, changed: Sequence[str], program: str
) -> dict[str, Run]:
    """The runs of a folder, which then tells whose code and data they are, and what is learned."""
    if changed:
        processes.first_alone(lambda: identity.adopt_arrays(folder, resolved.experiment))
    runs = open_together(folder, resolved.experiment, resolved.points)
    processes.first_alone(lambda: identity.keep(folder, ours, changed, program))
    processes.first_alone(lambda: _write_tasks(resolved, runs))
    return runs


def _begins(resolved: Resolved) -> str:
    """The masks and files that trials begin with, where they do."""
    experiment = resolved.experiment
    masks = f"; round 0 has the masks of {experiment.ticket}" if experiment.ticket else ""
    if experiment.model.start is None:
        return masks
    first = start_files(experiment.model.start, next(iter(resolved.only or (0,))))
    beside = "" if first.state or not resolved.task.shapes[1] else ", with statistics as they are drawn"
    return f"{masks}; trials begin with {first}{beside}"


def _write_tasks(resolved: Resolved, runs: Mapping[str, Run]) -> None:
    for point, run in runs.items():
        learned.write(run.folder, resolved.tasks[point], resolved.points[point])


def _end(folder: Path, told: Told, own: str, seconds: float, *, picture: bool) -> None:
    """What a run's end says: what was found, perhaps with its picture, and where everything lies."""
    if told.console.quiet:
        return
    from ltjax.cli.answer import answer  # with matplotlib, which takes half a second

    answer(folder, told.console, picture=picture)
    report = f"{told.program.removesuffix('run')}report {shlex.quote(str(folder))}{own}"
    told.console.print(
        f"{folder} holds the tables, curves and checkpoints; this took {duration(seconds)}. "
        f"Figures, claims and a page: {report}",
        highlight=False,
        soft_wrap=True,
    )


def _as_begun(resolved: Resolved, grown: Experiment, folder: Path, asked: Numerics) -> Resolved:
    """What is to be run, with the numerics that its folder began with."""
    kept = grown.numerics
    if kept == resolved.experiment.numerics:
        return resolved
    if asked.convolution not in ("auto", kept.convolution):
        raise UserError(
            f"'{folder}' was begun with --numerics.convolution {kept.convolution} and continues so, to the "
            "same bits; leave the option out, or choose another --workdir."
        )
    return resolve(dataclasses.replace(resolved.experiment, numerics=kept), resolved.source, resolved.only)


def _grown(folder: Path, resolved: Resolved) -> Experiment:
    """What a folder will hold; other arrays than it was begun with are another identity, told elsewhere."""
    here = identity.with_arrays_of(folder, resolved.experiment)
    points = resolved.points if here == resolved.experiment else sweeps.points(here)
    return will_hold(folder, here, points)


def _train(
    resolved: Resolved, runs: Mapping[str, Run], folder: Path, dataset: Dataset, told: Told,
    interrupts: Interrupts, box: Box,
) -> Ended | None:  # fmt: skip
    """Train what a folder lacks, and say what ended it early; only for the job that writes there."""
    experiment = resolved.experiment
    for run in runs.values():
        opening.restore_theta0(run)
    # the job's first process alone tells them
    sinks = processes.first_alone(lambda: start(told.log, Place(folder, experiment))) or []
    logs = Logs(sinks, {point: task.measured.shown.name for point, task in resolved.tasks.items()})
    begun = Begun(folder, experiment.compute.snapshot_minutes, lambda: interrupts.held("the snapshot"), box)
    if processes.first():
        write_environment(folder, backend.environment())
    todo = _missing_steps(resolved, runs)
    asked = _asked(resolved, runs, dataset, interrupts)
    heading = (
        _heading(resolved, folder, runs, todo)
        + ("" if box.endless else f", within {boxes.minutes(box)}")
        + _begins(resolved)
    )
    _say(heading, told.console)
    try:
        with (
            Display(resolved, todo, told.console, told.pace, box) as display,
            contextlib.closing(logs),
            interrupts.held("the steps until the next evaluation"),
        ):

            def observe(round: int, part: Part, step: int, seen: dict[str, np.ndarray]) -> None:
                interrupts.check()
                display.observe(round, part, step, seen)
                logs.observe(round, part, step, seen)

            for each in asked.values():
                each.catch_up()
            last = time.monotonic()
            for found in train_rounds(resolved, dataset, runs, observe=observe, snapshots=begun.of):
                now = time.monotonic()
                with interrupts.held("the checkpoint"):
                    runs[found.point].save(found, now - last + begun.before())
                    if found.point and processes.first():
                        write_points(folder, runs)
                _tell(logs, found, runs[found.point], resolved.lanes(found.point, found.index))
                last = now + asked[found.point].about(found.index)  # which is no part of the next round
            for each in asked.values():
                each.finish()
    except Ended as ended:
        begun.sweep(lambda round, point: runs[point].lanes(round))
        return ended
    begun.clear()
    return None


def _asked(
    resolved: Resolved, runs: Mapping[str, Run], dataset: Dataset, interrupts: Interrupts
) -> dict[str, Asked]:
    """What asks each point's run the analyses that the experiment names."""

    def of(point: str) -> Asked:
        return Asked(
            runs[point], lambda round: resolved.lanes(point, round), lambda: dataset,
            lambda: interrupts.held("the analysis"),
        )  # fmt: skip

    return {point: of(point) for point in runs}


def _say(sentence: str, console: Console) -> None:
    """A sentence, which a terminal's lines break between words; elsewhere it is one line."""
    console.print(sentence, highlight=False, markup=False, soft_wrap=not console.is_terminal)


def _tell(logs: Logs, found: Round, run: Run, asked: Collection[Lane]) -> None:
    """Tell loggers of a round once all lanes that were asked for are there, whenever each was trained."""
    if logs.sinks and run.lanes(found.index).issuperset(asked):
        rows = run.summary()
        logs.finished(found.index, found.point, rows[rows["round"] == found.index])


def _alike(experiment: Experiment, only: Collection[int], box: Box) -> str:
    """What all processes of a job must have been told alike; where data lie may differ."""
    data = dataclasses.replace(experiment.data, dir=None, raw=None)
    alike = dataclasses.replace(experiment, data=data)
    return f"{compatible.to_json(alike)} {tuple(only)} {box.minutes} {__version__} {jax.__version__}"


def _missing_steps(resolved: Resolved, runs: Mapping[str, Run]) -> int:
    """Steps still to be trained, of all lanes of all rounds; lanes that points share count once."""
    left = {
        resolved.identity(point, round, lane): experiment.train.steps - resolved.step(point, round, lane)
        for point, experiment in resolved.points.items()
        for round in range(resolved.rounds + 1)
        for lane in set(resolved.lanes(point, round)) - runs[point].lanes(round)
    }
    return sum(left.values())


def _left(resolved: Resolved, runs: Mapping[str, Run], ended: Ended) -> tuple[int, int]:
    """The rounds in which lanes are still to be trained where a box ended, and their trial-steps."""
    steps, work = resolved.experiment.train.steps, ended.work
    rounds = sum(
        any(set(resolved.lanes(point, round)) - runs[point].lanes(round) for point in resolved.points)
        for round in range(resolved.rounds + 1)
    )
    reached = steps - work.steps if ended.step is None else ended.step
    return rounds, _missing_steps(resolved, runs) - (reached - work.start) * work.lanes


def _heading(resolved: Resolved, folder: Path, runs: Mapping[str, Run], todo: int) -> str:
    experiment, points, rounds = resolved.experiment, resolved.points, range(resolved.rounds + 1)
    begun = any(run.parts for run in runs.values()) or checkpoints.finished(paths.begun(folder))
    doing = "nothing left to train in" if not todo else "continuing" if begun else "running"
    devices = f"{jax.device_count()} {jax.default_backend()} devices"
    devices += f" of {processes.count()} processes" if processes.count() > 1 else ""
    lanes = max(sum(len(resolved.lanes(point, round)) for point in points) for round in rounds)
    return (
        f"{doing} {experiment.name} in {folder}: {experiment.subject}, "
        f"rounds 0 to {resolved.rounds}, {lanes} lanes a round of {experiment.train.steps:,} steps, {devices}"
        + (f"; {', '.join(experiment.sweep)} at {len(points)} points" if experiment.sweep else "")
    )


def _tables(runs: Mapping[str, Run], tasks: Mapping[str, Task], console: Console) -> None:
    """Each point's table, and what pruning has cut off there."""
    for point, run in runs.items():
        if run.parts:
            console.print(f"\n{point}" if point else "", highlight=False)
            rows = run.summary()
            known = learned.read(run.folder, history.metric_in(map(str, rows)))
            console.print(Summary(rows, known.metric))
            if said := cut_off.told(cut_off.cut_off(run, known.layers, tasks[point])):
                _say(said, console)
