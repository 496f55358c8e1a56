"""The tables on made-up histories: early stopping, ordering, and what is reported as what."""

import numpy as np
import pandas as pd
import pytest

from ltjax.cli.display import summary_table
from ltjax.core.errors import UserError
from ltjax.core.types import Lane
from ltjax.lanes.history import SUMMARY, History, curves, early_stop, summarise
from ltjax.runs import tables

nan, inf = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("losses", "expected"),
    [([3, 1, 2], 1), ([1, 1, 2], 0), ([nan, 2, 1], 2), ([2, nan, 1], 2), ([2, 3, inf], 0), ([nan, inf], 0)],
)
def test_early_stop_is_the_first_minimum_of_the_finite_validation_losses(losses, expected):
    assert early_stop(np.array(losses, float)) == expected


def history():
    """Two lanes; the best validation loss, the best test accuracy and the last step are all different."""
    validation = np.array([[0.9, 0.2, 0.3, 0.4], [0.9, 0.8, nan, 0.1]])
    test = np.array([[0.1, 0.5, 0.9, 0.7], [0.1, 0.2, 0.3, 0.4]])
    train = np.array([[0.1, 0.6, 0.8, 0.9], [0.1, 0.2, 0.3, 0.4]])
    return History(
        np.array([0, 100, 200, 250]),
        {"train": 1 - train, "validation": validation, "test": 1 - test},
        {"train": train, "validation": validation, "test": test},
        np.array([0.95, 0.45]),
    )


LANES = [Lane("ticket", 0), Lane("reinit", 1, 2)]
MASK = {"fc": {"kernel": np.array([True, False, False]), "bias": np.ones(2, bool)}}


def test_a_summary_row_reports_the_validation_minimum_and_the_end_not_the_best_on_test():
    row = summarise(LANES, 4, history(), [MASK, MASK]).iloc[0].to_dict()
    assert row == {
        "arm": "ticket", "trial": 0, "repeat": 0, "round": 4, "weights_remaining": 1, "weights_total": 3,
        "percent_remaining": 100 / 3, "early_stop_step": 100, "early_stop_validation_loss": 0.2,
        "early_stop_test_accuracy": 0.5, "early_stop_train_accuracy": 0.6, "initial_test_accuracy": 0.1,
        "final_test_accuracy": 0.7, "final_train_accuracy": 0.95, "diverged": False,
    }  # fmt: skip


def test_a_lane_whose_loss_was_ever_non_finite_is_marked_diverged():
    assert summarise(LANES, 4, history(), [MASK, MASK])["diverged"].tolist() == [False, True]


def test_curves_are_tidy():
    rows = curves(LANES, 4, history())
    assert list(rows.columns) == ["arm", "trial", "repeat", "round", "step", "split", "loss", "accuracy"]
    assert len(rows) == 2 * 3 * 4
    chosen = rows.query("arm == 'reinit' and split == 'test'")
    assert chosen["accuracy"].tolist() == [0.1, 0.2, 0.3, 0.4]
    assert set(chosen["trial"]) == {1} and set(chosen["repeat"]) == {2} and set(chosen["round"]) == {4}


def test_the_summary_is_ordered_by_round_arm_trial_and_repeat_and_keeps_every_digit(tmp_path):
    rows = pd.concat(
        summarise(lanes, round, history(), [MASK, MASK]) for round in (10, 2) for lanes in (LANES,)
    )
    tables.write_summary(tmp_path / "summary.csv", rows)
    back = tables.read_summary(tmp_path / "summary.csv")
    assert list(zip(back["round"], back["arm"], strict=True)) == [
        (2, "reinit"), (2, "ticket"), (10, "reinit"), (10, "ticket"),
    ]  # fmt: skip
    assert list(back.columns) == SUMMARY
    assert back["percent_remaining"].tolist() == [100 / 3] * 4
    assert (tmp_path / "summary.csv").read_text().splitlines()[0] == ",".join(SUMMARY)


def test_curves_come_back_from_a_folder_of_files(tmp_path):
    rows = curves(LANES, 4, history())
    for part in range(2):
        tables.write_curves(tmp_path / "curves" / f"{part}.parquet", rows)
    pd.testing.assert_frame_equal(
        pd.read_parquet(tmp_path / "curves"), pd.concat([rows, rows], ignore_index=True)
    )


@pytest.mark.parametrize("content", [b"", b"PAR1 and no more", b"\x00" * 100])
def test_a_damaged_table_is_told(tmp_path, content):
    for name, read in (("a.parquet", tables.read_curves), ("a.csv", tables.read_summary)):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match="cannot be read"):
            read(tmp_path / name)
    with pytest.raises(UserError, match="cannot be read"):
        tables.read_summary(tmp_path / "absent.csv")


def test_the_error_bars_of_a_printed_row_are_of_its_own_metric():
    rows = summarise([Lane("ticket", 0), Lane("ticket", 1)], 0, history(), [MASK, MASK])
    cells = [next(iter(column.cells)) for column in summary_table(rows).columns]
    assert cells == ["0", "33.3", "175 (100–250)", "45.00 (40.0–50.0)", "55.00 (40.0–70.0)"]
