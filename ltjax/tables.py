"""The two tables of a run: curves (a row per evaluation) and the summary (a row per lane)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ltjax import masks
from ltjax.errors import UserError
from ltjax.files import write_whole
from ltjax.types import Lane, Mask

LANE = ["arm", "trial", "repeat", "round"]
CURVES = [*LANE, "step", "split", "loss", "accuracy"]
SUMMARY = [
    *LANE, "weights_remaining", "weights_total", "percent_remaining", "early_stop_step",
    "early_stop_validation_loss", "early_stop_test_accuracy", "early_stop_train_accuracy",
    "initial_test_accuracy", "final_test_accuracy", "final_train_accuracy", "diverged",
]  # fmt: skip
ORDER = ["round", "arm", "trial", "repeat"]


class History(NamedTuple):
    """What was measured while lanes trained.

    ``steps`` [points] begins at 0; ``loss`` and ``accuracy`` hold [lanes, points] per split (accuracies are
    fractions of 1); ``final_train_accuracy`` [lanes] is exact, over the whole training split.
    """

    steps: np.ndarray
    loss: Mapping[str, np.ndarray]
    accuracy: Mapping[str, np.ndarray]
    final_train_accuracy: np.ndarray

    def lanes(self, chosen: slice) -> "History":
        """Of some of the lanes."""
        loss = {split: values[chosen] for split, values in self.loss.items()}
        accuracy = {split: values[chosen] for split, values in self.accuracy.items()}
        return History(self.steps, loss, accuracy, self.final_train_accuracy[chosen])


def early_stop(validation_loss: np.ndarray) -> int:
    """The index of the minimum validation loss, the first of equal ones (paper, section 1).

    Non-finite losses are passed over; where there is no finite one, it is 0.

    Example:
        >>> early_stop(np.array([2.0, 1.0, np.nan, 1.0]))
        1
    """
    return int(np.argmin(np.where(np.isfinite(validation_loss), validation_loss, np.inf)))


def curves(lanes: Sequence[Lane], round: int, history: History) -> pd.DataFrame:
    """The tidy curves of lanes trained together: columns ``CURVES``."""
    blocks = [
        pd.DataFrame({
            "arm": lane.arm, "trial": lane.trial, "repeat": lane.repeat, "round": round,
            "step": history.steps, "split": split,
            "loss": history.loss[split][index], "accuracy": history.accuracy[split][index],
        })
        for index, lane in enumerate(lanes) for split in history.loss
    ]  # fmt: skip
    return pd.concat(blocks, ignore_index=True)[CURVES]


def summarise(
    lanes: Sequence[Lane], round: int, history: History, lane_masks: Sequence[Mask]
) -> pd.DataFrame:
    """One row per lane: columns ``SUMMARY``."""
    rows = [
        _row(lane, round, history, index, mask)
        for index, (lane, mask) in enumerate(zip(lanes, lane_masks, strict=True))
    ]
    return pd.DataFrame(rows, columns=SUMMARY)


def _row(lane: Lane, round: int, history: History, index: int, mask: Mask) -> dict[str, Any]:
    accuracy = {split: values[index] for split, values in history.accuracy.items()}
    stop = early_stop(history.loss["validation"][index])
    remaining, total = masks.count(mask)
    return {
        "arm": lane.arm, "trial": lane.trial, "repeat": lane.repeat, "round": round,
        "weights_remaining": remaining, "weights_total": total,
        "percent_remaining": masks.percent_remaining(mask),
        "early_stop_step": int(history.steps[stop]),
        "early_stop_validation_loss": float(history.loss["validation"][index][stop]),
        "early_stop_test_accuracy": float(accuracy["test"][stop]),
        "early_stop_train_accuracy": float(accuracy["train"][stop]),
        "initial_test_accuracy": float(accuracy["test"][0]),
        "final_test_accuracy": float(accuracy["test"][-1]),
        "final_train_accuracy": float(history.final_train_accuracy[index]),
        "diverged": not all(np.isfinite(loss[index]).all() for loss in history.loss.values()),
    }  # fmt: skip


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
        return pd.read_csv(path)[SUMMARY]
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
        return pd.read_parquet(path, page_checksum_verification=True)[CURVES]
    except (OSError, ValueError, KeyError) as error:  # pyarrow's errors are ValueErrors or OSErrors
        raise UserError(f"the curves in '{path}' cannot be read ({error}).") from error
