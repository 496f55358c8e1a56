"""The training of one lane, as pure functions: begin, advance, measure. Nothing here knows of lanes.

A ``Training`` holds what all lanes share (task, optimizer, sizes); whatever differs from lane to lane or
round to round (params, mask, key, learning rate) is an argument, so one compilation serves all.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import optax

from ltjax.core.choices import Choice
from ltjax.core.keys import named_key
from ltjax.core.trees import map_with_path
from ltjax.core.types import Key, Mask, Params
from ltjax.data import Examples, Splits
from ltjax.models import Collections
from ltjax.settings.roles import with_values
from ltjax.settings.schema import Data, Experiment, Train
from ltjax.sparsity import masks
from ltjax.training.augmentations import AUGMENTATIONS, Augmentation
from ltjax.training.evolve import begun, steps_of
from ltjax.training.losses import AUTO, Loss
from ltjax.training.optimizers import make_optimizer
from ltjax.training.schemes import Learned, left, samples, weights_of
from ltjax.training.task import Task

Stream: TypeAlias = Literal["order", "augmentation", "dropout", "evolve", "scheme"]
"""What is drawn while a lane trains."""


class Course(NamedTuple):
    """What a lane keeps through all of its training.

    Args:
        key: the lane's own, from which its draws follow.
        shared: the key that the repeats of its arm have in common, for what ``train.repeat`` does not name.
        values: settings that are the lane's arguments, by dotted name: ``train.learning_rate`` …
        hold: whether the learning rate stays at what the schedule ends with.
        numbers: how many weights of a layer move at each step at which masks change, by the layer's path.
    """

    key: Key
    shared: Key
    values: dict[str, Any] = {}  # noqa: RUF012  # a mapping proxy would be a leaf to JAX
    hold: Any = False
    numbers: dict[str, Any] = {}  # noqa: RUF012

    def with_keys(self, change: Callable[[Any], Any]) -> "Course":
        """The same with both keys changed alike: into plain numbers, or back."""
        return self._replace(key=change(self.key), shared=change(self.shared))


def course_of(key: Key) -> Course:
    """The course of a lane with a key, whose settings are all the experiment's."""
    return Course(key, key)


class LaneStart(NamedTuple):
    """What a lane is given: params, 0 where pruned; state beside them; mask; the values of pruned weights.

    Where masks evolve this one is the round's: a lane that begins with more weights has params of them too.
    Where a scheme trains other numbers in place of weights, ``learned`` has them, and params are whole.
    """

    params: Params
    collections: Collections
    mask: Mask
    course: Course
    pruned: Params | None = None
    learned: Learned | None = None


class LaneState(NamedTuple):
    """What a lane carries from step to step; ``order`` is this epoch's permutation.

    The mask is a part of it: the forward pass is of ``weights``, and what training leaves has its mask. Where
    a scheme trains other numbers these are ``learned``, and params and mask stay as they are.
    """

    params: Params
    collections: Collections
    mask: Mask
    optimizer: optax.OptState
    order: jax.Array
    pruned: Params | None = None
    learned: Learned | None = None

    @property
    def trained(self) -> Any:
        """What the optimizer changes."""
        return self.params if self.learned is None else self.learned

    def updated(
        self, trained: Any, collections: Collections, optimizer: Any, order: jax.Array
    ) -> "LaneState":
        """The state after an update of what is trained."""
        after = self._replace(collections=collections, optimizer=optimizer, order=order)
        if self.learned is not None:
            return after._replace(learned=trained)
        # the mask once more: whatever the optimizer does, noise added to updates too, pruned params stay 0
        return after._replace(params=masks.apply(self.mask, trained))

    @property
    def weights(self) -> Params:
        """The effective weights: params where the mask is True, elsewhere the values of pruned weights, or 0.

        Where these are 0 so are the params, and the params are the weights to the bit: one select less over
        all of them, which is 7% of a step of LeNet on one core.
        """
        return self.params if self.pruned is None else masks.weights(self.params, self.mask, self.pruned)

    def pull(self, dense: Params) -> Params:
        """A gradient by the weights pulled back to the params: 0 where pruned."""
        return masks.apply(self.mask, dense)


class Tally(NamedTuple):
    """Sums over examples: scalars, or stacked along lanes and steps.

    ``weight`` is what the summed loss is divided by, None for the number of examples; ``metric`` holds what
    the metric is made of.
    """

    loss: jax.Array
    weight: jax.Array | None
    metric: Any


@dataclass(frozen=True, eq=False)
class Training:
    """The three pure functions of a lane's life, for one task, configuration and size of training split.

    An epoch is ``examples // batch`` steps over a fresh permutation; the remainder of it is left out.
    ``splits`` is an argument of these functions and not a constant of the program.
    """

    task: Task
    train: Train
    examples: int
    augment: Augmentation | Choice = AUGMENTATIONS["none"]
    evolve: Choice = Choice("evolve", "none")
    scheme: Choice = Choice("scheme", "weights")
    spread: Callable[[Examples], Examples] = lambda batch: batch
    """How a batch is laid out, where ``spread_over`` devices share a lane."""
    spread_over: int = 1

    @cached_property
    def epoch_steps(self) -> int:
        """Steps of an epoch."""
        return self.examples // self.train.batch

    @cached_property
    def samples(self) -> int:
        """Over how many draws of the weights an evaluation is."""
        return samples(self.scheme)

    @cached_property
    def changes(self) -> tuple[int, ...]:
        """The steps at which masks change."""
        return steps_of(self.evolve, self.train.steps)

    def begin(self, start: LaneStart, step: Any = 0) -> LaneState:
        """The state before the first update, which is that of a step."""
        params, mask = start.params, start.mask
        if self.changes:
            mask = begun(self.evolve, mask, start.course.numbers)
            params = masks.apply(mask, params)
        trained = params if start.learned is None else start.learned
        optimizer = self._optimizer(start.course, step).init(trained)
        order = self._permutation(start.course, step)
        return LaneState(params, start.collections, mask, optimizer, order, start.pruned, start.learned)

    def advance(
        self, state: LaneState, course: Course, splits: Splits, step: jax.Array, length: int
    ) -> tuple[LaneState, Tally]:
        """Train ``length`` steps (static) from ``step`` on, and tally their minibatches."""
        steps = step + jnp.arange(length, dtype=jnp.int32)
        state, tallies = jax.lax.scan(
            lambda carry, at: self._update(carry, course, splits.train, at), state, steps
        )
        return state, jax.tree.map(lambda each: each.sum(axis=0), tallies)

    def measure(self, state: LaneState, course: Course, data: Examples) -> Tally:
        """Tally a whole split; of a scheme that draws weights, under ``samples`` draws of them, summed."""
        loss = self._loss_of(course)

        def of_weights(weights: Params) -> Tally:
            def of_batch(batch: Examples) -> Tally:
                # evaluation draws nothing: dropout is off, so any key will do
                batch = self.spread(batch)
                outputs, _ = self.task.network.apply(
                    weights, state.collections, batch.values(), False, named_key(0)
                )
                return self.tally(loss, outputs, batch)

            tallies = jax.lax.map(of_batch, data.batches(self.train.evaluate_batch, self.spread_over))
            return jax.tree.map(lambda each: each.sum(axis=0), tallies)

        if state.learned is None:
            return of_weights(state.weights)
        keys = jax.random.split(self._key(course, "scheme", EVALUATION), self.samples)
        tallies = jax.lax.map(lambda key: of_weights(self._forward(state, key)[0]), keys)
        return jax.tree.map(lambda each: each.sum(axis=0), tallies)

    def left(self, state: LaneState) -> tuple[Params, Collections, Mask]:
        """What training left of a lane: effective weights, collections and its mask."""
        if state.learned is None:
            return state.weights, state.collections, state.mask
        weights, mask = left(self.scheme, state.learned, state.params, state.mask)
        return weights, state.collections, mask

    def _update(
        self, state: LaneState, course: Course, data: Examples, step: jax.Array
    ) -> tuple[LaneState, Tally]:
        order = self._shuffled(state.order, course, step)
        first = step % self.epoch_steps * self.train.batch
        picked = jax.lax.dynamic_slice_in_dim(order, first, self.train.batch)
        batch = self.spread(data.take(picked))
        inputs = self._augment(course)(self._key(course, "augmentation", step), batch.inputs)
        batch = batch._replace(inputs=inputs)
        # the mask in the forward pass: the loss's gradient is dense, of the weights, the optimizer's is not
        weights, pull = self._forward(state, self._key(course, "scheme", step))
        dense, (tally, collections) = jax.grad(self._loss, has_aux=True)(
            weights, state.collections, batch, self._loss_of(course), self._key(course, "dropout", step)
        )
        updates, optimizer = self._optimizer(course, step).update(pull(dense), state.optimizer, state.trained)
        trained = optax.apply_updates(state.trained, updates)
        updated = state.updated(trained, collections, optimizer, order)
        if not self.changes:
            return updated, tally
        # the steps are those of all lanes, so this stays a branch under vmap, and is not run at other steps
        return jax.lax.cond(
            (jnp.asarray(self.changes) == step).any(),
            lambda: self._evolved(state, updated, dense, course, step), lambda: updated,
        ), tally  # fmt: skip

    def _forward(self, state: LaneState, key: Key) -> tuple[Params, Callable[[Params], Any]]:
        """The effective weights, and what pulls a gradient by them back to what is trained."""
        learned = state.learned
        if learned is None:
            return state.weights, state.pull
        weights, pull = jax.vjp(
            lambda learned: weights_of(self.scheme, learned, state.params, state.mask, key), learned
        )
        return weights, lambda dense: pull(dense)[0]

    def _evolved(
        self, state: LaneState, updated: LaneState, dense: Params, course: Course, step: jax.Array
    ) -> LaneState:  # fmt: skip
        """The state after a step at which masks change; where none of the lane's does, as it is updated.

        The change takes the place of the weights' update, and new weights begin at 0, their moments too.
        """
        at, key = jnp.searchsorted(jnp.asarray(self.changes), step), self._key(course, "evolve", step)
        evolve, numbers = self.evolve.make(), {path: row[at] for path, row in course.numbers.items()}
        places = {path: place for place, path in enumerate(sorted(numbers))}

        def changed(path: str, mask: jax.Array, weights: jax.Array, dense: jax.Array) -> jax.Array:
            if path not in numbers:
                return mask
            own = jax.random.fold_in(key, places[path])
            return evolve(numbers[path], mask, weights, dense, own)

        mask = map_with_path(changed, state.mask, state.params, dense)
        stay = jax.tree.map(jnp.logical_and, state.mask, mask)
        moments = optax.tree.map_params(
            self._optimizer(course, step),
            lambda moment, stay: jnp.where(stay, moment, jnp.zeros_like(moment)), state.optimizer, stay,
        )  # fmt: skip
        evolved = updated._replace(params=masks.apply(stay, state.params), mask=mask, optimizer=moments)
        moves = jnp.stack([number > 0 for number in numbers.values()]).any()
        return jax.tree.map(lambda one, other: jnp.where(moves, one, other), evolved, updated)

    def _loss(
        self, params: Params, collections: Collections, batch: Examples, loss: Loss, key: Key
    ) -> tuple[jax.Array, tuple[Tally, Collections]]:
        outputs, collections = self.task.network.apply(params, collections, batch.values(), True, key)
        tally = self.tally(loss, outputs, batch)
        if tally.weight is None:
            return tally.loss / self.train.batch, (tally, collections)
        # a batch in which nothing counts, such as one of ignored tokens, asks for nothing
        return tally.loss / jnp.where(tally.weight > 0, tally.weight, 1), (tally, collections)

    def tally(self, loss: Loss, outputs: Any, batch: Examples) -> Tally:
        """Loss and metric, summed over examples; padding counts nothing."""
        losses = loss(outputs, batch.targets)
        losses, weights = losses if isinstance(losses, tuple) else (losses, None)
        sums = self.task.measured.sums(outputs, batch.targets)
        return Tally(*jax.tree.map(lambda leaf: sum_real(leaf, batch.real), (losses, weights, sums)))

    def _optimizer(self, course: Course, step: Any) -> optax.GradientTransformation:
        """The optimizer at a step's learning rate, of the lane's own values: traced ones."""
        train = self._own(course).train
        at = jnp.where(course.hold, train.steps - 1, step)
        rate = train.schedule.make()(train.learning_rate, at, train.steps)
        return make_optimizer(replace(train, learning_rate=rate))

    def _augment(self, course: Course) -> Augmentation:
        return self._own(course).data.augment.make() if isinstance(self.augment, Choice) else self.augment

    def _own(self, course: Course) -> Experiment:
        """What a training step computes with, of the lane's own values if it has any."""
        data = Data(augment=self.augment) if isinstance(self.augment, Choice) else Data()
        loss = self.task.loss if isinstance(self.task.loss, Choice) else Choice("loss", AUTO)
        return with_values(Experiment(loss=loss, data=data, train=self.train), course.values)

    def _loss_of(self, course: Course) -> Loss:
        """The loss, of the lane's own values if it has any."""
        own: Loss = self._own(course).loss.make() if isinstance(self.task.loss, Choice) else self.task.loss
        return own

    def _key(self, course: Course, stream: Stream, step: Any) -> Key:
        """The key of a stream of draws: at a step, or in the epoch of a step for the order of examples."""
        own = self.train.redraw if stream in ("evolve", "scheme") else stream in self.train.repeat
        base = course.key if own else course.shared
        if stream == "order":
            return jax.random.fold_in(jax.random.fold_in(base, ORDER), step // self.epoch_steps)
        key = jax.random.fold_in(base, step)
        return jax.random.fold_in(key, WITHIN[stream]) if stream in WITHIN else key

    def _permutation(self, course: Course, step: Any) -> jax.Array:
        """The order of the examples in the epoch of a step."""
        order = jax.random.permutation(self._key(course, "order", step), self.examples)
        return order.astype(jnp.int32)

    def _shuffled(self, order: jax.Array, course: Course, step: jax.Array) -> jax.Array:
        # step is shared by all lanes, so this stays a branch under vmap and is not run at every step
        return jax.lax.cond(
            step % self.epoch_steps == 0, lambda: self._permutation(course, step), lambda: order
        )


ORDER = 2**31 - 1
"""Folded into a lane's key for its epochs' permutations: beyond any step number."""

EVALUATION = 2**31 - 2
"""In place of a step where an evaluation draws weights: the same draws at each, so that curves are smooth."""

WITHIN = {"augmentation": 1, "evolve": 2, "scheme": 3}
"""Folded into a step's key for what is done to its images and masks; the step's key itself is dropout's."""


def sum_real(values: jax.Array, real: jax.Array) -> jax.Array:
    """The sum over the examples that are none of the padding, in the values' own dtype; bools are counted."""
    dtype = jnp.int32 if values.dtype == bool else values.dtype
    here = real.reshape(-1, *[1] * (values.ndim - 1))
    return jnp.where(here, values, jnp.zeros_like(values)).sum(axis=0, dtype=dtype)
