"""What is measured while lanes train, gathered evaluation by evaluation."""

from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import numpy as np

from ltjax.config import Train
from ltjax.data import Splits
from ltjax.tables import History
from ltjax.training import Tally

Observer: TypeAlias = Callable[[int, dict[str, np.ndarray]], None]
"""Called with a step and the accuracies per split [lanes] there, as soon as they are known."""


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
        for split, tally in jax.device_get(tallies).items():
            examples = self._examples(split, step)
            self.loss[split].append(np.asarray(tally.loss[: self.lanes], np.float64) / examples)
            self.accuracy[split].append(self.fraction(tally, examples))
        self.steps.append(step)
        self._tell()

    def _examples(self, split: str, step: int) -> int:
        """How many examples a tally at ``step`` is over: at step 0, and of held-out data, the whole split."""
        if split == "train" and step and self.train.train_curve == "running":
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
            self.observe(self.steps[-1], {split: values[-1] for split, values in self.accuracy.items()})

    def history(self, final_train: Tally) -> History:
        """All of it; ``final_train`` is the tally of the whole training split after the last step."""
        return History(
            np.asarray(self.steps),
            {split: np.stack(values, axis=1) for split, values in self.loss.items()},
            {split: np.stack(values, axis=1) for split, values in self.accuracy.items()},
            self.fraction(jax.device_get(final_train), self.sizes["train"]),
        )
