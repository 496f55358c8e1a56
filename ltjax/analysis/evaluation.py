"""Evaluating any params on any split of an experiment's data, by the arithmetic that training uses."""

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from ltjax.core.errors import UserError, unknown
from ltjax.core.safetensors import misfit
from ltjax.core.trees import leaves_by_path
from ltjax.core.types import Params, Start
from ltjax.data import Dataset, Examples, Splits
from ltjax.data import split as splits_of
from ltjax.lanes.history import ACCURACY
from ltjax.lanes.measuring import Measured
from ltjax.lottery.loop import source_given
from ltjax.models import Collections
from ltjax.runs import paths
from ltjax.runs.folder import Run
from ltjax.settings import sweeps
from ltjax.settings.schema import Compute, Experiment, Train
from ltjax.training.step import Tally
from ltjax.training.task import Task
from ltjax.training.tasks import task_of

SPLITS = Splits._fields
"""The names of the splits: train, validation, test."""


class Evaluation(NamedTuple):
    """Mean loss, the metric's value (accuracies are fractions of 1), over how many examples, and its name."""

    loss: float
    value: float
    examples: int
    metric: str = ACCURACY

    def __repr__(self) -> str:
        """The metric by its name.

        Example:
            >>> Evaluation(0.5, 0.875, 8)
            Evaluation(loss=0.5, accuracy=0.875, examples=8)
        """
        return f"Evaluation(loss={self.loss!r}, {self.metric}={self.value!r}, examples={self.examples!r})"

    @property
    def accuracy(self) -> float:
        """The value of a task whose metric is accuracy.

        Raises:
            AttributeError: it is another.
        """
        if self.metric != ACCURACY:
            raise AttributeError(f"the metric is {self.metric} and not accuracy; see value.")
        return self.value


def evaluate(
    params: Params, experiment: Experiment, split: str = "test", dataset: Dataset | None = None,
    collections: Collections | None = None,
) -> Evaluation:  # fmt: skip
    """Measure params on a whole split of an experiment's data.

    On CPU, what a lane trained has the accuracies of its row in ``summary.csv``, to the last digit.

    Args:
        params: the network's, as from ``load_trained`` or ``ltjax.core.safetensors.load_params``.
        experiment: says which network, which data, and by its seed which examples are held out.
        split: ``train``, ``validation`` or ``test``.
        dataset: used in place of the one that the experiment names.
        collections: what the network carries beside its params (BatchNorm's statistics), if it does; as from
            ``load_collections``.

    Raises:
        UserError: there is no such split, the data cannot be had, or the params or collections are of
            another network.
    """
    task = task_of(experiment, source_given(dataset))
    return measured(task, task.load(experiment.data), params, experiment, split, collections)


def measured(
    task: Task, dataset: Dataset, params: Params, experiment: Experiment, split: str,
    collections: Collections | None = None,
) -> Evaluation:  # fmt: skip
    """``evaluate`` of a task and data that are there already.

    Raises:
        UserError: as ``evaluate``.
    """
    if split not in SPLITS:
        raise unknown("split", split, SPLITS)
    collections = collections or {}
    for what, given, needed in zip(
        ("params", "collections"), (params, collections), task.shapes, strict=True
    ):
        if wrong := misfit(leaves_by_path(given), leaves_by_path(needed)):
            raise UserError(f"the {what} do not fit the network: {wrong}.")
    splits = splits_of(dataset, experiment.data.validation, experiment.seed)
    examples: Examples = getattr(splits, split)
    measured = compiled(task, experiment.train, experiment.compute)
    (tally,) = measured.tallies([Start(params, collections)], examples)
    return evaluation_of(task, tally, examples.size)


def evaluation_of(task: Task, tally: Tally, count: int) -> Evaluation:
    """What was tallied over so many examples, divided in float64 as in the tables."""
    loss = float(tally.loss) / (count if tally.weight is None else float(tally.weight))
    return Evaluation(loss, float(task.measured.value(tally.metric, count)), count, task.measured.shown.name)


@lru_cache(maxsize=8)
def compiled(task: Task, train: Train, compute: Compute) -> Measured:
    """What evaluates a task's networks, compiled once, however many params or runs it is asked for."""
    return Measured(task, train, compute)


def read_run(folder: Path) -> Run:
    """The run of one experiment in a folder: a run without a sweep, or one point of a swept run.

    Raises:
        UserError: there is none, or it is a swept run itself; the message names its points' folders.
    """
    run = Run(folder)
    if run.experiment.sweep:
        names = [f"'{paths.point(folder, point)}'" for point in sweeps.points(run.experiment)]
        raise UserError(f"'{folder}' is a sweep; name the folder of one of its points: {', '.join(names)}.")
    return run
