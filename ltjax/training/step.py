"""The training of one lane, as pure functions: begin, advance, measure. Nothing here knows of lanes.

A ``Training`` holds what all lanes share (network, optimizer, sizes); whatever differs from lane to lane or
round to round (params, mask, key, learning rate) is an argument, so one compilation serves all.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from ltjax.core.choices import Choice
from ltjax.core.types import Key, Mask, Params
from ltjax.data import Examples, Splits
from ltjax.models import Collections, Network
from ltjax.settings.roles import with_values
from ltjax.settings.schema import Data, Experiment, Train
from ltjax.sparsity import masks
from ltjax.training.augmentations import AUGMENTATIONS, Augmentation
from ltjax.training.optimizers import make_optimizer


class LaneStart(NamedTuple):
    """What a lane is given: params, 0 where pruned; mask; key; its values of settings (``lane_values``)."""

    params: Params
    collections: Collections
    mask: Mask
    key: Key
    values: Mapping[str, jax.Array] | None = None


class LaneState(NamedTuple):
    """What a lane carries from step to step; ``order`` is this epoch's permutation."""

    params: Params
    collections: Collections
    optimizer: optax.OptState
    order: jax.Array


class Tally(NamedTuple):
    """Summed loss and correct answers over examples: scalars, or stacked along lanes and steps."""

    loss: jax.Array
    correct: jax.Array


@dataclass(frozen=True, eq=False)
class Training:
    """The three pure functions of a lane's life, for one network, configuration and size of training split.

    An epoch is ``examples // batch`` steps over a fresh permutation; the remainder of it is left out.
    ``splits`` is an argument of these functions and not a constant of the program.
    """

    network: Network
    train: Train
    examples: int
    augment: Augmentation | Choice = AUGMENTATIONS["none"]
    spread: Callable[[Examples], Examples] = lambda batch: batch
    """How a batch is laid out, where ``spread_over`` devices share a lane."""
    spread_over: int = 1

    @cached_property
    def epoch_steps(self) -> int:
        """Steps of an epoch."""
        return self.examples // self.train.batch

    def begin(self, start: LaneStart) -> LaneState:
        """The state before the first update."""
        optimizer = self._optimizer(start, 0).init(start.params)
        return LaneState(start.params, start.collections, optimizer, jnp.zeros(self.examples, jnp.int32))

    def advance(
        self, state: LaneState, start: LaneStart, splits: Splits, step: jax.Array, length: int
    ) -> tuple[LaneState, Tally]:
        """Train ``length`` steps (static) from ``step`` on, and tally their minibatches."""
        steps = step + jnp.arange(length, dtype=jnp.int32)
        state, tallies = jax.lax.scan(
            lambda carry, at: self._update(carry, start, splits.train, at), state, steps
        )
        return state, jax.tree.map(lambda each: each.sum(axis=0), tallies)

    def measure(self, state: LaneState, data: Examples) -> Tally:
        """Tally a whole split."""

        def of_batch(batch: Examples) -> Tally:
            # evaluation draws nothing: dropout is off, so any key will do
            batch = self.spread(batch)
            logits, _ = self.network.apply(
                state.params, state.collections, batch.floats(), False, jax.random.key(0)
            )
            return tally_of(logits, batch.labels)

        tallies = jax.lax.map(of_batch, data.batches(self.train.evaluate_batch, self.spread_over))
        return jax.tree.map(lambda each: each.sum(axis=0), tallies)

    def _update(
        self, state: LaneState, start: LaneStart, data: Examples, step: jax.Array
    ) -> tuple[LaneState, Tally]:
        order = self._shuffled(state.order, start.key, step)
        first = step % self.epoch_steps * self.train.batch
        picked = jax.lax.dynamic_slice_in_dim(order, first, self.train.batch)
        batch, key = self.spread(data.take(picked)), jax.random.fold_in(start.key, step)
        batch = batch._replace(images=self._augment(start)(jax.random.fold_in(key, AUGMENT), batch.images))
        gradients, (tally, collections) = jax.grad(self._loss, has_aux=True)(
            state.params, state.collections, batch, key
        )
        # the params are masked already, so masking gradients and result equals a forward pass through
        # mask * params, and spares materialising that product
        updates, optimizer_state = self._optimizer(start, step).update(
            masks.apply(start.mask, gradients), state.optimizer, state.params
        )
        params = masks.apply(start.mask, optax.apply_updates(state.params, updates))
        return LaneState(params, collections, optimizer_state, order), tally

    def _loss(
        self, params: Params, collections: Collections, batch: Examples, key: Key
    ) -> tuple[jax.Array, tuple[Tally, Collections]]:
        logits, collections = self.network.apply(params, collections, batch.floats(), True, key)
        tally = tally_of(logits, batch.labels)
        return tally.loss / self.train.batch, (tally, collections)

    def _optimizer(self, start: LaneStart, step: Any) -> optax.GradientTransformation:
        """The optimizer at a step's learning rate, of the lane's own if it has one: a traced value."""
        train = self._own(start).train
        rate = train.schedule.make()(train.learning_rate, step, train.steps)
        return make_optimizer(replace(train, learning_rate=rate))

    def _augment(self, start: LaneStart) -> Augmentation:
        return self._own(start).data.augment.make() if isinstance(self.augment, Choice) else self.augment

    def _own(self, start: LaneStart) -> Experiment:
        """What a training step computes with, of the lane's own values if it has any."""
        data = Data(augment=self.augment) if isinstance(self.augment, Choice) else Data()
        return with_values(Experiment(data=data, train=self.train), start.values or {})

    def _shuffled(self, order: jax.Array, key: Key, step: jax.Array) -> jax.Array:
        # step is shared by all lanes, so this stays a branch under vmap and is not run at every step
        epoch_key = jax.random.fold_in(jax.random.fold_in(key, ORDER), step // self.epoch_steps)
        return jax.lax.cond(
            step % self.epoch_steps == 0,
            lambda: jax.random.permutation(epoch_key, self.examples).astype(order.dtype),
            lambda: order,
        )


ORDER = 2**31 - 1
"""Folded into a lane's key for its epochs' permutations: beyond any step number."""

AUGMENT = 1
"""Folded into a step's key for what is done to its images; the step's key itself is dropout's."""


def tally_of(logits: jax.Array, labels: jax.Array) -> Tally:
    """Summed cross-entropy and correct answers; examples labelled -1 are padding and count nothing."""
    real = labels >= 0
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, jnp.maximum(labels, 0))
    correct = (logits.argmax(axis=-1) == labels) & real
    return Tally(jnp.where(real, losses, 0).sum(), correct.sum(dtype=jnp.int32))
