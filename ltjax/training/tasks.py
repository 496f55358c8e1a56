"""Tasks by name, and the task of an experiment.

A task is a function ``(experiment) -> Task``. Adding one takes a function, or a frozen dataclass with
parameters and ``__call__``, and its ``@TASKS.register`` line; ``ltjax.task`` makes what it returns, of a
network, arrays, a loss and a metric.
"""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import lru_cache
from typing import Any

from ltjax.core.choices import Choice
from ltjax.core.errors import UserError, shown
from ltjax.core.registry import Registry, registry
from ltjax.data import DATASETS, Source
from ltjax.data.sources import ARRAYS
from ltjax.models import MODELS, WIRINGS, Network, Wiring, make_network
from ltjax.models.convolution import form_here
from ltjax.settings.plain import plain
from ltjax.settings.schema import OF_DATA, Experiment
from ltjax.training.losses import AUTO, LOSSES
from ltjax.training.metrics import METRICS
from ltjax.training.task import Task

TASKS: Registry[Callable[..., Task]] = registry("task")


def _absent(name: str) -> UserError | None:
    return (
        UserError(
            f"'{name}' is a task of your own arrays, which a run does not keep: make it again by the same "
            "call of ltjax.task in the same Python program, or register a function that makes it, by "
            "@ltjax.tasks.register in a file."
        )
        if name.startswith(ARRAYS)
        else None
    )


TASKS.absent = _absent


def task_of(experiment: Experiment, source: Source | None = None) -> Task:
    """The task of an experiment; its data is not read.

    Args:
        experiment: says which task, and which loss and metric where they are not the task's own.
        source: the data's sizes, where they are not those of the data set that it names.

    Raises:
        UserError: there is no such task, network or data set, it failed, or its sizes cannot be.
    """
    name = experiment.task.name
    if source is not None and name not in OF_DATA:
        raise UserError(f"the task '{name}' has data of its own, so it takes no dataset= beside.")
    registered = (
        MODELS.get(experiment.model.name), DATASETS.get(experiment.data.name),
        LOSSES.get(experiment.loss.name), METRICS.get(experiment.metric.name),
        WIRINGS.get(experiment.model.name),
    )  # fmt: skip
    return _made(experiment.task.make(), _Settings(experiment), source, *registered)


class _Settings:
    """An experiment that is a key by what a task may read of it."""

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment
        asked = (experiment.task, experiment.loss, experiment.metric, experiment.data, experiment.model,
                 experiment.numerics, experiment.prune.output)  # fmt: skip
        self.text = json.dumps([plain(each) for each in asked], sort_keys=True)

    def __hash__(self) -> int:
        return hash(self.text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Settings) and self.text == other.text


@lru_cache(maxsize=16)
def _made(entry: Callable[..., Task], settings: _Settings, source: Source | None, *registered: Any) -> Task:
    """What an entry makes; once, since a user's may read its data, until what it names is registered anew."""
    name = settings.experiment.task.name
    with TASKS.guarded(name):
        task = entry(settings.experiment, *([source] if source else []))
    if not isinstance(task, Task):
        raise UserError(f"the task {shown(name)} must return what ltjax.task makes, not {shown(task)}.")
    return _as_asked(task, settings.experiment)


def _as_asked(task: Task, experiment: Experiment) -> Task:
    """A task with the loss, the metric and the output that an experiment names in place of the task's own."""
    changes: dict[str, Any] = {}
    if experiment.loss.name != AUTO:
        changes["loss"] = experiment.loss
    if experiment.metric.name != AUTO:
        changes["metric"] = experiment.metric
    if experiment.prune.output is not None:
        changes["output"] = experiment.prune.output
    return replace(task, **changes)


def network_of(experiment: Experiment, source: Source | None = None) -> Network:
    """The network of an experiment's task; the data is not read.

    Raises:
        UserError: as ``task_of``.
    """
    return task_of(experiment, source).network


def of_settings(experiment: Experiment, source: Source | None, loss: str, metric: str) -> Task:
    """The task of the data set that ``data`` names and of the network that ``model`` does."""
    source = source or DATASETS.find(experiment.data.name)
    form = form_here(experiment.numerics.convolution)
    name = experiment.model.name

    def guard() -> AbstractContextManager[None]:
        return MODELS.guarded(name)

    with guard():
        network = make_network(experiment.model, source.seen, source.classes, form)

    def wiring() -> Wiring:
        with WIRINGS.guarded(name):
            return WIRINGS[name](experiment.model)

    return Task(
        network, source, Choice("loss", loss), Choice("metric", metric),
        wiring=wiring if name in WIRINGS else None, guard=guard,
    )  # fmt: skip


@TASKS.register("classification")
def classification(experiment: Experiment, source: Source | None = None) -> Task:
    """Classes of a data set's examples: cross-entropy and accuracy, by data and model."""
    return of_settings(experiment, source, "cross_entropy", "accuracy")


@TASKS.register("regression")
def regression(experiment: Experiment, source: Source | None = None) -> Task:
    """Numbers for a data set's examples: squared error and R², by data and model."""
    return of_settings(experiment, source, "squared_error", "r2")
