"""``ltjax report``: a study's figures, verdicts on claims, and page."""

import dataclasses
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import pandas as pd
import tyro
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ltjax import studies
from ltjax.analysis import weight_statistics
from ltjax.analysis.results import Results, Study, read_study
from ltjax.cli.command import exit_codes
from ltjax.cli.parsing import Quiet, read
from ltjax.core.errors import UserError
from ltjax.core.files import write_text, write_whole
from ltjax.report import listed, methods, render
from ltjax.runs import paths
from ltjax.settings.loading import run_file
from ltjax.studies import Drawn, Verdict

PROGRAM = "python -m ltjax.report"

COLOURS = {"reproduced": "green", "not reproduced": "red"}


@dataclasses.dataclass(frozen=True)
class Options:
    """Draw the figures of one or more runs, judge claims by them, and write report.html.

    It reads tables and checkpoints and trains nothing; repeating it replaces what it wrote before.
    """

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="RUN [RUN …]")]
    """Folders of runs, as ltjax run writes them."""
    to: Path | None = None
    """Folder for figures/, claims.csv, methods.csv and report.html; the first RUN by default."""
    config: Path | None = None
    """A .py file of your own that registers figures or claims; it is run."""
    quiet: Quiet = False
    """Say nothing but what goes wrong."""


def main(arguments: list[str] | None = None, program: str = PROGRAM) -> None:
    """The command line; exits with 0, 1 (input or output failed), 2 (unusable), 130 (interrupted) or 143."""
    arguments = sys.argv[1:] if arguments is None else arguments
    with exit_codes(program, arguments):
        options = read(Options, arguments, program)
        if not options.runs:
            raise UserError(f"name the folder of at least one run: {program} RUN [RUN …]")
        if options.config:
            run_file(options.config)
        again = shlex.join([*program.split(), *arguments])
        report(options.runs, options.to or options.runs[0], again, Console(quiet=options.quiet))


def report(runs: Sequence[Path], folder: Path, again: str, console: Console) -> None:
    """Write figures, ``claims.csv``, ``methods.csv`` and ``report.html`` into a folder, and say so.

    Args:
        runs: the runs' folders.
        folder: where to write; it is made.
        again: the command line, for the page to tell.
        console: where to say it.

    Raises:
        UserError: a folder holds no run, or a damaged one, or nothing was trained in any.
        OSError: something could not be written.
    """
    study = read_study(runs)
    homes = {_home(run) for run in study.runs}
    for empty in dict.fromkeys(run for run in runs if run not in homes):
        said = f"nothing has been trained yet in '{empty}', which is left out"
        console.print(escape(said), highlight=False, soft_wrap=True)
    folder.mkdir(parents=True, exist_ok=True)
    _keep_anatomy(study, folder)
    drawn = studies.draw(study, paths.figures(folder))
    verdicts = studies.judge(study)
    _write_table(paths.claims(folder), studies.table(verdicts))
    _write_table(paths.methods(folder), methods.table(study))
    written = render(study, drawn, verdicts, figures=paths.figures(folder), again=again)
    write_text(paths.report(folder), written)
    _tell(console, folder, drawn, verdicts)


def _write_table(path: Path, table: pd.DataFrame) -> None:
    write_whole(path, lambda file: table.to_csv(file, index=False))


def _keep_anatomy(study: Study, folder: Path) -> None:
    """Distil the checkpoints of the runs that lie in the folder, so that figures outlive them."""
    for run in study.runs:
        if _home(run).resolve() == folder.resolve() and paths.rounds(run.folder).is_dir():
            found = weight_statistics.find(run.folder)
            if found is not None:
                weight_statistics.write(run.folder, found)


def _home(run: Results) -> Path:
    """The folder a run was given by: a sweep's point lies in it."""
    return run.folder.parent if run.point else run.folder


def _tell(console: Console, folder: Path, drawn: Sequence[Drawn], verdicts: Sequence[Verdict]) -> None:
    done = [each.name for each in drawn if each.stem]
    say = f"drawn in {paths.figures(folder)}: {listed(done)}" if done else "no figure drawn"
    console.print(escape(say), highlight=False)
    _tell_rest(console, len(drawn) - len(done), "figure")
    judged = [verdict for verdict in verdicts if verdict.status != "not run"]
    if judged:
        console.print(_claims_table(judged))
    _tell_rest(console, len(verdicts) - len(judged), "claim")
    console.print(escape(f"the page: {paths.report(folder)}"), highlight=False, soft_wrap=True)


def _tell_rest(console: Console, count: int, kind: str) -> None:
    """One line for what these runs do not suffice for; the page has it with the commands."""
    if count:
        said = f"{count} {kind}{'s need' if count > 1 else ' needs'} other runs; the page says which"
        console.print(said, style="dim", highlight=False)


def _claims_table(judged: Sequence[Verdict]) -> Table:
    """A line for each judged claim; what it says and how it was judged is on the page."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("claim", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("measured")
    for verdict in judged:
        status = f"[{COLOURS[verdict.status]}]{verdict.status}[/]"
        table.add_row(escape(verdict.claim.id), status, escape(verdict.ours))
    return table
