"""Evolves by name: masks that change while a lane trains.

An evolve has ``numbers(steps, layer) -> {step: int}``, on the host in Python integers: how many weights of
a layer move at which step. It is called ``(number, mask, weights, dense, key) -> mask``, traced, for each
layer: its new mask, where ``dense`` is the loss's gradient of all weights. The steps are the same for all
layers and lanes, so that nothing is sorted between them. Where it has ``begin(mask)``, lanes begin with that
mask, and only end with as many weights as the round's has. Adding one takes a frozen dataclass with these,
and its ``@EVOLVES.register`` line.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any, Literal, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from ltjax.core.choices import Choice
from ltjax.core.errors import UserError, shown
from ltjax.core.keys import named_key
from ltjax.core.registry import Registry, registry
from ltjax.core.trees import leaves_by_path, map_with_path
from ltjax.core.types import Key, Mask
from ltjax.settings.bounds import STEPS, real, share, whole
from ltjax.sparsity.ranking import lowest


class Layer(NamedTuple):
    """A layer of a lane, before it trains.

    Args:
        shape: of its weights.
        kept: how many of them the round's mask has.
        start: the step that the lane starts at.
    """

    shape: tuple[int, ...]
    kept: int
    start: int = 0

    @property
    def size(self) -> int:
        """All of its weights."""
        return math.prod(self.shape)


class Evolve(Protocol):
    """How a mask changes while a lane trains."""

    def numbers(self, steps: int, layer: Layer) -> Mapping[int, int]:
        """How many weights of a layer move at which step of a training."""

    def __call__(
        self, number: jax.Array, mask: jax.Array, weights: jax.Array, dense: jax.Array, key: Key
    ) -> jax.Array:
        """A layer's new mask."""


EVOLVES: Registry[Any] = registry("evolve")

Interval = Annotated[int, whole(1, STEPS)]
Until = Annotated[float, real(lambda value: 0 < value <= 1, "must lie between 0, excluded, and 1")]


@EVOLVES.register("none")
@dataclass(frozen=True)
class Static:
    """Masks stay as they are."""

    def numbers(self, steps: int, layer: Layer) -> dict[int, int]:
        """None at no step."""
        return {}

    def __call__(
        self, number: jax.Array, mask: jax.Array, weights: jax.Array, dense: jax.Array, key: Key
    ) -> jax.Array:
        """The mask as it is."""
        return mask


@dataclass(frozen=True)
class _Moving:
    """Every so many steps some weights go, the smallest, and as many others come."""

    interval: Interval = 100
    """Steps between two changes of the masks."""
    fraction: Annotated[float, share()] = 0.3
    """Share of a layer's weights that a change moves at first."""
    decay: Literal["cosine", "constant"] = "cosine"
    """How the fraction goes: along half a cosine to 0 at the last change, or not at all."""
    end: Until = 0.75
    """Share of the training after which masks stay as they are."""

    def numbers(self, steps: int, layer: Layer) -> dict[int, int]:
        """How many weights move at which step: never more than can come, nor all of the layer's."""
        last = self.end * steps
        most = min(layer.kept, layer.size - layer.kept)
        return {
            step: min(round(self._fraction(step / last) * layer.kept), most)
            for step in changes(self.interval, 0, math.ceil(last) - 1, steps)
        }

    def _fraction(self, way: float) -> float:
        return self.fraction / 2 * (1 + math.cos(math.pi * way)) if self.decay == "cosine" else self.fraction


@EVOLVES.register("set")
@dataclass(frozen=True)
class Set(_Moving):
    """The smallest weights of a layer go, and as many come at random (Mocanu et al. 2018).

    Example:
        >>> Set(interval=10, fraction=0.5).numbers(40, Layer((4, 5), 9))
        {10: 3, 20: 1}
    """

    def __call__(
        self, number: jax.Array, mask: jax.Array, weights: jax.Array, dense: jax.Array, key: Key
    ) -> jax.Array:
        """A layer's new mask."""
        draws = jax.random.bits(key, mask.shape)
        return moved(number, mask, weights, draws)


@EVOLVES.register("rigl")
@dataclass(frozen=True)
class RigL(_Moving):
    """The smallest weights of a layer go, and those come whose gradient is largest (Evci et al. 2020)."""

    def __call__(
        self, number: jax.Array, mask: jax.Array, weights: jax.Array, dense: jax.Array, key: Key
    ) -> jax.Array:
        """A layer's new mask."""
        return moved(number, mask, weights, -jnp.abs(dense))


@EVOLVES.register("gradual")
@dataclass(frozen=True)
class Gradual:
    """Lanes begin dense and lose their smallest weights along a cubic curve (Zhu and Gupta 2018).

    Example:
        >>> Gradual(interval=10, end=0.75).numbers(40, Layer((4, 5), 5))
        {10: 11, 20: 3, 30: 1}
    """

    interval: Interval = 100
    """Steps between two changes of the masks."""
    start: Annotated[float, real(lambda value: 0 <= value < 1, "must lie in [0, 1)")] = 0.0
    """Share of the training after which weights begin to go."""
    end: Until = 0.75
    """Share of the training after which a layer has as many weights as the round keeps."""

    def numbers(self, steps: int, layer: Layer) -> dict[int, int]:
        """How many weights go at which step: of a lane that starts late, at once what had gone by then."""
        first, last = round(self.start * steps), min(round(self.end * steps), steps - 1)
        at = sorted({*changes(self.interval, first, last, steps), last})
        before, found = layer.size, {}
        for step in at:
            left = layer.size - round((layer.size - layer.kept) * self._gone(step, first, last))
            found[step] = before - left if step >= layer.start else 0
            before -= found[step]
        return found

    def _gone(self, step: int, first: int, last: int) -> Fraction:
        """The share of what is to go that has gone after a change."""
        return 1 - (1 - Fraction(step - first, last - first)) ** 3

    def begin(self, mask: jax.Array) -> jax.Array:
        """All weights are there."""
        return jnp.ones_like(mask)

    def __call__(
        self, number: jax.Array, mask: jax.Array, weights: jax.Array, dense: jax.Array, key: Key
    ) -> jax.Array:
        """A layer's new mask."""
        return mask & ~lowest(number, jnp.abs(weights), mask)


def changes(interval: int, first: int, last: int, steps: int) -> range:
    """The steps after the first, and up to the last, at which masks change.

    Raises:
        UserError: there are none.
    """
    found = range(first + interval, last + 1, interval)
    if not found:
        raise UserError(
            f"evolve.interval {interval} and the share of the training in which masks change leave no step "
            f"of train.steps {steps} at which they do; choose a shorter interval."
        )
    return found


def moved(number: jax.Array, mask: jax.Array, weights: jax.Array, scores: jax.Array) -> jax.Array:
    """A mask in which so many of its smallest weights are others: those of the lowest scores.

    None comes that has just gone.
    """
    return mask & ~lowest(number, jnp.abs(weights), mask) | lowest(number, scores, ~mask)


PROBE = Layer((6, 5), 12)
"""A layer as good as any to ask an evolve for its steps, and to try it on."""


def steps_of(chosen: Choice, steps: int) -> tuple[int, ...]:
    """The steps at which masks change, of a training of so many; none where they never do.

    Raises:
        UserError: the evolve failed, or they are not steps of the training.
    """
    found = _numbers(chosen, steps, PROBE)
    if any(not 0 <= step < steps for step in found):
        raise UserError(f"the evolve {shown(chosen.name)} changes masks at a step that train.steps has not.")
    return tuple(sorted(found))


def numbers_of(chosen: Choice, steps: int, mask: Mask, paths: Sequence[str], start: int) -> dict[str, Any]:
    """How many weights move at each of the steps of ``steps_of``, int32 [steps], by the layer's path.

    Args:
        chosen: the evolve.
        steps: of a training.
        mask: the round's mask of a lane.
        paths: the layers that can be pruned.
        start: the step that the lane starts at.

    Raises:
        UserError: the evolve failed, or layers have other steps, or the lane starts too late.
    """
    at = steps_of(chosen, steps)
    return {path: _of_layer(chosen, steps, at, layer) for path, layer in layers_of(mask, paths, start).items()
            } if at else {}  # fmt: skip


def layers_of(mask: Mask, paths: Sequence[str], start: int) -> dict[str, Layer]:
    """The layers of a lane's mask that can be pruned, by path."""
    leaves = leaves_by_path(mask)
    return {path: Layer(np.shape(leaves[path]), int(np.count_nonzero(leaves[path])), start)
            for path in paths}  # fmt: skip


def _of_layer(chosen: Choice, steps: int, at: Sequence[int], layer: Layer) -> np.ndarray:
    found = _numbers(chosen, steps, layer)
    if sorted(found) != list(at):
        raise UserError(
            f"the evolve {shown(chosen.name)} must change the masks of all layers at the same steps; some "
            "may have 0 weights move there."
        )
    gone = sum(found[step] for step in at if step >= layer.start)
    if hasattr(chosen.make(), "begin") and gone < layer.size - layer.kept:
        raise UserError(
            f"a lane that starts at step {layer.start} of {steps} has no step left at which the evolve "
            f"{shown(chosen.name)} brings it to its density; choose a rewinding that starts earlier."
        )
    return np.asarray([found[step] for step in at], np.int32)


def _numbers(chosen: Choice, steps: int, layer: Layer) -> dict[int, int]:
    evolve = chosen.make()
    with EVOLVES.guarded(chosen.name):
        found = dict(evolve.numbers(steps, layer))
        wrong = [each for each in (*found, *found.values()) if not isinstance(each, int | np.integer)]
    if wrong or any(not 0 <= number <= layer.size for number in found.values()):
        raise UserError(
            f"the numbers of the evolve {shown(chosen.name)} must be whole, and lie between 0 and a layer's "
            "weights."
        )
    return found


def final_step(chosen: Choice, steps: int, numbers: Mapping[str, Any]) -> int:
    """The first step at which a lane's density is what it ends with: 0 where it is the same all along."""
    if not hasattr(chosen.make(), "begin"):
        return 0
    at = steps_of(chosen, steps)
    changed = [step for row in numbers.values() for step, number in zip(at, row, strict=True) if number]
    return max(changed, default=-1) + 1


def begun(chosen: Choice, mask: Mask, paths: Collection[str]) -> Mask:
    """The mask that a lane begins with, of the round's; ``paths`` are the layers whose masks change."""
    begin = getattr(chosen.make(), "begin", None)
    return map_with_path(lambda path, leaf: begin(leaf) if begin and path in paths else leaf, mask)


def attempt(chosen: Choice, steps: int) -> None:
    """Try an evolve on a small layer, through all of a training, before anything is trained.

    Raises:
        UserError: it failed, or gave what is not a mask, or leaves another number of weights than it must.
    """
    evolve, at = chosen.make(), steps_of(chosen, steps)
    if not at:
        return
    name, key = f"the evolve {shown(chosen.name)}", named_key(0)
    mask = jnp.arange(PROBE.size).reshape(PROBE.shape) < PROBE.kept
    numbers = _of_layer(chosen, steps, at, PROBE)
    with EVOLVES.guarded(chosen.name):
        first = evolve.begin(mask) if hasattr(evolve, "begin") else mask

        def change(mask: jax.Array, each: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
            number, index = each
            own = jax.random.fold_in(key, index)
            weights, dense = jax.random.normal(own, (2, *PROBE.shape))
            return _mask(name, evolve(number, mask, weights * mask, dense, own), mask), None

        left, _ = jax.lax.scan(change, _mask(name, first, mask), (jnp.asarray(numbers), jnp.arange(len(at))))
    if (count := int(jnp.count_nonzero(left))) != PROBE.kept:
        raise UserError(
            f"{name} must leave as many weights of a layer as the round's mask has, and left {count} where "
            f"that had {PROBE.kept}."
        )


def _mask(name: str, found: Any, before: jax.Array) -> jax.Array:
    if getattr(found, "dtype", None) != np.bool_ or np.shape(found) != np.shape(before):
        raise UserError(f"{name} must return a mask: bool, of the shape that it is given.")
    return jnp.asarray(found)
