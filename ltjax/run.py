"""``python -m ltjax.run``: run an experiment into a folder, continue it, or show what it would do."""

import argparse
import dataclasses
import shlex
import signal
import sys
import time
from pathlib import Path
from typing import Annotated, NoReturn

import jax
import tyro
from rich.console import Console

from ltjax import backend, catalogue
from ltjax.arms import ARMS
from ltjax.config import Experiment
from ltjax.data import load_dataset
from ltjax.display import Display, duration, summary_table
from ltjax.errors import UserError
from ltjax.lanes import choose_devices
from ltjax.lottery import find_tickets, lanes_of
from ltjax.plan import describe, plan
from ltjax.runs import Run, open_run, write_environment
from ltjax.validation import validate

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


def main(arguments: list[str] | None = None) -> None:
    """The command line; exits with 0, 1 (input or output failed), 2 (unusable) or 130 (interrupted)."""
    console = Console()
    backend.set_up()  # before an experiment's own file may use JAX
    try:
        options = parse(sys.argv[1:] if arguments is None else arguments)
        if options.list:
            _list(console)
        elif options.dry_run:
            _dry_run(options.experiment, console)
        else:
            _run(options, console)
    except UserError as error:
        _leave(str(error), 2)
    except OSError as error:
        _leave(f"{error}; nothing that was written before is lost.", 1)
    except KeyboardInterrupt:
        _leave(f"interrupted; to continue, repeat: {PROGRAM} {shlex.join(sys.argv[1:])}", 130)


def parse(arguments: list[str]) -> Options:
    """The options of a command line, over the experiment that ``--config`` names.

    Raises:
        UserError: there is no such experiment. Exits with 2 on misspelt options and wrong types.
    """
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--config", nargs="?", default="digits")
    config = first.parse_known_args(arguments)[0].config or ""
    experiment = catalogue.load_experiment(config)
    every_arm = {arm: experiment.arms.get(arm, 0) for arm in ARMS} | experiment.arms
    options = tyro.cli(
        Options,
        args=arguments,
        default=Options(dataclasses.replace(experiment, arms=every_arm), config),
        prog=PROGRAM,
        config=(tyro.conf.FlagCreatePairsOff,),
    )
    arms = {arm: repeats for arm, repeats in options.experiment.arms.items() if repeats}
    return dataclasses.replace(options, experiment=dataclasses.replace(options.experiment, arms=arms))


def _list(console: Console) -> None:
    names = catalogue.experiments()
    for name, purpose in names.items():
        console.print(f"{name:{max(map(len, names))}}  {purpose}", highlight=False, soft_wrap=True)


def _dry_run(experiment: Experiment, console: Console) -> None:
    validate(experiment)
    console.print(describe(experiment, plan(experiment)), highlight=False, soft_wrap=True)


def _run(options: Options, console: Console) -> None:
    experiment = options.experiment
    validate(experiment)
    choose_devices(experiment.compute)
    dataset = load_dataset(experiment.data)
    folder = options.workdir or Path("runs") / experiment.name
    run = open_run(folder, experiment)
    write_environment(folder, backend.environment())
    todo = _missing(experiment, run) * experiment.train.steps
    console.print(_heading(experiment, run, todo), highlight=False, soft_wrap=True)
    began = last = time.monotonic()
    with Display(experiment, todo, console) as display:
        for found in find_tickets(experiment, past=run, observe=display.observe, dataset=dataset):
            now = time.monotonic()
            with _signals_held():
                run.save(found, now - last)
            last = now
    console.print(summary_table(run.summary()))
    took = duration(time.monotonic() - began)
    console.print(
        f"{folder} holds the tables, curves and checkpoints; this took {took}.",
        highlight=False,
        soft_wrap=True,
    )


def _missing(experiment: Experiment, run: Run) -> int:
    """Lanes still to be trained, over all rounds."""
    wanted = set(lanes_of(experiment))
    return sum(len(wanted - run.lanes(round)) for round in range(experiment.prune.rounds + 1))


def _heading(experiment: Experiment, run: Run, todo: int) -> str:
    doing = "nothing left to train in" if not todo else "continuing" if run.parts else "running"
    devices = f"{jax.local_device_count()} {jax.default_backend()} devices"
    return (
        f"{doing} {experiment.name} in {run.folder}: {experiment.model.name} on {experiment.data.name}, "
        f"rounds 0 to {experiment.prune.rounds}, {len(lanes_of(experiment))} lanes of "
        f"{experiment.train.steps:,} steps, {devices}"
    )


class _signals_held:
    """Ctrl-C waits while a part is written, then is raised."""

    def __enter__(self) -> None:
        self.caught = False
        self.previous = signal.signal(signal.SIGINT, self._remember)

    def _remember(self, *_: object) -> None:
        self.caught = True

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self.previous)
        if self.caught:
            raise KeyboardInterrupt


def _leave(message: str, status: int) -> NoReturn:
    print(f"ltjax: {message}", file=sys.stderr)
    raise SystemExit(status)


if __name__ == "__main__":
    main()
