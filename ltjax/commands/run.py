"""``ltjax run``: run an experiment into a folder, or continue it."""

import argparse
import contextlib
import dataclasses
import shlex
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import jax
import numpy as np
import tyro
from rich.console import Console

from ltjax import (
    backend,
    catalogue,
    distributed,
    identity,
    locks,
    opening,
    paths,
    processes,
    recovery,
    sweeps,
)
from ltjax.arms import ARMS
from ltjax.begun import Begun
from ltjax.command import exit_codes
from ltjax.commands.list import show
from ltjax.config import Experiment
from ltjax.data import Dataset, load_dataset
from ltjax.devices import choose_devices
from ltjax.display import Display, duration, summary_table
from ltjax.distributed import Distributed
from ltjax.errors import UserError, shown
from ltjax.interrupts import Interrupts
from ltjax.lottery import find_tickets
from ltjax.opening import open_together, write_environment, write_points
from ltjax.options import Quiet, read
from ltjax.plan import describe, plan
from ltjax.runs import Run
from ltjax.search import lanes_of
from ltjax.types import Lane
from ltjax.validation import check_start, validate
from ltjax.version import __version__

PROGRAM = "python -m ltjax.run"


@dataclasses.dataclass(frozen=True)
class Options:
    """Find winning tickets: train, prune, rewind and train again, every trial and control at once.

    Repeating a command continues it; more --prune.rounds, --trials or --arms extend a finished run.
    """

    experiment: Annotated[Experiment, tyro.conf.arg(name="")]
    config: str = "digits"
    """Experiment by name (--list shows them), or the path of a .py file, config.json or run folder."""
    workdir: Path | None = None
    """Folder of the run; runs/NAME by default."""
    list: bool = False
    """Show the named experiments and stop."""
    dry_run: bool = False
    """Show rounds, lanes, P_m schedule, weights, FLOPs and memory; train nothing."""
    distributed: Distributed = dataclasses.field(default_factory=Distributed)
    only: tuple[int, ...] = ()
    """Train these trials alone, by number; python -m ltjax.merge joins runs of different trials."""
    quiet: Quiet = False
    """Say nothing but what goes wrong."""


def main(arguments: list[str] | None = None, program: str = PROGRAM) -> None:
    """The command line; exits with 0, 1 (input or output failed), 2 (unusable), 130 (interrupted) or 143."""
    console = Console()
    backend.set_up()  # before an experiment's own file may use JAX
    given = sys.argv[1:] if arguments is None else arguments
    with exit_codes(program, given) as interrupts:
        options = parse(given, program)
        distributed.check(options.distributed)
        if options.list:
            show(catalogue.experiments(), console)
        elif options.dry_run:
            _dry_run(options, console)
        else:
            with distributed.job(options.distributed, f"{program} {shlex.join(given)}"):
                silent = options.quiet or not processes.first()
                _run(options, Console(quiet=True, force_terminal=False) if silent else console, interrupts)


def defaults(config: str = "digits") -> Options:
    """The options over an experiment, by name or path, every arm among them."""
    experiment = catalogue.load_experiment(config)
    every_arm = {arm: experiment.arms.get(arm, 0) for arm in ARMS} | experiment.arms
    return Options(dataclasses.replace(experiment, arms=every_arm), config)


def parse(arguments: list[str], program: str = PROGRAM) -> Options:
    """The options of a command line, over the experiment that ``--config`` names.

    Raises:
        UserError: there is no such experiment. Exits with 2 on misspelt options and wrong types.
    """
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--config", nargs="?", default="digits")
    config = first.parse_known_args(arguments)[0].config or "digits"  # tyro tells of a missing name
    options = read(Options, arguments, program, default=defaults(config))
    arms = {arm: repeats for arm, repeats in options.experiment.arms.items() if repeats}
    return dataclasses.replace(options, experiment=dataclasses.replace(options.experiment, arms=arms))


def _dry_run(options: Options, console: Console) -> None:
    validate(options.experiment)
    _check_only(options)
    for point, each in sweeps.points(options.experiment).items():
        console.print(f"\n{point}" if point else "", end="\n" * bool(point), highlight=False)
        console.print(describe(each, plan(each, options.only or None)), highlight=False, soft_wrap=True)


def _run(options: Options, console: Console, interrupts: Interrupts) -> None:
    experiment = options.experiment
    validate(experiment)
    _check_only(options)
    distributed.agree(_told(options))
    choose_devices(experiment.compute)
    dataset = load_dataset(experiment.data)
    folder = options.workdir or Path("runs") / experiment.name
    if not paths.config(folder).exists():
        check_start(experiment)
    opening.check(folder, experiment)
    with contextlib.ExitStack() as held:
        processes.first_alone(lambda: held.enter_context(locks.writing(folder)))
        _train(options, folder, dataset, console, interrupts)


def _train(
    options: Options, folder: Path, dataset: Dataset, console: Console, interrupts: Interrupts
) -> None:
    """Train what a folder lacks; only for the job that writes there."""
    experiment, only = options.experiment, options.only or None
    runs = open_together(folder, experiment)
    for run in runs.values():
        recovery.restore_theta0(run)
    begun = Begun(folder, experiment.compute.snapshot_minutes, lambda: interrupts.held("the snapshot"))
    if processes.first():
        write_environment(folder, backend.environment())
    todo = _missing(experiment, runs, only) * experiment.train.steps
    console.print(_heading(options, folder, runs, todo), highlight=False, soft_wrap=True)
    began = last = time.monotonic()
    with Display(experiment, todo, console) as display:

        def observe(round: int, lanes: Sequence[Lane], step: int, seen: dict[str, np.ndarray]) -> None:
            interrupts.check()
            display.observe(round, lanes, step, seen)

        for found in find_tickets(
            experiment, past=runs, observe=observe, snapshots=begun.of, dataset=dataset, only=only
        ):
            now = time.monotonic()
            with interrupts.held("the checkpoint"):
                runs[found.point].save(found, now - last)
                if found.point and processes.first():
                    write_points(folder, runs)
            last = now
    begun.clear()
    _tables(runs, console)
    took = duration(time.monotonic() - began)
    console.print(
        f"{folder} holds the tables, curves and checkpoints; this took {took}. "
        f"Figures, claims and a page: python -m ltjax.report {shlex.quote(str(folder))}{_own(options)}",
        highlight=False,
        soft_wrap=True,
    )


def _told(options: Options) -> str:
    """What all processes of a job must have been told alike; where data lie may differ."""
    data = dataclasses.replace(options.experiment.data, dir=None, raw=None)
    alike = dataclasses.replace(options.experiment, data=data)
    return f"{identity.to_json(alike)} {options.only} {__version__} {jax.__version__}"


def _own(options: Options) -> str:
    """What a later command needs to know of a file that registers a user's own."""
    return f" --config {shlex.quote(options.config)}" if options.config.endswith(".py") else ""


def _check_only(options: Options) -> None:
    trials = options.experiment.trials
    for trial in options.only:
        if not 0 <= trial < trials:
            raise UserError(f"--only must name trials from 0 to {trials - 1}, not {shown(trial)}.")


def _missing(experiment: Experiment, runs: Mapping[str, Run], only: Collection[int] | None) -> int:
    """Lanes still to be trained, over all rounds and points."""
    return sum(
        len(set(lanes_of(each, round, only)) - runs[point].lanes(round))
        for point, each in sweeps.points(experiment).items()
        for round in range(each.prune.rounds + 1)
    )


def _heading(options: Options, folder: Path, runs: Mapping[str, Run], todo: int) -> str:
    experiment, only = options.experiment, options.only or None
    begun = any(run.parts for run in runs.values())
    doing = "nothing left to train in" if not todo else "continuing" if begun else "running"
    devices = f"{jax.device_count()} {jax.default_backend()} devices"
    devices += f" of {processes.count()} processes" if processes.count() > 1 else ""
    points = list(sweeps.points(experiment).values())
    rounds = max(each.prune.rounds for each in points)
    lanes = max(sum(len(lanes_of(each, round, only)) for each in points) for round in range(rounds + 1))
    return (
        f"{doing} {experiment.name} in {folder}: {experiment.model.name} on {experiment.data.name}, "
        f"rounds 0 to {rounds}, {lanes} lanes a round of {experiment.train.steps:,} steps, {devices}"
        + (f"; {', '.join(experiment.sweep)} at {len(points)} points" if experiment.sweep else "")
    )


def _tables(runs: Mapping[str, Run], console: Console) -> None:
    for point, run in runs.items():
        if run.parts:
            console.print(f"\n{point}" if point else "", highlight=False)
            console.print(summary_table(run.summary()))
