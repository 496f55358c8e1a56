"""``ltjax merge``: runs of one experiment, trained apart, as one."""

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from ltjax.cli.command import exit_codes, speaker
from ltjax.cli.parsing import Quiet, read
from ltjax.core.errors import UserError
from ltjax.core.texts import read_json, read_text
from ltjax.lanes import backend
from ltjax.runs import paths
from ltjax.runs.merging import merge
from ltjax.runs.opening import write_environment

PROGRAM = "ltjax merge"


@dataclass(frozen=True)
class Options:
    """Merge runs of one experiment, trained apart, into a run that is as if trained in one place.

    They may differ in trials, rounds, arms, repeats and points of a sweep, and stay as they are. Nothing is
    written where their experiments or results disagree. Repeating a merge that was interrupted completes it.
    """

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="RUN [RUN …]")]
    """Folders of runs, as ltjax run writes them."""
    to: Path
    """Folder of the merged run: a new one, or a run of the same experiment, which is added to."""
    accept_changes: bool = False
    """Merge runs of other code or data than one another; the merged run's folder then tells so."""
    quiet: Quiet = False
    """Say nothing but what goes wrong."""


def main(arguments: list[str] | None = None, program: str = PROGRAM) -> None:
    """The command line; exits with 0, 1 (input or output failed), 2 (unusable), 130 (interrupted) or 143."""
    arguments = sys.argv[1:] if arguments is None else arguments
    with exit_codes(program, arguments) as interrupts:
        options = read(Options, arguments, program)
        if not options.runs:
            raise UserError(f"name the folder of at least one run: {program} RUN [RUN …] --to DIR")
        say = speaker(options.quiet)
        merged_from = merge(
            options.runs, options.to, lambda: interrupts.held("the checkpoint"), options.accept_changes
        )
        for folder, new, known in merged_from:
            say(f"{folder}: {new:,} lanes taken" + (f", {known:,} were there already" if known else ""))
        merged = [{"folder": str(folder), **_environment(folder)} for folder in options.runs]
        write_environment(options.to, {**backend.environment(), "merged": merged})
        here = shlex.quote(str(options.to))
        say(f"{here} holds them all; to train what is missing: ltjax run --config {here} --workdir {here}")


def _environment(folder: Path) -> dict[str, Any]:
    """What a run tells of where it was trained; a run without it is as good."""
    try:
        return dict(read_json(read_text(paths.environment(folder))))
    except (UserError, ValueError, TypeError):
        return {}
