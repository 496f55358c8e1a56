"""What is measured while lanes train: evaluations as they come, and the two tables that are made of them.

Curves have a row per evaluation, the summary a row per lane.
"""

import time
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import jax
import numpy as np
import pandas as pd

from ltjax.core.trees import read_only, take
from ltjax.core.types import Lane, Mask
from ltjax.data import Splits
from ltjax.settings.schema import Train
from ltjax.sparsity import masks
from ltjax.training.metrics import METRICS, Metric
from ltjax.training.step import Tally

LANE = ["arm", "trial", "repeat", "round"]
ACCURACY = "accuracy"
"""The metric of most runs; another one's name stands in its place in the columns of both tables."""


def curves_columns(metric: str = ACCURACY) -> list[str]:
    """The columns of the curves of a run with a metric."""
    return [*LANE, "step", "split", "loss", metric]


def summary_columns(metric: str = ACCURACY) -> list[str]:
    """The columns of the summary of a run with a metric."""
    return [
        *LANE, "weights_remaining", "weights_total", "percent_remaining", "early_stop_step",
        "early_stop_validation_loss", f"early_stop_test_{metric}", f"early_stop_train_{metric}",
        f"initial_test_{metric}", f"final_test_{metric}", f"final_train_{metric}", "diverged",
    ]  # fmt: skip


def metric_in(columns: Iterable[Hashable]) -> str:
    """The name of the metric that a summary's columns are of."""
    before, names = "initial_test_", map(str, columns)
    return next((each.removeprefix(before) for each in names if each.startswith(before)), ACCURACY)


CURVES, SUMMARY = curves_columns(), summary_columns()
ORDER = ["round", "arm", "trial", "repeat"]

Observer: TypeAlias = Callable[[int, dict[str, np.ndarray]], None]
"""Called with a step and the metric per split [lanes] there, as soon as they are known."""


class History(NamedTuple):
    """What was measured while lanes trained.

    ``steps`` [points] begins where the lanes started; ``loss`` and ``metric`` hold [lanes, points] per split
    (accuracies are fractions of 1); ``final_train`` [lanes] is the metric over the whole training split,
    exactly; ``name`` is the metric's.
    """

    steps: np.ndarray
    loss: Mapping[str, np.ndarray]
    metric: Mapping[str, np.ndarray]
    final_train: np.ndarray
    name: str = ACCURACY

    def lanes(self, chosen: Sequence[int]) -> "History":
        """Of some of the lanes, by their places."""
        places = list(chosen)
        loss = {split: values[places] for split, values in self.loss.items()}
        metric = {split: values[places] for split, values in self.metric.items()}
        return History(self.steps, loss, metric, self.final_train[places], self.name)


def wait(tallies: dict[str, Tally]) -> None:
    """Wait until the devices have computed tallies; in Python, which hears of Ctrl-C as XLA does not."""
    while not all(leaf.is_ready() for leaf in jax.tree.leaves(tallies)):
        time.sleep(0.001)


class Recorder:
    """Turns tallies of stacked lanes into mean losses and metrics, and tells an observer of each.

    Args:
        lanes: how many of the stacked lanes are real; the rest is padding and dropped.
        splits: the data, for its sizes.
        train: how it is trained.
        observe: told of every evaluation.
        metric: what is measured beside the loss.
        samples: over how many draws of the weights an evaluation is, each of the whole split.
    """

    def __init__(
        self, lanes: int, splits: Splits, train: Train, observe: Observer | None, metric: Metric,
        samples: int = 1,
    ) -> None:  # fmt: skip
        self.lanes, self.train, self.observe, self.measured = lanes, train, observe, metric
        self.samples = samples
        self.sizes = {name: getattr(splits, name).size for name in splits._fields}
        self.steps: list[int] = []
        self.loss: dict[str, list[np.ndarray]] = {name: [] for name in self.sizes}
        self.metric: dict[str, list[np.ndarray]] = {name: [] for name in self.sizes}

    def add(self, step: int, tallies: dict[str, Tally]) -> None:
        """Take the tallies of an evaluation; waits until the devices have computed them."""
        wait(tallies)
        for split, tally in jax.device_get(tallies).items():
            examples = self._examples(split, step)
            of = examples if tally.weight is None else np.asarray(tally.weight[: self.lanes], np.float64)
            self.loss[split].append(np.asarray(tally.loss[: self.lanes], np.float64) / of)
            self.metric[split].append(self.values(tally, examples))
        self.steps.append(step)
        self._tell()

    def _examples(self, split: str, step: int) -> int:
        """How many examples a tally at ``step`` is over: of held-out data, and at first, the whole split."""
        if split == "train" and self.steps and self.train.train_curve == "running":
            return (step - self.steps[-1]) * self.train.batch
        return self.samples * self.sizes[split]

    def values(self, tally: Tally, examples: int) -> np.ndarray:
        """The metric [lanes], of sums in their own dtype; of integers divided in float64, so exact."""
        name = self.measured.shown.name
        with METRICS.guarded(name), np.errstate(invalid="ignore"):
            found = [self.measured.value(take(tally.metric, lane), examples) for lane in range(self.lanes)]
            return np.asarray(found, np.float64)

    def seen(self) -> dict[str, Any]:
        """All of it so far, as nested dictionaries of arrays [evaluations, lanes], for ``restore``."""
        return {
            "steps": np.asarray(self.steps),
            "loss": {split: np.stack(values) for split, values in self.loss.items()},
            self.measured.shown.name: {split: np.stack(values) for split, values in self.metric.items()},
        }

    def restore(self, seen: dict[str, Any]) -> None:
        """Begin with what was seen before, and tell the observer of the last of it."""
        self.steps = [int(step) for step in seen["steps"]]
        # by this recorder's own order of the splits: a checkpoint's is the alphabet's
        self.loss = {split: list(seen["loss"][split]) for split in self.loss}
        name = self.measured.shown.name
        self.metric = {split: list(seen[name][split]) for split in self.metric}
        self._tell()

    def _tell(self) -> None:
        if self.observe:
            seen = {split: values[-1] for split, values in self.metric.items()}
            self.observe(self.steps[-1], read_only(seen))

    def history(self, final_train: Tally) -> History:
        """All of it; ``final_train`` is the tally of the whole training split after the last step."""
        return History(
            np.asarray(self.steps),
            {split: np.stack(values, axis=1) for split, values in self.loss.items()},
            {split: np.stack(values, axis=1) for split, values in self.metric.items()},
            self.values(jax.device_get(final_train), self.samples * self.sizes["train"]),
            self.measured.shown.name,
        )


def early_stop(validation_loss: np.ndarray, first: int = 0) -> int:
    """The index of the minimum validation loss, the first of equal ones (paper, section 1).

    It is looked for from the index ``first`` on. Non-finite losses are passed over; where there is no finite
    one, it is ``first``.

    Example:
        >>> early_stop(np.array([2.0, 1.0, np.nan, 1.0]))
        1
    """
    later = validation_loss[first:]
    return first + int(np.argmin(np.where(np.isfinite(later), later, np.inf)))


def curves(lanes: Sequence[Lane], round: int, history: History) -> pd.DataFrame:
    """The tidy curves of lanes trained together: columns ``curves_columns``."""
    blocks = [
        pd.DataFrame({
            "arm": lane.arm, "trial": lane.trial, "repeat": lane.repeat, "round": round,
            "step": history.steps, "split": split,
            "loss": history.loss[split][index], history.name: history.metric[split][index],
        })
        for index, lane in enumerate(lanes) for split in history.loss
    ]  # fmt: skip
    return pd.concat(blocks, ignore_index=True)[curves_columns(history.name)]


def summarise(
    lanes: Sequence[Lane], round: int, history: History, lane_masks: Sequence[Mask],
    kinds: Collection[str] | None = None, final: Sequence[int] | None = None,
) -> pd.DataFrame:  # fmt: skip
    """One row per lane: columns ``summary_columns``.

    Args:
        lanes: the lanes.
        round: theirs.
        history: what was measured.
        lane_masks: the masks that training left.
        kinds: the paths of the leaves that count in the percentage that remains.
        final: the steps from which their densities are these, and the early stop is looked for; by default
            the first.
    """
    firsts = [int(np.searchsorted(history.steps, step)) for step in final or [0] * len(lanes)]
    rows = [
        _row(lane, round, history, index, masks.count(mask, kinds), first)
        for index, (lane, mask, first) in enumerate(zip(lanes, lane_masks, firsts, strict=True))
    ]
    return pd.DataFrame(rows, columns=summary_columns(history.name))


def _row(
    lane: Lane, round: int, history: History, index: int, counts: tuple[int, int], first: int
) -> dict[str, Any]:
    metric = {split: values[index] for split, values in history.metric.items()}
    stop = early_stop(history.loss["validation"][index], first)
    seen = {
        **lane._asdict(), "round": round,
        "weights_remaining": counts[0], "weights_total": counts[1],
        "percent_remaining": masks.percent(*counts),
        "early_stop_step": int(history.steps[stop]),
        "early_stop_validation_loss": float(history.loss["validation"][index][stop]),
        "early_stop_test": float(metric["test"][stop]), "early_stop_train": float(metric["train"][stop]),
        "initial_test": float(metric["test"][0]), "final_test": float(metric["test"][-1]),
        "final_train": float(history.final_train[index]),
        "diverged": not all(np.isfinite(loss[index]).all() for loss in history.loss.values()),
    }  # fmt: skip
    return dict(zip(summary_columns(history.name), seen.values(), strict=True))
