"""Rate schedules by name: the learning rate of a step, from the rate that a lane is given.

A rate schedule is called ``(rate, step, steps) -> rate``, where all may be traced; ``step`` counts from 0 to
``steps``. Adding one takes a function, or a frozen dataclass with parameters and ``__call__``, and its
``@RATE_SCHEDULES.register`` line.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

import jax.numpy as jnp

from ltjax.core.registry import Registry, registry
from ltjax.settings.bounds import STEPS, real, whole
from ltjax.settings.fields import VALUE

RateSchedule: TypeAlias = Callable[[Any, Any, Any], Any]

RATE_SCHEDULES: Registry[Callable[..., Any]] = registry("rate schedule")

Warmup: TypeAlias = Annotated[int, whole(0, STEPS), VALUE]

Floor: TypeAlias = Annotated[float, real(lambda value: 0 <= value <= 1, "must lie in [0, 1]")]


def warmed(rate: Any, warmup: Any, step: Any) -> Any:
    """The rate while it rises linearly (paper, section 4); the last step of the rise is at the whole rate."""
    return rate * jnp.minimum((step + 1) / jnp.maximum(warmup, 1), 1)


def _progress(warmup: Any, step: Any, steps: Any) -> Any:
    """From 0, when the rise is over, to 1 at the end."""
    return jnp.clip((step - warmup) / jnp.maximum(steps - warmup, 1), 0, 1)


@RATE_SCHEDULES.register("constant")
@dataclass(frozen=True)
class Constant:
    """The same rate at every step, after the warmup."""

    warmup: Warmup = 0
    """Steps over which the learning rate first rises from 0, linearly."""

    def __call__(self, rate: Any, step: Any, steps: Any) -> Any:
        """The rate of a step."""
        return warmed(rate, self.warmup, step)


@RATE_SCHEDULES.register("drops")
@dataclass(frozen=True)
class Drops:
    """A tenth of what the rate was before, from each of some steps on (paper, section 4).

    Example:
        >>> [round(float(Drops(4, (6,))(0.4, step, 10)), 3) for step in range(7)]
        [0.1, 0.2, 0.3, 0.4, 0.4, 0.4, 0.04]
    """

    warmup: Warmup = 0
    """Steps over which the learning rate first rises from 0, linearly."""
    drops: Annotated[tuple[int, ...], whole(1, STEPS, values=100)] = ()
    """Steps from which on the learning rate is a tenth of what it was before."""

    def __call__(self, rate: Any, step: Any, steps: Any) -> Any:
        """The rate of a step."""
        rate = warmed(rate, self.warmup, step)
        for drop in self.drops:
            rate = jnp.where(step >= drop, rate / 10, rate)
        return rate


@RATE_SCHEDULES.register("cosine")
@dataclass(frozen=True)
class Cosine:
    """Half a cosine, from the whole rate down to a share of it at the end.

    Example:
        >>> [round(float(Cosine(floor=0.2)(1.0, step, 4)), 3) for step in range(5)]
        [1.0, 0.883, 0.6, 0.317, 0.2]
    """

    warmup: Warmup = 0
    """Steps over which the learning rate first rises from 0, linearly."""
    floor: Floor = 0.0
    """Share of the rate that is left at the end."""

    def __call__(self, rate: Any, step: Any, steps: Any) -> Any:
        """The rate of a step."""
        fall = (1 + jnp.cos(jnp.pi * _progress(self.warmup, step, steps))) / 2
        return warmed(rate, self.warmup, step) * (self.floor + (1 - self.floor) * fall)


@RATE_SCHEDULES.register("linear")
@dataclass(frozen=True)
class Linear:
    """A straight line, from the whole rate down to a share of it at the end.

    Example:
        >>> [round(float(Linear(floor=0.2)(1.0, step, 4)), 3) for step in range(5)]
        [1.0, 0.8, 0.6, 0.4, 0.2]
    """

    warmup: Warmup = 0
    """Steps over which the learning rate first rises from 0, linearly."""
    floor: Floor = 0.0
    """Share of the rate that is left at the end."""

    def __call__(self, rate: Any, step: Any, steps: Any) -> Any:
        """The rate of a step."""
        fall = 1 - _progress(self.warmup, step, steps)
        return warmed(rate, self.warmup, step) * (self.floor + (1 - self.floor) * fall)
