"""``ltjax list``: what there is to choose from, by name."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, get_args

import tyro
from rich.console import Console

from ltjax.cli.choices import PURPOSES, Kind
from ltjax.cli.command import exit_codes
from ltjax.cli.display import show
from ltjax.cli.parsing import read
from ltjax.settings.loading import run_file

PROGRAM = "ltjax list"


@dataclass(frozen=True)
class Options:
    """Show what there is to choose from: experiments, or what their settings may name."""

    kind: Annotated[Kind, tyro.conf.Positional] = "experiments"
    """What to show."""
    config: str | None = None
    """A .py file of your own, whose entries are shown too; it is run."""


def main(arguments: list[str] | None = None, program: str = PROGRAM) -> None:
    """The command line; exits with 0, 1 (input or output failed), 2 (unusable), 130 (interrupted) or 143."""
    arguments = sys.argv[1:] if arguments is None else arguments
    with exit_codes(program, arguments):
        options = read(Options, arguments, program)
        if options.config:
            run_file(Path(options.config))
        show(PURPOSES[options.kind](), Console())
        if options.kind == "experiments":
            others = ", ".join(kind for kind in get_args(Kind) if kind != options.kind)
            # beside what a pipe is given
            Console(stderr=True).print(f"\nOther lists, as {program} arms: {others}.", highlight=False)
