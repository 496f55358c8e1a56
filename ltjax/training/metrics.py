"""Metrics by name: what tables and figures show of lanes, beside the loss.

A metric is a pure function ``(outputs, targets) -> [batch]`` whose mean over examples it is; bools are
counted exactly. Adding one takes such a function and its ``@METRICS.register`` line; or a frozen dataclass
with ``__call__``, which may give a pytree of [batch, ...], and with ``value(sums, examples) -> float``, which
makes the metric of their sums. ``higher_is_better = False`` turns its direction, ``percent = True`` shows it
in per cent.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from ltjax.core.choices import Choice
from ltjax.core.registry import Registry, registry
from ltjax.core.texts import digits
from ltjax.settings.bounds import MANY, whole
from ltjax.training.losses import AUTO, IGNORED, auto, squared_error

METRICS: Registry[Callable[..., Any]] = registry("metric")


TAKEN = ("arm", "trial", "repeat", "round", "step", "split", "loss", "task", "weights", "point")
"""What a metric cannot be called: other columns and entries that stand beside it."""


class Shown(NamedTuple):
    """What readers of a run know of its metric: its name, its direction, whether it is shown in per cent."""

    name: str = "accuracy"
    higher_is_better: bool = True
    percent: bool = True

    @property
    def factor(self) -> int:
        """By what values are multiplied where they are told: 100 where they are told in per cent."""
        return 100 if self.percent else 1

    @property
    def called(self) -> str:
        """Its name in a sentence."""
        return self.name.replace("_", " ")

    @property
    def heading(self) -> str:
        """What a column of it is called, after the split's name: accuracy goes without its own."""
        if self == Shown():
            return "%"
        return f"{self.called} %" if self.percent else self.called

    def told(self, value: float, end: bool = False) -> str:
        """A value times ``factor`` as a table has it, with a digit less where it is an end of a range.

        Example:
            >>> Shown().told(98.214), Shown("r2", percent=False).told(0.98214), Shown().told(98.214, end=True)
            ('98.21', '0.9821', '98.2')
        """
        if self.percent:
            return f"{value:.{1 if end else 2}f}"
        return digits(value, 3 if end else 4)

    @property
    def sign(self) -> int:
        """1 where more is better, else -1."""
        return 1 if self.higher_is_better else -1


ACCURACY = Shown()
"""Of most runs."""


@dataclass(frozen=True)
class Metric:
    """A metric of a run.

    ``sums`` gives, of outputs and targets, a pytree of [batch, ...], which is summed over examples in its own
    dtype; ``value`` makes the metric of these sums and the number of examples, on the host.
    """

    shown: Shown
    sums: Callable[[Any, Any], Any]
    value: Callable[[Any, int], float]


def shown_of(name: str, made: Any = None) -> Shown:
    """What readers know of a metric, by name."""
    made = METRICS[name] if made is None else made
    return Shown(name, getattr(made, "higher_is_better", True), getattr(made, "percent", False))


def metric_of(choice: Choice) -> Metric:
    """The metric that a choice names.

    Raises:
        UserError: there is none of that name.
    """
    made = choice.make()
    return Metric(shown_of(choice.name, made), made, getattr(made, "value", mean))


def mean(sums: Any, examples: int) -> float:
    """The mean over examples of a sum."""
    return sums / examples


METRICS.register(AUTO)(auto)


@METRICS.register("accuracy")
@dataclass(frozen=True)
class Accuracy:
    """Share of right answers among all; of sequences, among tokens whose target is not -1."""

    percent: ClassVar[bool] = True

    def __call__(self, outputs: jax.Array, targets: jax.Array) -> Any:
        """Right answers of each example; of sequences, of how many tokens beside."""
        right = outputs.argmax(axis=-1) == targets
        return right if targets.ndim == 1 else _of_tokens(right, targets != IGNORED)

    def value(self, sums: Any, examples: int) -> float:
        """The share of right answers."""
        right, of = sums if isinstance(sums, tuple) else (sums, examples)
        return right / of


def _of_tokens(values: jax.Array, real: jax.Array) -> tuple[jax.Array, jax.Array]:
    """What tokens have, summed over each example's real ones, and how many these are."""
    axes = tuple(range(1, values.ndim))
    dtype = jnp.int32 if values.dtype == bool else values.dtype
    return jnp.where(real, values, 0).sum(axis=axes, dtype=dtype), real.sum(axis=axes, dtype=jnp.int32)


@METRICS.register("top_k")
@dataclass(frozen=True)
class TopK:
    """Share of examples whose class is among the k most likely ones."""

    k: Annotated[int, whole(1, MANY)] = 5
    """How many of the highest outputs count."""
    percent: ClassVar[bool] = True

    def __call__(self, outputs: jax.Array, targets: jax.Array) -> jax.Array:
        """Whether each example's class is among them."""
        own = jnp.take_along_axis(outputs, targets[:, None], axis=-1)
        return (outputs > own).sum(axis=-1) < self.k


@METRICS.register("r2")
@dataclass(frozen=True)
class R2:
    """The share of the targets' variance that outputs explain, averaged over outputs; at best 1.

    Sums are float32, so targets should lie near 0, in units of their spread.
    """

    def __call__(self, outputs: jax.Array, targets: jax.Array) -> dict[str, jax.Array]:
        """Of each example the squared error, the target and its square [batch, outputs]."""
        outputs, targets = (each.reshape(len(each), -1).astype(jnp.float32) for each in (outputs, targets))
        return {"error": jnp.square(outputs - targets), "target": targets, "square": jnp.square(targets)}

    def value(self, sums: dict[str, Any], examples: int) -> float:
        """1 less the squared error over the variance of the targets."""
        error, target, square = (np.asarray(sums[name], np.float64) for name in ("error", "target", "square"))
        spread = square - target**2 / examples
        return float(np.mean(1 - error / np.where(spread > 0, spread, np.nan)))


@METRICS.register("mean_squared_error")
@dataclass(frozen=True)
class MeanSquaredError:
    """The mean square of the difference; the less the better."""

    higher_is_better: ClassVar[bool] = False

    def __call__(self, outputs: jax.Array, targets: jax.Array) -> jax.Array:
        """Of each example, the mean over its numbers."""
        return squared_error(outputs, targets)


@METRICS.register("perplexity")
@dataclass(frozen=True)
class Perplexity:
    """The exponential of the mean cross-entropy per token; the less the better, at best 1."""

    higher_is_better: ClassVar[bool] = False

    def __call__(self, outputs: jax.Array, targets: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Of each example the cross-entropy of its tokens, summed, and how many these are."""
        losses = optax.softmax_cross_entropy_with_integer_labels(outputs, jnp.maximum(targets, 0))
        return _of_tokens(losses, targets != IGNORED)

    def value(self, sums: tuple[Any, Any], examples: int) -> float:
        """exp of the mean; infinite where that is beyond a float."""
        loss, tokens = sums
        with np.errstate(over="ignore"):
            return float(np.exp(np.float64(loss) / tokens))
