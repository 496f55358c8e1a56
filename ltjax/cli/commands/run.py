"""``ltjax run``: run an experiment into a folder, or continue it."""

import argparse
import dataclasses
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.filesize import decimal

from ltjax.cli import boxes, helping, running
from ltjax.cli.command import exit_codes
from ltjax.cli.display import show
from ltjax.cli.parsing import Quiet, read
from ltjax.core.choices import Choice, having
from ltjax.core.errors import UserError, shown
from ltjax.core.interrupts import Interrupts
from ltjax.core.registry import registry
from ltjax.core.started import running_for
from ltjax.lanes import distributed, processes
from ltjax.lanes.box import Box
from ltjax.lanes.distributed import Distributed
from ltjax.lottery.arms import ARMS
from ltjax.lottery.dry_run import describe, plan
from ltjax.lottery.resolving import resolve
from ltjax.runs.retention import disk
from ltjax.settings import loading
from ltjax.settings.fields import choices_of, replaced
from ltjax.settings.schema import Experiment

PROGRAM = "python -m ltjax.run"


@dataclasses.dataclass(frozen=True)
class Options:
    """Find winning tickets: train, prune, rewind and train again, every trial and control at once.

    Repeating a command continues it; more --prune.rounds, --trials or --arms extend a finished run.
    """

    experiment: Annotated[Experiment, tyro.conf.arg(name="")]
    config: str = loading.DEFAULT
    """Experiment by name (--list shows them), or the path of a .py file, config.json or run folder."""
    workdir: Path | None = None
    """Folder of the run; runs/NAME by default."""
    list: bool = False
    """Show the named experiments and stop."""
    dry_run: bool = False
    """Show rounds, lanes, P_m schedule, weights, FLOPs, memory, disk and (once known) time; train nothing."""
    distributed: Distributed = dataclasses.field(default_factory=Distributed)
    only: tuple[int, ...] = ()
    """Train these trials alone, by number; ltjax merge joins runs of different trials."""
    minutes: float | None = None
    """Stop in good order within so many minutes; the same command continues."""
    accept_changes: bool = False
    """Continue a run though your code or data are others than it was begun with; its folder then tells so."""
    log: tuple[str, ...] = ()
    """Also tell tensorboard or wandb while it trains; each is an extra: pip install 'ltjax[tensorboard]'."""
    quiet: Quiet = False
    """Say nothing but what goes wrong, and draw nothing."""


def main(arguments: list[str] | None = None, program: str = PROGRAM) -> None:
    """The command line; exits with 0, 1 (input or output failed), 2 (unusable), 130 (interrupted) or 143."""
    console = Console()
    given = sys.argv[1:] if arguments is None else arguments
    with exit_codes(program, given) as interrupts:
        options = parse(given, program)
        distributed.check(options.distributed)
        box = Box(options.minutes, spent=running_for())
        if options.list:
            show(loading.experiments(), console)
        elif options.dry_run:
            _dry_run(options, console)
        else:
            with distributed.job(options.distributed, f"{program} {shlex.join(given)}"):
                if options.quiet or not processes.first():
                    console = Console(quiet=True, force_terminal=False)
                _run(options, console, interrupts, program, box)


def defaults(config: str = loading.DEFAULT) -> Options:
    """The options over an experiment, by name or path, every arm among them."""
    experiment = loading.load_experiment(config)
    every_arm = {arm: experiment.arms.get(arm, 0) for arm in ARMS} | experiment.arms
    return Options(dataclasses.replace(experiment, arms=every_arm), config)


def parse(arguments: list[str], program: str = PROGRAM) -> Options:
    """The options of a command line, over the experiment that ``--config`` names.

    Raises:
        UserError: there is no such experiment. Exits with 2 on misspelt options and wrong types.
    """
    arguments = [re.sub("^--keep(?==|$)", "--compute.keep", each) for each in arguments]
    _check(arguments)
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--config", nargs="?", default=loading.DEFAULT)
    config = first.parse_known_args(arguments)[0].config or loading.DEFAULT  # tyro tells of a missing name
    begun = defaults(config)
    begun = dataclasses.replace(begun, experiment=chosen(begun.experiment, arguments))
    with helping.more(arguments, program):
        options = read(Options, arguments, program, default=begun)
    arms = {arm: repeats for arm, repeats in options.experiment.arms.items() if repeats}
    return dataclasses.replace(options, experiment=dataclasses.replace(options.experiment, arms=arms))


def chosen(experiment: Experiment, arguments: Sequence[str]) -> Experiment:
    """The experiment with the choices that a command line names, each with its parameters' defaults.

    Where a name is the experiment's own, its parameters are the experiment's.

    Raises:
        UserError: there is nothing of a name, or a parameter belongs to a choice that is not made.
    """
    for path, choice in choices_of(experiment).items():
        reader = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
        reader.add_argument(f"--{path}", nargs="?", dest="name")
        name = reader.parse_known_args(arguments)[0].name or choice.name  # tyro tells of a missing name
        registry(choice.kind).find(name)
        experiment = replaced(experiment, path, name)
        _check_parameters(path, choices_of(experiment)[path], arguments)
    return experiment


def _check_parameters(path: str, choice: Choice, arguments: Sequence[str]) -> None:
    given = [each.partition("=")[0] for each in arguments if each.startswith(f"--{path}.")]
    for parameter in (each.removeprefix(f"--{path}.").replace("-", "_") for each in given):
        if parameter not in choice.parameters and (there := having(choice.kind, parameter)):
            option = parameter.replace("_", "-")
            raise UserError(
                f"--{path}.{option} is for --{path} {' or '.join(there)}, not {choice.name}; "
                f"say --{path} {there[0]} too."
            )


def _check(arguments: Sequence[str]) -> None:
    """Refuse what tyro would take in silence, or in words that do not help.

    Raises:
        UserError: the first argument is no option, or an option of several values has none or is repeated.
    """
    if arguments and not arguments[0].startswith("-"):
        raise UserError(f"name the experiment as --config {shown(arguments[0])}; --list shows what there is.")
    for name in ("--only", "--log", "--sweep"):
        places = [at for at, argument in enumerate(arguments) if argument == name]
        if len(places) > 1:
            raise UserError(f"{name} is there twice; it takes several values after one another.")
        if any([*arguments, "--"][at + 1].startswith("--") for at in places):
            raise UserError(f"{name} has no value; is it a variable that is not set?")


def _dry_run(options: Options, console: Console) -> None:
    resolved = resolve(options.experiment, only=options.only or None)
    for point, each in resolved.points.items():
        console.print(f"\n{point}" if point else "", end="\n" * bool(point), highlight=False)
        console.print(describe(each, plan(resolved, point)), highlight=False, soft_wrap=True)
        sizes = ", ".join(f"{decimal(size)} of {keep}" for keep, size in disk(resolved, point).items())
        console.print(f"{'disk':15} {sizes} (--keep), tables not counted", highlight=False, soft_wrap=True)
    if len(resolved.points) > 1:
        told = f"{len(resolved.programs())} for {len(resolved.points)} points of the sweep"
        console.print(f"{'programs':15} {told}", highlight=False, soft_wrap=True)
    if told := boxes.taken(_folder(options), resolved):
        console.print(told, highlight=False, soft_wrap=True)


def _folder(options: Options) -> Path:
    return options.workdir or Path("runs") / options.experiment.name


def _run(options: Options, console: Console, interrupts: Interrupts, program: str, box: Box) -> None:
    config = Path(options.config) if options.config.endswith(".py") else None
    told = running.Told(console, log=options.log, program=program, picture=True)
    running.run(
        options.experiment, _folder(options), options.only, told, interrupts, config, box,
        options.accept_changes,
    )  # fmt: skip
