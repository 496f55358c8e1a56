"""A task: what is learned. The only place that knows the data's shapes, the loss and the metric together."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax

from ltjax.core.choices import Choice
from ltjax.core.errors import UserError, sentence, shown
from ltjax.core.guards import guarded
from ltjax.core.keys import named_key
from ltjax.core.registry import Registry
from ltjax.core.types import Axis, Params
from ltjax.data import Dataset, Source, load_dataset
from ltjax.models import Collections, Network, Wiring
from ltjax.models.axes import axes_of
from ltjax.models.kinds import kinds
from ltjax.settings.schema import Data
from ltjax.training.losses import LOSSES, Loss
from ltjax.training.metrics import METRICS, TAKEN, Metric, metric_of

TRIED = 2
"""Examples in the batch on whose shapes a task is tried."""


@dataclass(frozen=True, eq=False)
class Task:
    """What is learned.

    Args:
        network: how params begin, and what it answers with.
        data: the data, and the shapes of it.
        loss: of each example, as ``training.losses`` has them; a choice, or a function.
        metric: what is shown of lanes beside the loss; a choice, or what it is.
        output: path of the output layer, where its name does not tell.
        wiring: gives how the network's layers follow one another, where that is known.
        guard: of a stretch that calls the network, which tells the user's errors as his.
    """

    network: Network
    data: Source
    loss: Choice | Loss
    metric: Choice | Metric
    output: str | None = None
    wiring: Callable[[], Wiring] | None = None
    guard: Callable[[], AbstractContextManager[None]] = lambda: guarded("the network")

    def __call__(self, experiment: Any) -> "Task":
        """Itself, whatever the experiment: so that it can be registered as it is."""
        return self

    @cached_property
    def shapes(self) -> tuple[Params, Collections]:
        """The shapes and dtypes of params, and of what the network carries beside them."""
        with self.guard():
            return shapes_of(self.network)

    @cached_property
    def outputs(self) -> Any:
        """The shapes of what the network answers with, for a batch of ``TRIED`` examples.

        Raises:
            UserError: the network failed.
        """
        params, state = self.shapes
        inputs = batched(self.data.seen, TRIED)
        key = jax.eval_shape(lambda: named_key(0))
        with self.guard():
            outputs, _ = jax.eval_shape(
                lambda *given: self.network.apply(*given[:3], True, given[3]), params, state, inputs, key
            )
        return outputs

    @cached_property
    def kinds(self) -> Mapping[str, str]:
        """The kinds of the leaves that count in the percentage that remains, by path."""
        with self.guard():
            found = kinds(self.network, self.data.seen, self.output)
        return {path: kind for path, kind in found.items() if kind is not None}

    @cached_property
    def axes(self) -> tuple[Axis, ...]:
        """The network's axes, of whose channels some can be left out.

        Raises:
            UserError: the network's wiring is not known, or is not its own.
        """
        if self.wiring is None:
            raise UserError(
                "whole channels are pruned by a network's wiring, and this network has none; register one by "
                "@ltjax.WIRINGS.register, or give ltjax.task a wiring=."
            )
        with self.guard():
            return axes_of(self.wiring(), self.shapes[0])

    @cached_property
    def measured(self) -> Metric:
        """The metric itself.

        Raises:
            UserError: there is none of its name.
        """
        return metric_of(self.metric) if isinstance(self.metric, Choice) else self.metric

    def load(self, data: Data) -> Dataset:
        """The data, which is checked against what the loss needs.

        Raises:
            UserError: it cannot be had, or it is not what can be trained on.
        """
        dataset = load_dataset(data, self.data)
        check_targets(self, dataset)
        return dataset


def shapes_of(network: Network) -> tuple[Params, Collections]:
    """The shapes and dtypes of a network's params, and of what it carries beside them."""
    found: tuple[Params, Collections] = jax.eval_shape(network.init, jax.eval_shape(lambda: named_key(0)))
    return found


def made(loss: Choice | Loss) -> Any:
    """The loss that is chosen, or that is given."""
    return loss.make() if isinstance(loss, Choice) else loss


def check_targets(task: Task, dataset: Dataset) -> None:
    """Check the data by what the loss itself knows of its targets (``check(outputs, targets)``).

    Raises:
        UserError: they do not go together, such as seven outputs and ten classes.
    """
    loss = made(task.loss)
    if hasattr(loss, "check"):
        outputs = task.outputs
        for targets in (dataset.train_targets, dataset.test_targets):
            with LOSSES.guarded(_name_of(task.loss)):
                loss.check(outputs, targets)


def batched(tree: Any, batch: int) -> Any:
    """Shapes of one example as those of a batch of them."""
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((batch, *leaf.shape), leaf.dtype), tree)


def _name_of(chosen: Any) -> str:
    return chosen.name if isinstance(chosen, Choice) else getattr(chosen, "__name__", type(chosen).__name__)


def check_shapes(task: Task) -> None:
    """Try network, loss and metric on shapes, before anything is computed.

    Raises:
        UserError: one failed (the message says where), or gives what cannot be summed over examples.
    """
    outputs, targets = task.outputs, batched(task.data.targets, TRIED)
    if (metric := task.measured.shown.name) in TAKEN:
        raise UserError(f"a metric cannot be called {shown(metric)}, as another column is; rename it.")
    loss, metric = _name_of(task.loss), task.measured.shown.name
    found = _shapes_given(LOSSES, loss, made(task.loss), outputs, targets)
    _check_per_example("loss", loss, found, TRIED, axes=1)
    found = _shapes_given(METRICS, metric, task.measured.sums, outputs, targets)
    _check_per_example("metric", metric, found, TRIED)


def _check_per_example(kind: str, name: str, found: Any, batch: int, axes: int | None = None) -> None:
    """Check that every leaf has a number, or an array, for each example."""
    for leaf in jax.tree.leaves(found):
        if leaf.shape[:1] != (batch,) or axes not in (None, len(leaf.shape)):
            raise UserError(
                f"the {kind} {shown(name)} must give a number for each example, [batch], and gives "
                f"{leaf.dtype} {list(leaf.shape)} of a batch of {batch}."
            )


def _shapes_given(entries: Registry[Any], name: str, function: Any, outputs: Any, targets: Any) -> Any:
    """The shapes that a loss or a metric gives."""
    try:
        with entries.guarded(name):
            return jax.eval_shape(function, outputs, targets)
    except UserError:
        raise
    except Exception as error:  # one of ltjax's own, given what it is not for
        told = " and ".join(_told(each) for each in (outputs, targets))
        raise UserError(
            sentence(f"the {entries.kind} {shown(name)} is not for outputs and targets of {told}: {error}")
        ) from error


def _told(tree: Any) -> str:
    return ", ".join(f"{leaf.dtype} {list(leaf.shape)}" for leaf in jax.tree.leaves(tree))
