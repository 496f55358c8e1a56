"""The training of one lane: mistakes that other implementations made are regression tests here."""

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from ltjax.core.keys import named_key
from ltjax.data import Examples, split
from ltjax.models import MODELS, make_network
from ltjax.settings.schema import Model, Train
from ltjax.sparsity import masks
from ltjax.training.optimizers import OPTIMIZERS, Momentum, make_optimizer
from ltjax.training.step import LaneStart, Training, course_of

from .conftest import TINY, classifying


@pytest.fixture(scope="module")
def decaying():
    """Registers, for this module, the optimizer that drags every weight: Adam with weight decay."""
    OPTIMIZERS["adamw"] = lambda rate: optax.adamw(rate, weight_decay=0.1)
    yield
    del OPTIMIZERS["adamw"]


@pytest.fixture(scope="module")
def splits(digits):
    return split(digits, 100, 0)


def sparse_start(network, seed=0):
    params, collections = network.init(named_key(seed))
    keep = jax.tree.map(lambda leaf: np.random.default_rng(1).random(leaf.shape) < 0.3, params)
    mask = {name: {**layer, "bias": np.ones_like(layer["bias"])} for name, layer in keep.items()}
    return LaneStart(masks.apply(mask, params), collections, mask, course_of(named_key(seed, "lane")))


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "momentum", "sgd"])
def test_pruned_weights_are_exactly_zero_after_every_step_and_all_others_move(optimizer, splits, decaying):
    """Masks drift through momentum and weight decay elsewhere; and ``w < EPS`` froze negative weights."""
    network = make_network(TINY.model, (8, 8, 1), 10)
    training = Training(classifying(network), Train(batch=30, optimizer=optimizer, learning_rate=0.01), 1000)
    start = sparse_start(network)
    step = jax.jit(training.advance, static_argnums=4)
    state = training.begin(start)
    for index in range(4):
        state, _ = step(state, start.course, splits, index, 1)
        for path, kernel in masks.kernels(state.params).items():
            mask = masks.kernels(start.mask)[path]
            assert (np.asarray(kernel)[~mask] == 0.0).all()
    begun, ended, mask = (tree["output"]["kernel"] for tree in (start.params, state.params, start.mask))
    moved, negative = np.asarray(begun != ended), np.asarray(begun) < 0
    # a hidden unit that is never active moves none of its weights; most are active
    assert moved[mask & negative].mean() > 0.5 and moved[mask & ~negative].mean() > 0.5


def test_starting_again_leaves_nothing_of_the_training_before(splits):
    """θ₀ is not overwritten, and no optimizer state is carried from round to round."""
    network = make_network(TINY.model, (8, 8, 1), 10)
    training = Training(classifying(network), TINY.train, 1000)
    start = sparse_start(network)
    before = jax.tree.map(np.array, start.params)
    step = jax.jit(training.advance, static_argnums=4)
    once, _ = step(training.begin(start), start.course, splits, 0, 10)
    chex.assert_trees_all_equal(start.params, before)
    again, _ = step(training.begin(start), start.course, splits, 0, 10)
    chex.assert_trees_all_equal(once, again)
    assert any((leaf != 0).any() for leaf in jax.tree.leaves(once.optimizer))
    assert all((np.asarray(leaf) == 0).all() for leaf in jax.tree.leaves(training.begin(start).optimizer))


def test_intervals_are_steps_whatever_their_length(splits):
    """The order of the examples and every number is the same in one interval of 6 or in three of 2."""
    network = make_network(TINY.model, (8, 8, 1), 10)
    training = Training(classifying(network), Train(batch=400), 1200)  # three steps an epoch: crosses one
    start = sparse_start(network)
    step = jax.jit(training.advance, static_argnums=4)
    whole, tally = step(training.begin(start), start.course, splits, 0, 6)
    state, correct = training.begin(start), 0
    for first in (0, 2, 4):
        state, part = step(state, start.course, splits, first, 2)
        correct += part.metric
    chex.assert_trees_all_equal(state, whole)
    assert correct == tally.metric


def test_every_epoch_is_another_permutation_without_replacement(splits):
    network = make_network(TINY.model, (8, 8, 1), 10)
    training = Training(classifying(network), Train(batch=400), 1237)
    start = sparse_start(network)
    step = jax.jit(training.advance, static_argnums=4)
    state = training.begin(start)
    orders = []
    for index in range(4):
        state, _ = step(state, start.course, splits, index, 1)
        orders.append(np.asarray(state.order))
    assert sorted(orders[0]) == list(range(1237))
    np.testing.assert_array_equal(orders[0], orders[2])  # 1237 // 400 = 3 steps an epoch
    assert (orders[3] != orders[0]).mean() > 0.9


UPDATES = {
    "sgd": [(-0.05, 0.1), (-0.15, 0.2)],
    "momentum": [(-0.05, 0.1), (-0.05 * (3 + 0.7), 0.05 * (4 + 0.7 * 2))],
    # mean over the root of the mean square, each divided by what it lacks of 1 after two steps
    "adam": [
        (-0.05, 0.05),
        tuple(
            sign * 0.05 * ((0.09 * first + 0.1 * second) / 0.19)
            / np.sqrt((0.000999 * first**2 + 0.001 * second**2) / 0.001999)
            for sign, first, second in ((-1, 1, 3), (1, 2, 4))
        ),
    ],
}  # fmt: skip
"""By hand: two updates at rate 0.05, momentum 0.7, of the gradients (1, -2) and (3, -4)."""


@pytest.mark.parametrize("name", UPDATES)
def test_an_optimizer_is_the_one_of_its_name_at_the_configurations_rate_and_momentum(name):
    """Adam's eps was once mistaken for its learning rate."""
    optimizer = make_optimizer(
        Train(optimizer=Momentum(0.7) if name == "momentum" else name, learning_rate=0.05)
    )
    params = {"kernel": jnp.zeros(2)}
    state = optimizer.init(params)
    for gradient, expected in zip(([1.0, -2.0], [3.0, -4.0]), UPDATES[name], strict=True):
        updates, state = optimizer.update({"kernel": jnp.array(gradient)}, state, params)
        np.testing.assert_allclose(updates["kernel"], expected, rtol=1e-4)


class WithStatistics(nn.Module):
    """A layer, BatchNorm and dropout: everything that a network can carry beside its params."""

    @nn.compact
    def __call__(self, images, train=False):
        units = nn.Dense(8, name="fc1")(images.reshape(images.shape[0], -1))
        units = nn.BatchNorm(use_running_average=not train)(units)
        units = nn.Dropout(0.5, deterministic=not train)(nn.relu(units))
        return nn.Dense(10, name="output")(units)


@pytest.fixture(scope="module")
def batch_norm():
    MODELS["batch_norm"] = lambda model, classes: WithStatistics()
    yield make_network(Model(name="batch_norm"), (8, 8, 1), 10)
    del MODELS["batch_norm"]


def test_batch_norm_statistics_are_learned_used_and_begin_afresh(splits, batch_norm):
    training = Training(classifying(batch_norm), Train(batch=30, learning_rate=0.01), 1000)
    params, collections = batch_norm.init(named_key(0))
    start = LaneStart(params, collections, masks.dense(params), course_of(named_key(1)))
    step, measure = jax.jit(training.advance, static_argnums=4), jax.jit(training.measure)
    begun = training.begin(start)
    state, _ = step(begun, start.course, splits, 0, 30)
    fresh, learned = (s.collections["batch_stats"]["BatchNorm_0"]["mean"] for s in (begun, state))
    assert (np.asarray(fresh) == 0).all() and (np.asarray(learned) != 0).any()
    stale = state._replace(collections=begun.collections)
    first, after, other = (measure(each, start.course, splits.test) for each in (begun, state, stale))
    assert after.metric > first.metric and other.loss != after.loss
    chex.assert_trees_all_equal(training.begin(start).collections, collections)


def test_dropout_acts_in_training_alone(splits, batch_norm):
    params, collections = batch_norm.init(named_key(0))
    images = splits.test.take(jnp.arange(5)).values()
    one, two = (batch_norm.apply(params, collections, images, True, named_key(k))[0] for k in (1, 2))
    assert (one != two).any()
    one, two = (batch_norm.apply(params, collections, images, False, named_key(k))[0] for k in (1, 2))
    chex.assert_trees_all_equal(one, two)


def test_padding_counts_for_nothing():
    logits = jnp.array([[5.0, 0.0], [0.0, 5.0], [9.0, 9.0]])
    task = classifying(make_network(TINY.model, (8, 8, 1), 10))
    batch = Examples(jnp.zeros((3, 8, 8, 1)), jnp.array([0, 0, 0]), jnp.array([True, True, False]))
    tally = Training(task, TINY.train, 1000).tally(task.loss.make(), logits, batch)
    assert int(tally.metric) == 1
    np.testing.assert_allclose(tally.loss, np.log1p(np.exp(-5)) + np.log1p(np.exp(5)), rtol=1e-6)
