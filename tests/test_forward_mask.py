"""The mask in the forward pass: the bits of masking gradients and results, and what else it allows."""

import itertools
from types import SimpleNamespace

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from ltjax.core.choices import Choice
from ltjax.core.keys import named_key
from ltjax.data import split
from ltjax.models import MODELS, make_network
from ltjax.settings.schema import Compute, Model, Train
from ltjax.sparsity import masks
from ltjax.training.optimizers import OPTIMIZERS, make_optimizer
from ltjax.training.step import LaneStart, Training, course_of

from .conftest import TINY, classifying

OWN = {
    "adamw": lambda rate: optax.adamw(rate, weight_decay=0.01), "rmsprop": optax.rmsprop,
    "adagrad": optax.adagrad, "lion": optax.lion,
    "noisy": lambda rate: optax.noisy_sgd(rate, eta=0.01, key=named_key(0, "noise")),
}  # fmt: skip
EVERY = [*("sgd", "momentum", "adam"), *OWN]

STEPS = 60


class Normed(nn.Module):
    """With BatchNorm, whose scale and bias are never pruned."""

    @nn.compact
    def __call__(self, images, train=False):
        units = nn.Dense(8, name="fc1")(images.reshape(images.shape[0], -1))
        units = nn.relu(nn.BatchNorm(use_running_average=not train)(units))
        return nn.Dense(10, name="output")(units)


@pytest.fixture(scope="module")
def setting(digits):
    with pytest.MonkeyPatch.context() as patch:
        for name, make in OWN.items():
            patch.setitem(OPTIMIZERS, name, make)
        patch.setitem(MODELS, "normed", lambda model, classes: Normed())
        tasks = {
            True: classifying(make_network(Model(name="normed"), (8, 8, 1), 10)),
            False: classifying(make_network(TINY.model, (8, 8, 1), 10)),
        }
        yield SimpleNamespace(tasks=tasks, splits=split(digits, 100, 0))


def begun(network):
    params, collections = network.init(named_key(0))
    keep = jax.tree.map(lambda leaf: np.random.default_rng(1).random(leaf.shape) < 0.3, params)
    kernels = masks.kernels(params)
    mask = jax.tree.map_with_path(
        lambda path, leaf: leaf if jax.tree_util.keystr(path, simple=True, separator="/") in kernels
        else np.ones_like(leaf), keep,
    )  # fmt: skip
    return LaneStart(masks.apply(mask, params), collections, mask, course_of(named_key(0, "lane")))


def as_before(training, start, splits):
    """Sixty steps by masking gradients and updated params, as the step was written before."""
    network, train, key = training.task.network, training.train, start.course.key

    def loss(params, collections, batch, key):
        logits, collections = network.apply(params, collections, batch.values(), True, key)
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, batch.targets)
        return losses.sum() / train.batch, collections

    def update(carry, step):
        params, collections, state, order = carry
        epoch = jax.random.fold_in(jax.random.fold_in(key, 2**31 - 1), step // training.epoch_steps)
        order = jax.lax.cond(
            step % training.epoch_steps == 0,
            lambda: jax.random.permutation(epoch, training.examples).astype(order.dtype),
            lambda: order,
        )
        first = step % training.epoch_steps * train.batch
        batch = splits.train.take(jax.lax.dynamic_slice_in_dim(order, first, train.batch))
        gradients, collections = jax.grad(loss, has_aux=True)(
            params, collections, batch, jax.random.fold_in(key, step)
        )
        updates, state = make_optimizer(train).update(masks.apply(start.mask, gradients), state, params)
        params = masks.apply(start.mask, optax.apply_updates(params, updates))
        return (params, collections, state, order), None

    order = jnp.zeros(training.examples, jnp.int32)
    carry = (start.params, start.collections, make_optimizer(train).init(start.params), order)
    (params, collections, _, _), _ = jax.jit(lambda carry: jax.lax.scan(update, carry, jnp.arange(STEPS)))(
        carry
    )
    return params, collections


CASES = list(itertools.product(EVERY, (0.0, 0.01), (False, True)))
SHORT = [("sgd", 0.01, True), ("adam", 0.01, False), ("momentum", 0.0, True),
         ("noisy", 0.0, False), ("adamw", 0.01, True)]  # fmt: skip


@pytest.mark.parametrize(
    ("optimizer", "decay", "normed"),
    [pytest.param(*case, marks=[] if case in SHORT else pytest.mark.long) for case in CASES],
)
def test_the_bits_are_those_of_masking_gradients_and_results(optimizer, decay, normed, setting):
    train = Train(batch=30, optimizer=Choice("optimizer", optimizer), learning_rate=0.01,
                  weight_decay=decay)  # fmt: skip
    training = Training(setting.tasks[normed], train, 1000)
    start = begun(training.task.network)
    step = jax.jit(training.advance, static_argnums=4)
    state, _ = step(training.begin(start), start.course, setting.splits, np.int32(0), STEPS)
    params, collections = as_before(training, start, setting.splits)
    chex.assert_trees_all_equal(state.params, params)
    chex.assert_trees_all_equal(state.collections, collections)
    for path, kernel in masks.kernels(state.params).items():
        assert (np.asarray(kernel)[~masks.kernels(start.mask)[path]] == 0.0).all()


def test_pruned_weights_have_the_values_that_a_ticket_gives_them(setting):
    """In training, in evaluation, and in what training leaves; the params themselves stay 0 there."""
    task, splits = setting.tasks[False], setting.splits
    start = begun(task.network)
    pruned = jax.tree.map(lambda leaf: np.full(leaf.shape, 0.05, np.float32), start.params)
    training = Training(task, Train(batch=30, learning_rate=0.01), 1000)
    state = training.begin(start._replace(pruned=pruned))
    after, _ = training.advance(state, start.course, splits, np.int32(0), 3)
    without, _ = training.advance(training.begin(start), start.course, splits, np.int32(0), 3)
    kernel, mask = after.weights["fc1"]["kernel"], start.mask["fc1"]["kernel"]
    assert (np.asarray(kernel)[~mask] == np.float32(0.05)).all()
    assert (np.asarray(after.params["fc1"]["kernel"])[~mask] == 0.0).all()
    assert (np.asarray(kernel)[mask] != np.asarray(without.params["fc1"]["kernel"])[mask]).any()
    whole = training.begin(start._replace(params=after.weights, mask=masks.dense(start.params)))
    one, two = (training.measure(each, start.course, splits.test) for each in (after, whole))
    assert one.loss == two.loss


def test_a_lane_with_values_for_pruned_weights_trains_beside_one_without(setting):
    from ltjax.lanes.program import LaneProgram

    task, splits = setting.tasks[False], setting.splits
    train = Train(steps=4, batch=30, evaluate_every=4)
    program = LaneProgram(Training(task, train, splits.train.size), splits, train, Compute(), 2)
    plain = jax.device_get(begun(task.network))
    given = plain._replace(pruned=jax.tree.map(lambda leaf: np.full_like(leaf, 0.05), plain.params))
    together, alone = program.run([given, plain]), program.run([plain, plain])
    kernel, mask = together.params["fc1"]["kernel"], plain.mask["fc1"]["kernel"]
    assert (kernel[0][~mask] == np.float32(0.05)).all() and (kernel[1][~mask] == 0.0).all()
    chex.assert_trees_all_equal(*(jax.tree.map(lambda leaf: leaf[1], each.params)
                                  for each in (together, alone)))  # fmt: skip
    chex.assert_trees_all_equal(jax.tree.map(lambda leaf: leaf[1], together.masks), plain.mask)
