"""Analyses: questions asked of the lanes of a round, of one finished run or of several.

An analysis is a function ``(lanes) -> DataFrame``, or a frozen dataclass with parameters and ``__call__``: it
is given the lanes of one round, each of which knows itself in other rounds (``before``, ``at``), and answers
with a tidy table. Adding one takes the function and its ``@ANALYSES.register`` line; ``analyses`` of an
experiment then names it, or ``ltjax analyse RUN NAME`` asks for it.
"""

import json
import re
import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd

from ltjax.analysis.evaluation import read_run
from ltjax.analysis.lanes import Examined, FinishedLane
from ltjax.core.choices import Choice, defaults
from ltjax.core.code import definitions, read
from ltjax.core.errors import UserError, shown
from ltjax.core.files import write_whole
from ltjax.core.registry import Registry, registry
from ltjax.core.types import Lane
from ltjax.runs import paths
from ltjax.settings.plain import checked_choice

Analysis: TypeAlias = Callable[[Sequence[FinishedLane]], pd.DataFrame]

ANALYSES: Registry[Callable[..., Any]] = registry("analysis")

FROM = "computed from"
"""Where a table (in its ``attrs``, which Parquet keeps) tells what it came from."""


def analyse(
    runs: str | Path | Sequence[str | Path], name: str, rounds: Collection[int] | None = None,
    **parameters: Any,
) -> pd.DataFrame:  # fmt: skip
    """Ask one or more finished runs a question; what ``ltjax analyse`` does.

    Args:
        runs: a run's folder, or those of several that are asked about together.
        name: the analysis, by its name in the registry.
        rounds: those asked about; by default all that every run has.
        parameters: the analysis' own, such as ``alphas=50``.

    Returns:
        Its table: one round below the other, ``round`` first.

    Raises:
        UserError: there is no such analysis or parameter, a folder holds no run, or the analysis failed.
    """
    folders = [Path(runs)] if isinstance(runs, str | Path) else [Path(each) for each in runs]
    asked = [Examined(read_run(folder), name) for folder, name in called(folders)]
    return pd.concat(
        [table for _, table in tables_of(asked, Choice("analysis", name, parameters), rounds)],
        ignore_index=True,
    )


def called(folders: Sequence[Path]) -> list[tuple[Path, str]]:
    """Runs' folders, each with what tables call it: nothing where it is alone."""
    short = [folder.name for folder in folders]
    unique = len(set(short)) == len(short)
    return [
        (folder, "" if len(folders) == 1 else folder.name if unique else str(folder)) for folder in folders
    ]


def tables_of(
    runs: Sequence[Examined], choice: Choice, rounds: Collection[int] | None = None
) -> Iterator[tuple[int, pd.DataFrame]]:
    """The table of every round, in turn; of one run alone it is kept in its folder and read from there.

    Args:
        runs: the runs that are asked about.
        choice: the analysis and its parameters.
        rounds: those asked about; by default all that every run has.

    Yields:
        Each round and its table.

    Raises:
        UserError: the analysis failed, or its answer is not a table; or a run has no such round.
        OSError: a table could not be kept.
    """
    choice = checked_choice(choice)
    shared = sorted(set.intersection(*(set(each.run.parts) for each in runs)))
    for round in shared if rounds is None else sorted(rounds):
        if round not in shared:
            raise UserError(f"there is no round {round} to analyse: {_names(runs)} {_have(runs, shared)}.")
        yield round, _table_of(runs, choice, round)


def _table_of(runs: Sequence[Examined], choice: Choice, round: int) -> pd.DataFrame:
    alone, source = len(runs) == 1, came_from(runs, choice, round)
    folder = folder_of(runs[0].run.folder, choice)
    kept = read_table(folder, round) if alone else None
    if kept is not None and source and kept.attrs.get(FROM) == source:
        return kept
    found = _answered(choice, [lane for each in runs for lane in each.lanes(round)], round)
    if alone:
        lost = {lane for at, lane in runs[0].dropped if at == round}
        found = found if kept is None else _with_lost(found, kept, lost)
        found.attrs[FROM] = source
        path = paths.analysis(folder, round)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, lambda file: found.to_parquet(file, index=False, write_page_checksum=True))
    return found


def _with_lost(table: pd.DataFrame, older: pd.DataFrame, lost: Collection[Lane]) -> pd.DataFrame:
    """A table and the rows of an older one that cannot be had again, for params were dropped since."""
    if not {*Lane._fields} <= {*older.columns} or not lost:
        return table
    own = [Lane(*lane) in lost for lane in older[[*Lane._fields]].itertuples(index=False)]
    return pd.concat([table, older[own]], ignore_index=True) if any(own) else table


def folder_of(run: Path, choice: Choice) -> Path:
    """Where a run keeps an analysis' tables: in a folder of its name and the parameters that were given."""
    usual = defaults("analysis", choice.name)
    given = [f"{name}={'+'.join(map(str, value)) if isinstance(value, tuple) else value}"
             for name, value in choice.parameters.items() if value != usual.get(name)]  # fmt: skip
    return paths.analyses(run) / re.sub(r"[^\w.,=+-]", "", ",".join([choice.name, *given]))


def _names(runs: Sequence[Examined]) -> str:
    return " and ".join(f"'{each.run.folder}'" for each in runs)


def _have(runs: Sequence[Examined], rounds: Sequence[int]) -> str:
    have = "has" if len(runs) == 1 else "have"
    return f"{have} rounds {rounds[0]} to {rounds[-1]}" if rounds else f"{have} no round that was trained"


def _answered(choice: Choice, lanes: Sequence[FinishedLane], round: int) -> pd.DataFrame:
    with ANALYSES.guarded(choice.name):
        found = choice.make()(lanes)
    if not isinstance(found, pd.DataFrame):
        raise UserError(
            f"the analysis {shown(choice.name)} must answer with a pandas DataFrame, not {shown(found)}."
        )
    found = found.reset_index(drop=True)
    if "round" not in found.columns:
        found.insert(0, "round", round)
    return found[["round", *found.columns.drop("round")]]


def came_from(runs: Sequence[Examined], choice: Choice, round: int) -> dict[str, Any]:
    """What a table is computed from: the analysis' code and parameters, and all rows up to the round.

    Clocks jump, so times of files tell nothing. Empty where the code is in no file, as in a notebook's cell:
    then nothing tells whether it has changed.
    """
    definition = ANALYSES.definition(choice.name)
    place = Path(definition.place) if definition else Path()
    if not place.is_file():
        return {}
    rows = [
        note["rows"]
        for each in runs
        for index, parts in sorted(each.run.parts.items()) if index <= round
        for _, note in parts
    ]  # fmt: skip
    parameters = json.dumps(choice.parameters, sort_keys=True, default=str)
    return {"parameters": parameters, "code": _checksum(definitions(read(place))), "rows": _checksum(rows)}


def _checksum(plain: Any) -> int:
    return zlib.crc32(json.dumps(plain, sort_keys=True).encode())


def read_table(folder: Path, round: int) -> pd.DataFrame | None:
    """The table of a round in an analysis' folder; None where there is none.

    Raises:
        UserError: it is damaged.
    """
    path = paths.analysis(folder, round)
    try:
        return pd.read_parquet(path, page_checksum_verification=True) if path.exists() else None
    except (OSError, ValueError) as error:  # pyarrow's errors are ValueErrors or OSErrors
        raise UserError(f"'{path}' cannot be read ({error}); remove it to have it computed again.") from error


def read_tables(folder: Path) -> pd.DataFrame | None:
    """All tables in an analysis' folder, one below the other; None where there are none.

    Raises:
        UserError: one is damaged.
    """
    tables = [read_table(folder, round) for round in paths.analysed(folder)]
    filled = [table for table in tables if table is not None and len(table)]
    return pd.concat(filled, ignore_index=True) if filled else None
