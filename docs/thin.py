"""Copies the tables of a finished run for docs/results, with thinner curves.

python docs/thin.py RUN TO --whole 25000 --every 1000

keeps every evaluation to step 25,000 and each thousandth step after it, and the steps at which a lane has its
lowest validation loss, of all lanes of its arm and round.
"""

import argparse
import shutil
from pathlib import Path

import pandas as pd

from ltjax.core.files import write_whole
from ltjax.lanes.history import CURVES
from ltjax.runs import paths, tables


def main() -> None:
    """Write the tables of RUN into the folder TO."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run", type=Path, help="the folder of a finished run")
    parser.add_argument("to", type=Path, help="the folder to make")
    parser.add_argument("--whole", type=int, required=True, help="the last step of which all is kept")
    parser.add_argument("--every", type=int, required=True, help="after it, the steps that are kept")
    given = parser.parse_args()
    copy(given.run, given.to, given.whole, given.every)


def copy(run: Path, to: Path, whole: int, every: int) -> None:
    """Write a run's configuration, environment, summary and thinned curves into a new folder."""
    curves = paths.curves(run, 0, 0).parent
    (to / curves.name).mkdir(parents=True)
    for path in (paths.config(run), paths.environment(run), paths.summary(run)):
        shutil.copyfile(path, to / path.name)
    summary = tables.read_summary(paths.summary(run))
    for path in sorted(curves.glob("*.parquet")):
        write(to / curves.name / path.name, thinned(tables.read_curves(path), summary, whole, every))


def thinned(curves: pd.DataFrame, summary: pd.DataFrame, whole: int, every: int) -> pd.DataFrame:
    """The curves' rows to step ``whole``, and after it those of the steps that are kept.

    Args:
        curves: as ``ltjax.lanes.history.CURVES`` names their columns.
        summary: the lanes' rows, for their early stops.
        whole: the last step of which all is kept.
        every: the steps that are kept after it.
    """
    key = ["arm", "round", "step"]
    stops = summary.rename(columns={"early_stop_step": "step"})[key].drop_duplicates()
    stopped = curves.merge(stops, on=key, how="left", indicator=True)["_merge"].eq("both").to_numpy()
    return curves[(curves["step"] <= whole) | (curves["step"] % every == 0) | stopped]


def write(path: Path, rows: pd.DataFrame) -> None:
    """Write curves in half of the bytes that a run gives them."""
    few = [name for name in CURVES if name != "loss"]
    write_whole(
        path,
        lambda file: rows.to_parquet(
            file, index=False, write_page_checksum=True, compression="zstd", compression_level=19,
            use_dictionary=few,
        ),
    )  # fmt: skip


if __name__ == "__main__":
    main()
