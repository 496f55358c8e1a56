"""``ltjax unpack``: the folder of a run that was packed."""

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from ltjax.cli.command import exit_codes, speaker
from ltjax.cli.parsing import Quiet, read
from ltjax.runs.packing import unpack

PROGRAM = "ltjax unpack"
CONTINUE = "ltjax run"


@dataclass(frozen=True)
class Options:
    """Make a run's folder of a file that ltjax pack wrote; it then continues as the run would have."""

    file: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FILE")]
    """The packed run."""
    to: Path | None = None
    """The folder, which must be new or empty; FILE without .tar.gz by default."""
    quiet: Quiet = False
    """Say nothing but what goes wrong."""


def main(arguments: list[str] | None = None, program: str = PROGRAM) -> None:
    """The command line; exits with 0, 1 (input or output failed), 2 (unusable), 130 (interrupted) or 143."""
    arguments = sys.argv[1:] if arguments is None else arguments
    with exit_codes(program, arguments):
        options = read(Options, arguments, program)
        folder = options.to or options.file.with_name(options.file.name.removesuffix(".tar.gz"))
        unpack(options.file, folder)
        here = shlex.quote(str(folder))
        say = speaker(options.quiet)
        say(f"{here} holds the run; to continue it: {CONTINUE} --config {here} --workdir {here}")
