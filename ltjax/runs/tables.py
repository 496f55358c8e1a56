"""The two tables of a run's folder, written and read: curves and the summary."""

from pathlib import Path

import pandas as pd

from ltjax.core.errors import UserError
from ltjax.core.files import write_whole
from ltjax.lanes.history import (
    ACCURACY,
    CURVES,
    LANE,
    ORDER,
    curves_columns,
    metric_in,
    summary_columns,
)


def sort_summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows ordered by round, arm, trial and repeat."""
    return rows.sort_values(ORDER, ignore_index=True)


def write_summary(path: Path, rows: pd.DataFrame) -> None:
    """Write ``summary.csv``, whole or not at all; floats keep every digit."""
    write_whole(path, lambda file: sort_summary(rows).to_csv(file, index=False))


def write_curves(path: Path, rows: pd.DataFrame) -> None:
    """Write one Parquet file of curves, with checksums of its pages, whole or not at all."""
    write_whole(path, lambda file: rows.to_parquet(file, index=False, write_page_checksum=True))


def read_summary(path: Path) -> pd.DataFrame:
    """The table in a ``summary.csv``.

    Raises:
        UserError: it is not there, or not such a table.
    """
    try:
        found = pd.read_csv(path)
        return found[summary_columns(metric_in(map(str, found)))]
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"'{path}' cannot be read as a run's summary ({error}).") from error


def check_summary(path: Path, known: pd.DataFrame) -> None:
    """Check that a ``summary.csv`` says of every lane what is known of it; either may have lanes more.

    Raises:
        UserError: it does not.
    """
    lines = sort_summary(known).to_csv(index=False).splitlines()
    by_lane = {_lane(line): line for line in lines}
    for line in path.read_text().splitlines():
        if by_lane.get(_lane(line), line) != line:
            raise UserError(
                f"'{path}' is damaged: its line '{line}' is not what the checkpoints hold; repeat the "
                "command that trained the run to write it anew."
            )


def _lane(line: str) -> tuple[str, ...]:
    return tuple(line.split(",")[: len(LANE)])


def read_curves(path: Path) -> pd.DataFrame:
    """The curves in a folder or in one file of it.

    Raises:
        UserError: there are none, or a file is damaged.
    """
    try:
        found = pd.read_parquet(path, page_checksum_verification=True)
        metric = next((str(each) for each in found if each not in CURVES), ACCURACY)
        return found[curves_columns(metric)]
    except (OSError, ValueError, KeyError) as error:  # pyarrow's errors are ValueErrors or OSErrors
        raise UserError(f"the curves in '{path}' cannot be read ({error}).") from error
