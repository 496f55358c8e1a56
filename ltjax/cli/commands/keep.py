"""``ltjax keep``: drop trained params from a run that is there."""

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro
from rich.filesize import decimal

from ltjax.analysis import weight_statistics
from ltjax.cli.command import exit_codes, speaker
from ltjax.cli.parsing import Quiet, read
from ltjax.runs import opening
from ltjax.runs.folder import Run, read_config
from ltjax.runs.thinning import Writing, settle, thin
from ltjax.settings.schema import Keep

PROGRAM = "ltjax keep"


@dataclass(frozen=True)
class Options:
    """Thin a run: drop trained params that nothing needs, which cannot be had again but by training.

    Tables, curves and masks stay, and what a later round needs stays too, so the run can go on. What figures
    show of the trained params is worked out first and kept as a table.
    """

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """Folder of a run, as ltjax run writes it."""
    keep: Literal["tickets", "masks"]
    """Keep the trained params of tickets alone, or none."""
    quiet: Quiet = False
    """Say nothing but what goes wrong."""


def main(arguments: list[str] | None = None, program: str = PROGRAM) -> None:
    """The command line; exits with 0, 1 (input or output failed), 2 (unusable), 130 (interrupted) or 143."""
    arguments = sys.argv[1:] if arguments is None else arguments
    with exit_codes(program, arguments) as interrupts:
        options = read(Options, arguments, program)
        experiment = read_config(options.run)
        with opening.writing(options.run):
            before = _bytes(options.run)
            runs = opening.open_runs(options.run, experiment)
            dropped = sum(
                _thin(run, options.keep, lambda: interrupts.held("the part")) for run in runs.values()
            )
            for folder in {options.run, *(run.folder for run in runs.values())}:
                settle(folder, options.keep)
            after = _bytes(options.run)
        say = speaker(options.quiet)
        lanes = f"the params of {dropped:,} lanes dropped" if dropped else "nothing to drop"
        say(f"{shlex.quote(str(options.run))}: {lanes}; {decimal(before)} before, {decimal(after)} now")


def _thin(run: Run, keep: Keep, writing: Writing) -> int:
    """Thin a run, after what figures need of its params has been distilled."""
    table = weight_statistics.find(run.folder)
    if table is not None:
        weight_statistics.write(run.folder, table)
    return thin(run, keep, writing)


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
