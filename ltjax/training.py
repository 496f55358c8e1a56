"""The training of one lane, as pure functions: start, advance, measure. Nothing here knows of lanes.

``make_training`` closes over what all lanes share (network, optimizer, sizes); whatever differs from
lane to lane or round to round (params, mask, key) is an argument, so one compilation serves all.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from ltjax import masks
from ltjax.config import Train
from ltjax.data import Examples, Splits
from ltjax.models import Collections, Network
from ltjax.optimizers import make_optimizer
from ltjax.types import Key, Mask, Params


class LaneStart(NamedTuple):
    """What a lane is given: params to begin with, their mask, and its key."""

    params: Params
    collections: Collections
    mask: Mask
    key: Key


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


class Training(NamedTuple):
    """The three pure functions of a lane's life.

    ``begin(start)`` is the state before the first update; ``advance(state, start, splits, step, length)``
    trains ``length`` steps (static) from ``step`` and tallies the minibatches; ``measure(state, examples)``
    tallies a whole split. ``splits`` is an argument and not a constant of the program.
    """

    begin: Callable[[LaneStart], LaneState]
    advance: Callable[[LaneState, LaneStart, Splits, jax.Array, int], tuple[LaneState, Tally]]
    measure: Callable[[LaneState, Examples], Tally]


def make_training(network: Network, train: Train, examples: int) -> Training:
    """The training of a lane on a training split of ``examples`` examples.

    An epoch is ``examples // batch`` steps over a fresh permutation; the remainder of it is left out.
    """
    optimizer = make_optimizer(train)
    epoch_steps = examples // train.batch

    def begin(start: LaneStart) -> LaneState:
        params = masks.apply(start.mask, start.params)
        order = jnp.zeros(examples, jnp.int32)
        return LaneState(params, start.collections, optimizer.init(params), order)

    def loss(
        params: Params, collections: Collections, batch: Examples, key: Key
    ) -> tuple[jax.Array, tuple[Tally, Collections]]:
        logits, collections = network.apply(params, collections, batch.floats(), True, key)
        tally = tally_of(logits, batch.labels)
        return tally.loss / train.batch, (tally, collections)

    def update(
        state: LaneState, start: LaneStart, data: Examples, step: jax.Array
    ) -> tuple[LaneState, Tally]:
        order = shuffled(state.order, start.key, step)
        picked = jax.lax.dynamic_slice_in_dim(order, step % epoch_steps * train.batch, train.batch)
        gradients, (tally, collections) = jax.grad(loss, has_aux=True)(
            state.params, state.collections, data.take(picked), jax.random.fold_in(start.key, step)
        )
        # the params are masked already, so masking gradients and result equals a forward pass through
        # mask * params, and spares materialising that product
        updates, optimizer_state = optimizer.update(
            masks.apply(start.mask, gradients), state.optimizer, state.params
        )
        params = masks.apply(start.mask, optax.apply_updates(state.params, updates))
        return LaneState(params, collections, optimizer_state, order), tally

    def shuffled(order: jax.Array, key: Key, step: jax.Array) -> jax.Array:
        # step is shared by all lanes, so this stays a branch under vmap and is not run at every step
        epoch_key = jax.random.fold_in(jax.random.fold_in(key, ORDER), step // epoch_steps)
        return jax.lax.cond(
            step % epoch_steps == 0,
            lambda: jax.random.permutation(epoch_key, examples).astype(order.dtype),
            lambda: order,
        )

    def advance(
        state: LaneState, start: LaneStart, splits: Splits, step: jax.Array, length: int
    ) -> tuple[LaneState, Tally]:
        steps = step + jnp.arange(length, dtype=jnp.int32)
        state, tallies = jax.lax.scan(lambda carry, at: update(carry, start, splits.train, at), state, steps)
        return state, jax.tree.map(lambda each: each.sum(axis=0), tallies)

    def measure(state: LaneState, data: Examples) -> Tally:
        def of_batch(batch: Examples) -> Tally:
            # evaluation draws nothing: dropout is off, so any key will do
            logits, _ = network.apply(
                state.params, state.collections, batch.floats(), False, jax.random.key(0)
            )
            return tally_of(logits, batch.labels)

        tallies = jax.lax.map(of_batch, data.batches(train.evaluate_batch))
        return jax.tree.map(lambda each: each.sum(axis=0), tallies)

    return Training(begin, advance, measure)


ORDER = 2**31 - 1
"""Folded into a lane's key for its epochs' permutations: beyond any step number."""


def tally_of(logits: jax.Array, labels: jax.Array) -> Tally:
    """Summed cross-entropy and correct answers; examples labelled -1 are padding and count nothing."""
    real = labels >= 0
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, jnp.maximum(labels, 0))
    correct = (logits.argmax(axis=-1) == labels) & real
    return Tally(jnp.where(real, losses, 0).sum(), correct.sum(dtype=jnp.int32))
