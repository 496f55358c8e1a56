"""``ltjax analyse``: a question asked of finished runs, answered with a table."""

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from functools import partial
from inspect import getdoc
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import tyro
from rich import box
from rich.console import Console
from rich.table import Table

from ltjax.analysis.analyses import ANALYSES, called, folder_of, tables_of
from ltjax.analysis.evaluation import read_run
from ltjax.analysis.lanes import Examined
from ltjax.cli.checking import check_identity
from ltjax.cli.command import exit_codes
from ltjax.cli.parsing import Quiet, read
from ltjax.core.choices import Choice
from ltjax.core.errors import UserError, unknown
from ltjax.core.files import write_whole
from ltjax.data import Dataset
from ltjax.runs.folder import Run
from ltjax.settings.loading import run_file
from ltjax.settings.plain import checked_choice
from ltjax.training.tasks import task_of

PROGRAM = "ltjax analyse"

SHOWN = 40
"""Rows that the terminal shows."""


@dataclasses.dataclass(frozen=True)
class Options:
    """Ask one or more finished runs a question, such as connectivity, and show the table.

    ltjax list analyses shows what can be asked; ltjax analyse RUN NAME --help what it can be told. The table
    of one run alone is kept in its folder, round by round, and read from there the next time.
    """

    what: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="RUN [RUN …] ANALYSIS")]
    """Folders of runs (or of one point of a swept run), and the name of the analysis."""
    rounds: tuple[int, ...] = ()
    """Rounds to ask about; by default all."""
    to: Path | None = None
    """File to write the whole table to, as CSV."""
    config: Path | None = None
    """A .py file of your own that registers the analysis, or what the run learned; it is run."""
    accept_changes: bool = False
    """Ask though your code or data are others than the run was begun with; its folder then tells so."""
    quiet: Quiet = False
    """Say nothing but what goes wrong."""


def main(arguments: list[str] | None = None, program: str = PROGRAM) -> None:
    """The command line; exits with 0, 1 (input or output failed), 2 (unusable), 130 (interrupted) or 143."""
    arguments = sys.argv[1:] if arguments is None else arguments
    with exit_codes(program, arguments) as interrupts:
        options, choice = parse(arguments, program)
        folders = [Path(each) for each in options.what[:-1]]
        runs = _examined(folders, options, program)
        console, tables = Console(quiet=options.quiet), []
        for round, table in tables_of(runs, choice, options.rounds or None):
            interrupts.check()
            tables.append(table)
            console.print(f"round {round}: {len(table):,} rows", highlight=False, style="dim")
        found = pd.concat([each for each in tables if len(each)] or tables[:1], ignore_index=True)
        _say_dropped(runs, console)
        if found.empty:
            raise UserError(_nothing(choice))
        if options.to:
            write_whole(options.to, lambda file: found.to_csv(file, index=False))
        _show(choice, found, console)
        kept = options.to or (folder_of(folders[0], choice) if len(folders) == 1 else None)
        console.print(f"the whole table: {kept}" if kept else "--to FILE.csv writes the whole table",
                      highlight=False, soft_wrap=True)  # fmt: skip


def _examined(folders: Sequence[Path], options: Options, program: str) -> list[Examined]:
    """The runs; their code and data are compared with those here as soon as data are asked for."""

    def load(run: Run) -> Dataset:
        """The run's data, once they are known to be as they were."""
        dataset: Dataset = task_of(run.experiment).load(run.experiment.data)
        check_identity(run.folder, run.experiment, dataset, options.config, options.accept_changes, program)
        return dataset

    return [Examined(run, name, partial(load, run)) for run, name in
            ((read_run(folder), name) for folder, name in called(folders))]  # fmt: skip


def parse(arguments: Sequence[str], program: str = PROGRAM) -> tuple[Options, Choice]:
    """The options of a command line, and the analysis with its parameters.

    Raises:
        UserError: there is no such analysis, or it is told nothing of the runs.
    """
    reader = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    reader.add_argument("--config", nargs="?")
    if config := reader.parse_known_args(arguments)[0].config:  # it may register the analysis
        run_file(Path(config))
    asked = [each for each in arguments if each in ANALYSES][-1:]
    entry = ANALYSES[asked[0]] if asked else None
    if not (isinstance(entry, type) and dataclasses.is_dataclass(entry)):
        options = read(Options, list(arguments), program)
        _check(options)
        return options, Choice("analysis", options.what[-1])
    own, ours = {each.name for each in dataclasses.fields(entry)}, dataclasses.fields(Options)
    if taken := [each.name for each in ours if each.name in own]:
        raise UserError(
            f"a parameter of the analysis {asked[0]} is called {taken[0]}, as an option of {PROGRAM} is; "
            "call it otherwise."
        )
    kind = dataclasses.make_dataclass(
        "Options", [("parameters", Annotated[entry, tyro.conf.arg(name="")], entry())], bases=(Options,),
        frozen=True, namespace={"__doc__": f"{getdoc(Options)}\n\n{asked[0]}: {_purpose(entry)}"},
    )  # fmt: skip
    options = read(kind, list(arguments), program)
    _check(options)
    found: Any = options
    parameters = {each.name: getattr(found.parameters, each.name) for each in dataclasses.fields(entry)}
    return options, checked_choice(Choice("analysis", asked[0], parameters))


def _purpose(entry: Any) -> str:
    return (getdoc(entry) or "").split("\n")[0]


def _check(options: Options) -> None:
    if not options.what:
        raise UserError("name the folder of a run and an analysis, as in ltjax analyse RUN connectivity.")
    *folders, name = options.what
    if name not in ANALYSES:
        if (Path(name) / "config.json").exists():
            raise UserError(f"say what to ask of '{name}': {', '.join(ANALYSES)}.")
        raise unknown("analysis", name, ANALYSES)
    if not folders:
        raise UserError(f"name the folder of the run to analyse, as in ltjax analyse RUN {name}.")


def _say_dropped(runs: Sequence[Any], console: Console) -> None:
    """Which lanes could not be asked, for only their masks were kept."""
    dropped = sum(len(each.dropped) for each in runs)
    if dropped:
        console.print(
            f"{dropped:,} lanes are left out: their trained params were not kept. A run with --keep all "
            "keeps them, and one with --analyses asks before it drops them.",
            highlight=False, soft_wrap=True,
        )  # fmt: skip


def _nothing(choice: Choice) -> str:
    needs = getattr(ANALYSES[choice.name], "needs", "")
    return f"{choice} found nothing to tell of" + (f": it needs {needs}." if needs else " in these rounds.")


def _show(choice: Choice, table: pd.DataFrame, console: Console) -> None:
    """The table, or what the analysis tells of it; what is alike in all rows is said once."""
    made = choice.make()
    rows = made.told(table) if hasattr(made, "told") else table
    if "layer" in rows and (rows["layer"] == "").any():  # all layers together
        rows = rows[rows["layer"] == ""].drop(columns="layer")
    alike = [name for name in rows if len(rows) > 1 and rows[name].nunique(dropna=False) == 1]
    shown = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for name in rows.columns.drop(alike):
        shown.add_column(
            str(name).replace("_", " "), justify="right" if rows[name].dtype.kind in "if" else "left"
        )
    for row in rows.drop(columns=alike).head(SHOWN).itertuples(index=False):
        shown.add_row(*map(_value, row))
    console.print(shown)
    if len(rows) > SHOWN:
        console.print(f"… and {len(rows) - SHOWN:,} more rows", style="dim", highlight=False)
    if alike:
        said = ", ".join(f"{str(name).replace('_', ' ')} {_value(rows[name].iloc[0])}" for name in alike)
        console.print(f"in all rows: {said}", highlight=False)


def _value(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"
