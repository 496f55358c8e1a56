"""What is measured while lanes train: evaluations as they come, and the two tables that are made of them.

Curves have a row per evaluation, the summary a row per lane.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import jax
import numpy as np
import pandas as pd

from ltjax.core.trees import read_only
from ltjax.core.types import Lane, Mask
from ltjax.data import Splits
from ltjax.settings.schema import Train
from ltjax.sparsity import masks
from ltjax.training.step import Tally

LANE = ["arm", "trial", "repeat", "round"]
CURVES = [*LANE, "step", "split", "loss", "accuracy"]
SUMMARY = [
    *LANE, "weights_remaining", "weights_total", "percent_remaining", "early_stop_step",
    "early_stop_validation_loss", "early_stop_test_accuracy", "early_stop_train_accuracy",
    "initial_test_accuracy", "final_test_accuracy", "final_train_accuracy", "diverged",
]  # fmt: skip
ORDER = ["round", "arm", "trial", "repeat"]

Observer: TypeAlias = Callable[[int, dict[str, np.ndarray]], None]
"""Called with a step and the accuracies per split [lanes] there, as soon as they are known."""


class History(NamedTuple):
    """What was measured while lanes trained.

    ``steps`` [points] begins where the lanes started; ``loss`` and ``accuracy`` hold [lanes, points] per
    split (accuracies are fractions of 1); ``final_train_accuracy`` [lanes] is exact, over the whole training
    split.
    """

    steps: np.ndarray
    loss: Mapping[str, np.ndarray]
    accuracy: Mapping[str, np.ndarray]
    final_train_accuracy: np.ndarray

    def lanes(self, chosen: Sequence[int]) -> "History":
        """Of some of the lanes, by their places."""
        places = list(chosen)
        loss = {split: values[places] for split, values in self.loss.items()}
        accuracy = {split: values[places] for split, values in self.accuracy.items()}
        return History(self.steps, loss, accuracy, self.final_train_accuracy[places])


def wait(tallies: dict[str, Tally]) -> None:
    """Wait until the devices have computed tallies; in Python, which hears of Ctrl-C as XLA does not."""
    while not all(leaf.is_ready() for leaf in jax.tree.leaves(tallies)):
        time.sleep(0.001)


class Recorder:
    """Turns tallies of stacked lanes into mean losses and accuracies, and tells an observer of each.

    Args:
        lanes: how many of the stacked lanes are real; the rest is padding and dropped.
        splits: the data, for its sizes.
        train: how it is trained.
        observe: told of every evaluation.
    """

    def __init__(self, lanes: int, splits: Splits, train: Train, observe: Observer | None) -> None:
        self.lanes, self.train, self.observe = lanes, train, observe
        self.sizes = {name: len(getattr(splits, name).labels) for name in splits._fields}
        self.steps: list[int] = []
        self.loss: dict[str, list[np.ndarray]] = {name: [] for name in self.sizes}
        self.accuracy: dict[str, list[np.ndarray]] = {name: [] for name in self.sizes}

    def add(self, step: int, tallies: dict[str, Tally]) -> None:
        """Take the tallies of an evaluation; waits until the devices have computed them."""
        wait(tallies)
        for split, tally in jax.device_get(tallies).items():
            examples = self._examples(split, step)
            self.loss[split].append(np.asarray(tally.loss[: self.lanes], np.float64) / examples)
            self.accuracy[split].append(self.fraction(tally, examples))
        self.steps.append(step)
        self._tell()

    def _examples(self, split: str, step: int) -> int:
        """How many examples a tally at ``step`` is over: of held-out data, and at first, the whole split."""
        if split == "train" and self.steps and self.train.train_curve == "running":
            return (step - self.steps[-1]) * self.train.batch
        return self.sizes[split]

    def fraction(self, tally: Tally, examples: int) -> np.ndarray:
        """Correct answers as fractions of 1 [lanes]: integers divided in float64, so exact."""
        return np.asarray(tally.correct)[: self.lanes] / examples

    def seen(self) -> dict[str, Any]:
        """All of it so far, as nested dictionaries of arrays [evaluations, lanes], for ``restore``."""
        return {
            "steps": np.asarray(self.steps),
            "loss": {split: np.stack(values) for split, values in self.loss.items()},
            "accuracy": {split: np.stack(values) for split, values in self.accuracy.items()},
        }

    def restore(self, seen: dict[str, Any]) -> None:
        """Begin with what was seen before, and tell the observer of the last of it."""
        self.steps = [int(step) for step in seen["steps"]]
        # by this recorder's own order of the splits: a checkpoint's is the alphabet's
        self.loss = {split: list(seen["loss"][split]) for split in self.loss}
        self.accuracy = {split: list(seen["accuracy"][split]) for split in self.accuracy}
        self._tell()

    def _tell(self) -> None:
        if self.observe:
            seen = {split: values[-1] for split, values in self.accuracy.items()}
            self.observe(self.steps[-1], read_only(seen))

    def history(self, final_train: Tally) -> History:
        """All of it; ``final_train`` is the tally of the whole training split after the last step."""
        return History(
            np.asarray(self.steps),
            {split: np.stack(values, axis=1) for split, values in self.loss.items()},
            {split: np.stack(values, axis=1) for split, values in self.accuracy.items()},
            self.fraction(jax.device_get(final_train), self.sizes["train"]),
        )


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
