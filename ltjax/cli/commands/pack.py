"""``ltjax pack``: a run in one small file, to be carried to another machine."""

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.filesize import decimal

from ltjax.cli.command import exit_codes, speaker
from ltjax.cli.parsing import Quiet, read
from ltjax.runs import opening, paths
from ltjax.runs.folder import read_config
from ltjax.runs.packing import pack

PROGRAM = "ltjax pack"


@dataclass(frozen=True)
class Options:
    """Write a run as one small file that ltjax unpack makes a run of, on this machine or another.

    It holds all that continues the run: tables, curves and masks, and trained params only where the run could
    not go on without them. The run itself stays as it is.
    """

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """Folder of a run, as ltjax run writes it."""
    to: Path | None = None
    """The file; RUN.tar.gz by default."""
    snapshot: bool = True
    """Take along the round that is being trained; without it that round is begun again."""
    quiet: Quiet = False
    """Say nothing but what goes wrong."""


def main(arguments: list[str] | None = None, program: str = PROGRAM) -> None:
    """The command line; exits with 0, 1 (input or output failed), 2 (unusable), 130 (interrupted) or 143."""
    arguments = sys.argv[1:] if arguments is None else arguments
    with exit_codes(program, arguments):
        options = read(Options, arguments, program)
        read_config(options.run)  # before its lock would make the folder
        file = options.to or Path(f"{options.run.resolve()}.tar.gz")
        with opening.writing(options.run):
            size = pack(options.run, file, options.snapshot)
        begun = options.snapshot and paths.begun(options.run).exists()
        here = shlex.quote(str(file))
        say = speaker(options.quiet)
        say(
            f"{here}: {decimal(size)}" + ", with the round that is being trained" * begun
            + f"; to continue it elsewhere: ltjax unpack {here}"
        )  # fmt: skip
