"""``ltjax export``: one lane of a run as files for other tools, and a card that weighs its forms."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich import box
from rich.console import Console
from rich.table import Table

from ltjax.analysis.evaluation import read_run
from ltjax.cli.command import exit_codes
from ltjax.cli.parsing import Quiet, read
from ltjax.core.types import Lane
from ltjax.export import card
from ltjax.export.files import export
from ltjax.settings.loading import run_file

PROGRAM = "ltjax export"


@dataclass(frozen=True)
class Options:
    """Write one lane of a run as safetensors, which other tools read, and a card of what it is and takes.

    Dense, compacted (a smaller dense network with the same outputs) and sparse: their bytes, their
    arithmetic and how long they take on this machine. docs/export.md says what each file is.
    """

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """Folder of a run, or of one point of a swept run."""
    round: int
    """Round of the lane."""
    to: Path
    """Folder to write; one that is new, empty, or of an earlier export."""
    arm: str = "ticket"
    """Arm of the lane."""
    trial: int = 0
    """Trial of the lane."""
    repeat: int = 0
    """Repeat of the lane."""
    config: Path | None = None
    """A .py file that registers the run's data set, network or arm, where these are your own."""
    measure: bool = True
    """Leave out how long each form takes, which depends on the machine and how busy it is."""
    quiet: Quiet = False
    """Say nothing but what goes wrong."""


def main(arguments: list[str] | None = None, program: str = PROGRAM) -> None:
    """The command line; exits with 0, 1 (input or output failed), 2 (unusable), 130 (interrupted) or 143."""
    arguments = sys.argv[1:] if arguments is None else arguments
    with exit_codes(program, arguments) as interrupts:
        options = read(Options, arguments, program)
        console = Console(quiet=options.quiet)
        lane = Lane(options.arm, options.trial, options.repeat)
        if options.config:
            run_file(options.config)
        run = read_run(options.run)
        exported = export(run, options.round, lane, options.to)
        interrupts.check()  # reading checkpoints may have swallowed it
        for line in exported.lines:
            console.print(line, highlight=False, markup=False, soft_wrap=True)
        if options.measure:
            console.print("timing each form; --no-measure leaves it out", highlight=False, soft_wrap=True)
        made = card.make_card(run, options.round, lane, options.to, exported, options.measure)
        for path in card.write(options.to, made):
            console.print(f"{path}: what it is and takes", highlight=False, markup=False, soft_wrap=True)
        console.print()
        console.print(_table(card.rows(made)))
        for sentence in made["findings"]:
            console.print(sentence, highlight=False, markup=False, soft_wrap=True)


def _table(rows: list[list[str]]) -> Table:
    heading, *others = rows
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for number, name in enumerate(heading):
        table.add_column(name, justify="right" if number else "left")
    for row in others:
        table.add_row(*row)
    return table
