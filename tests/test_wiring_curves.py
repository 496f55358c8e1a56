"""Curves that were altered into another sound table are told by whoever uses them, and never used."""

import shutil

import pandas as pd
import pytest

from ltjax import run_experiment
from ltjax.analysis.results import read_study
from ltjax.core.errors import UserError
from ltjax.lanes import history
from ltjax.runs import paths, tables
from ltjax.runs.merging import merge
from ltjax.runs.opening import open_run

from .conftest import TINY

ALTERED = "round_001_part_0"


def accuracy(rows: pd.DataFrame) -> pd.DataFrame:
    """Another test accuracy at one evaluation of one lane."""
    chosen = (rows["split"] == "test") & (rows["step"] == 20) & (rows["trial"] == 1)
    assert chosen.any()
    return rows.assign(accuracy=rows["accuracy"].where(~chosen, 0.5))


def order(rows: pd.DataFrame) -> pd.DataFrame:
    """The same rows, in another order."""
    return rows.iloc[::-1]


@pytest.fixture(params=[accuracy, order], ids=["a number", "the order"])
def altered(request, finished, tmp_path):
    """A copy of a finished run, one file of whose curves holds another table, sound by its own checksums."""
    folder = tmp_path / "run"
    shutil.copytree(finished.folder, folder)
    path = paths.curves(folder, 1, 0)
    assert path.stem == ALTERED
    tables.write_curves(path, request.param(tables.read_curves(path)))
    assert len(tables.read_curves(path))
    return folder


def test_a_run_whose_curves_were_altered_is_not_continued(altered):
    before = sorted(altered.rglob("*"))
    for continued in (lambda: open_run(altered, TINY), lambda: run_experiment(TINY, altered, quiet=True)):
        with pytest.raises(
            UserError, match=f"{ALTERED}.parquet' is not as it was written. Remove '.*{ALTERED}'"
        ):
            continued()
    assert set(before) <= set(altered.rglob("*"))


def test_altered_curves_are_not_merged(altered, tmp_path):
    with pytest.raises(UserError, match="is not as it was written"):
        merge([altered], tmp_path / "merged")
    assert not paths.curves(tmp_path / "merged", 1, 0).exists()


def test_altered_curves_are_not_shown(altered):
    [shown] = read_study([altered]).runs
    with pytest.raises(UserError, match="is not as it was written"):
        shown.rows()


def test_following_the_advice_mends_the_run(altered, finished):
    shutil.rmtree(paths.part(altered, 1, 0))
    paths.summary(altered).unlink()
    run_experiment(TINY, altered, quiet=True)
    ours, theirs = (
        tables.read_curves(paths.curves(home, 0, 0).parent) for home in (altered, finished.folder)
    )
    order = [*history.LANE, "split", "step"]
    pd.testing.assert_frame_equal(*(each.sort_values(order, ignore_index=True) for each in (ours, theirs)))
