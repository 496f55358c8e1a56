"""Tasks made in a program: of a network, arrays, a loss and a metric."""

import re
import zlib
from typing import Any, TypeAlias

import jax

from ltjax.core.choices import Choice, chosen
from ltjax.core.errors import UserError, shown
from ltjax.core.registry import Definition, definition_of
from ltjax.core.trees import leaves_by_path
from ltjax.data import Dataset, check_dataset, source_of
from ltjax.data.sources import ARRAYS, checksum
from ltjax.models import Wiring, network
from ltjax.models.axes import axes_of
from ltjax.models.convolution import form_here
from ltjax.training.metrics import METRICS, Metric, mean, shown_of
from ltjax.training.task import Task, check_shapes, check_targets
from ltjax.training.tasks import TASKS

Arrays: TypeAlias = Dataset | tuple[Any, Any, Any, Any]
"""A data set, or its train inputs, train targets, test inputs and test targets."""


def classification(module: Any, arrays: Arrays, **other: Any) -> Task:
    """The task of telling classes: cross-entropy and accuracy.

    Args:
        module: as ``task``'s; it answers with logits [batch, classes].
        arrays: as ``task``'s; targets are whole numbers from 0.
        other: what else ``task`` takes.

    Raises:
        UserError: as ``task``.
    """
    return _entered(
        module, arrays, definition_of(module), **{"loss": "cross_entropy", "metric": "accuracy", **other}
    )


def regression(module: Any, arrays: Arrays, **other: Any) -> Task:
    """The task of telling numbers: squared error and R².

    Args:
        module: as ``task``'s; it answers with as many numbers as a target has.
        arrays: as ``task``'s; targets are floats [examples] or [examples, numbers].
        other: what else ``task`` takes.

    Raises:
        UserError: as ``task``.
    """
    return _entered(
        module, arrays, definition_of(module), **{"loss": "squared_error", "metric": "r2", **other}
    )


def task(
    module: Any, arrays: Arrays, *, loss: Any = "cross_entropy", metric: Any = "accuracy",
    output: str | None = None, wiring: Wiring | None = None,
) -> Task:  # fmt: skip
    """A task of a network and arrays of one's own, which an experiment takes: ``Experiment(task=…)``.

    In the experiment it goes by a name with a checksum of its arrays and shapes. A run of it is continued by
    the same call; a function that is registered by ``@ltjax.tasks.register`` makes one that the command line
    knows too.

    Args:
        module: a Linen module, an NNX class or function of ``rngs``, or a pair of functions (init, apply).
        arrays: a ``Dataset``; or train inputs, train targets, test inputs and test targets, each an array
            [examples, ...] or a pytree of such.
        loss: as ``training.losses`` has them: a name, an instance, or a function of outputs and targets.
        metric: as ``training.metrics`` has them.
        output: path of the output layer, where its name does not tell.
        wiring: how the network's layers follow one another, by which whole channels can be pruned.

    Raises:
        UserError: arrays, network, loss and metric do not go together; the message says which does not.

    Example:
        >>> import flax.linen as nn, numpy as np
        >>> x, y = np.random.normal(size=(30, 4)), np.arange(30) % 3
        >>> task(nn.Dense(3), (x[:20], y[:20], x[20:], y[20:])).kinds
        {'kernel': 'output'}
    """
    return _entered(
        module, arrays, definition_of(module), loss=loss, metric=metric, output=output, wiring=wiring
    )


def _entered(
    module: Any, arrays: Arrays, definition: Definition, *, loss: Any, metric: Any,
    output: str | None = None, wiring: Wiring | None = None,
) -> Task:  # fmt: skip
    """The task, entered as what the file that asked for it defines."""
    dataset = arrays if isinstance(arrays, Dataset) else _dataset(arrays)
    check_dataset(dataset)
    source = source_of(dataset)
    made = Task(
        network(module, source.seen, form_here("auto")), source, chosen("loss", loss), _metric(metric),
        output, None if wiring is None else lambda: wiring,
    )  # fmt: skip
    if wiring is not None:
        axes_of(wiring, made.shapes[0])
    check_shapes(made)
    check_targets(made, dataset)
    name = f"{ARRAYS}{_checksum(made, dataset):08x}"
    TASKS.enter(name, made, definition, replace=True)
    return made


def _dataset(arrays: Any) -> Dataset:
    if not isinstance(arrays, tuple | list) or len(arrays) != 4:
        raise UserError(
            "arrays must be a Dataset, or train inputs, train targets, test inputs and test targets, not "
            f"{shown(type(arrays).__name__)}."
        )
    return Dataset(*arrays)


def _metric(metric: Any) -> Choice | Metric:
    found = chosen("metric", metric)
    if isinstance(found, Choice):
        return found
    name = re.sub(r"\W", "_", getattr(found, "__name__", type(found).__name__).lower())
    if name in METRICS:
        raise UserError(f"a metric of your own is called {shown(name)}, which another one is; rename it.")
    return Metric(shown_of(name, found), found, getattr(found, "value", mean))


def _checksum(made: Task, dataset: Dataset) -> int:
    """Of the arrays, the params' shapes and kinds, and the names of the loss and the metric."""
    shapes = {path: (leaf.shape, str(leaf.dtype)) for path, leaf in leaves_by_path(made.shapes).items()}
    loss = made.loss if isinstance(made.loss, Choice) else getattr(made.loss, "__name__", "")
    parameters = dict(loss.parameters) if isinstance(loss, Choice) else {}
    told = (shapes, dict(made.kinds), str(loss), parameters, made.measured.shown, made.output,
            *(made.wiring().steps if made.wiring else ()))  # fmt: skip
    return zlib.crc32(repr(jax.tree.map(str, told)).encode(), checksum(dataset))
