"""Lanes that start at any step, and the dense network kept on the way: as if nothing had happened there.

A lane that starts at step k from what the dense lane was there, with the dense lane's key, ends at the dense
lane's bits: its position in the data, its learning rate and its statistics are those of step k.
"""

from functools import cache

import chex
import jax
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ltjax.core.keys import named_key
from ltjax.core.types import Lane
from ltjax.data import split
from ltjax.lanes.history import summarise
from ltjax.lanes.program import LaneProgram
from ltjax.settings.schema import Compute, Train
from ltjax.sparsity import masks
from ltjax.training.rates import Cosine
from ltjax.training.step import LaneStart, Training, course_of

from .conftest import classifying
from .test_training import batch_norm  # noqa: F401

STEPS, EPOCH = 40, 8
TRAIN = Train(
    steps=STEPS, batch=160, optimizer="sgd", learning_rate=0.3, schedule=Cosine(warmup=15), evaluate_every=10,
    evaluate_batch=500,
)  # fmt: skip
"""Eight steps an epoch of 1,337 examples; the rate is another one at every step."""


@pytest.fixture(scope="module")
def splits(digits):
    return split(digits, 100, 0)


class Dense:
    """A dense lane of a network with BatchNorm and dropout, at every step of its training."""

    def __init__(self, network, splits):
        self.training = Training(classifying(network), TRAIN, splits.train.size)
        params, collections = network.init(named_key(0))
        self.start = LaneStart(params, collections, masks.dense(params), course_of(named_key(1)))
        self.splits = splits
        self.begin, self.step = jax.jit(self.training.begin), jax.jit(self.training.advance, static_argnums=4)
        self.states, self.tallies = [self.begin(self.start, 0)], []
        for at in range(STEPS):
            state, tally = self.one(self.states[-1], at)
            self.states.append(state)
            self.tallies.append(tally)

    def one(self, state, at):
        return self.step(state, self.start.course, self.splits, np.int32(at), 1)

    def at(self, step):
        """What a lane starts from that goes on from a step."""
        state = self.states[step]
        return self.start._replace(params=state.params, collections=state.collections)


@pytest.fixture(scope="module")
def dense(splits, batch_norm):  # noqa: F811
    return Dense(batch_norm, splits)


@given(k=st.integers(0, STEPS - 1))
@example(k=0)
@example(k=1)
@example(k=EPOCH - 1)
@example(k=EPOCH)
@example(k=EPOCH + 1)
@example(k=STEPS - 1)
@settings(max_examples=6)
def test_a_lane_started_at_any_step_ends_at_the_dense_lanes_bits(k, dense):
    state = dense.begin(dense.at(k), np.int32(k))
    for at in range(k, STEPS):
        state, tally = dense.one(state, at)
        chex.assert_trees_all_equal(tally, dense.tallies[at])
    chex.assert_trees_all_equal(state, dense.states[STEPS])


@pytest.mark.parametrize("k", [1, 5, EPOCH, EPOCH + 5])
def test_a_start_within_an_epoch_has_that_epochs_order_and_not_example_0_alone(k, dense):
    order = np.asarray(dense.begin(dense.at(k), np.int32(k)).order)
    assert sorted(order) == list(range(1337))
    np.testing.assert_array_equal(order, dense.states[k + 1].order)


def test_the_examples_of_a_start_within_an_epoch_are_those_of_its_steps(dense):
    """A lane that sees nothing but example 0 would be the same whatever the other examples are."""
    state = dense.begin(dense.at(5), np.int32(5))
    seen = np.asarray(state.order)[5 * 160 : 6 * 160]
    without = np.setdiff1d(np.arange(1337), seen)
    blank = dense.splits.train.inputs.at[without].set(0)
    other = dense.splits._replace(train=dense.splits.train._replace(inputs=blank))
    one, _ = dense.one(state, 5)
    two, _ = dense.step(state, dense.start.course, other, np.int32(5), 1)
    chex.assert_trees_all_equal(one.params, two.params)
    blank = dense.splits.train.inputs.at[seen[seen != 0][:1]].set(0)
    other = dense.splits._replace(train=dense.splits.train._replace(inputs=blank))
    two, _ = dense.step(state, dense.start.course, other, np.int32(5), 1)
    assert not np.array_equal(one.params["fc1"]["kernel"], two.params["fc1"]["kernel"])


CAPTURES = (10, 13)
"""At an evaluation, and within an epoch and an interval."""


@pytest.fixture(scope="module")
def program(splits, batch_norm):  # noqa: F811
    """Trains one lane from a step, with captures; each step once."""
    training = Training(classifying(batch_norm), TRAIN, splits.train.size)
    made = LaneProgram(training, splits, TRAIN, Compute(devices=1), 1)
    params, collections = batch_norm.init(named_key(0))
    start = LaneStart(params, collections, masks.dense(params), course_of(named_key(1)))

    @cache
    def run(first=0, captures=()):
        begun = start
        if first:
            kept = run(0, CAPTURES).captured[first]
            params, collections = jax.tree.map(lambda leaf: leaf[0], kept)
            begun = start._replace(params=params, collections=collections)
        return made.run([begun], first=first, captures=captures)

    return run


def test_captures_are_the_dense_network_after_so_many_steps_and_leave_it_as_it_was(program, dense):
    whole, kept = program(), program(0, CAPTURES)
    assert sorted(kept.captured) == sorted(CAPTURES) and not whole.captured
    for step, (params, collections) in kept.captured.items():
        own = jax.tree.map(lambda leaf: leaf[0], (params, collections))
        chex.assert_trees_all_equal(own, (dense.states[step].params, dense.states[step].collections))
    chex.assert_trees_all_equal((kept.params, kept.collections), (whole.params, whole.collections))
    chex.assert_trees_all_equal(kept.history.metric, whole.history.metric)
    chex.assert_trees_all_close(kept.history.loss, whole.history.loss, rtol=1e-6)
    for split_ in ("validation", "test"):
        np.testing.assert_array_equal(kept.history.loss[split_], whole.history.loss[split_])


@pytest.mark.parametrize(
    ("k", "rows"),
    [(10, [10, 20, 30, 40]), (13, [13, 20, 30, 40])],
)
def test_curves_begin_at_the_start_and_their_steps_are_the_dense_lanes(k, rows, program):
    whole, late = program(), program(k)
    history = late.history
    assert history.steps.tolist() == rows
    chex.assert_trees_all_equal((late.params, late.collections), (whole.params, whole.collections))
    shared = [step for step in rows if step in whole.history.steps]
    ours, theirs = (np.isin(each.history.steps, shared) for each in (late, whole))
    for name in ("validation", "test"):
        for ours_, theirs_ in (
            (history.loss, whole.history.loss),
            (history.metric, whole.history.metric),
        ):
            np.testing.assert_array_equal(ours_[name][:, ours], theirs_[name][:, theirs])


@pytest.mark.parametrize("k", [10, 13])
def test_the_running_train_curve_is_a_mean_over_the_minibatches_since_the_start(k, program, dense):
    history = program(k).history
    goal = (k // 10 + 1) * 10
    steps = dense.tallies[k:goal]
    assert history.metric["train"][0, 1] == sum(int(each.metric) for each in steps) / (160 * (goal - k))
    loss = sum(float(each.loss) for each in steps) / (160 * (goal - k))
    assert history.loss["train"][0, 1] == pytest.approx(loss, rel=1e-5)
    begun = dense.training.measure(dense.states[k], dense.start.course, dense.splits.train)
    assert history.metric["train"][0, 0] == int(begun.metric) / 1337  # the whole split, as at step 0


def test_the_early_stop_is_told_by_its_step_of_the_dense_lane(program):
    history = program(13).history
    for place, step in enumerate([13, 20, 30, 40]):
        loss = np.ones((1, 4))
        loss[0, place] = 0.5
        told = summarise([Lane("ticket", 0)], 1, history._replace(loss={**history.loss, "validation": loss}),
                         [{"kernel": np.ones(2, bool)}])  # fmt: skip
        assert told["early_stop_step"].item() == step
        assert told["early_stop_test_accuracy"].item() == history.metric["test"][0, place]
        assert told["initial_test_accuracy"].item() == history.metric["test"][0, 0]


def test_a_running_train_curve_has_no_seam_at_a_capture(program, dense):
    """The interval that a capture at 13 splits is over all of its ten minibatches."""
    history = program(0, CAPTURES).history
    for goal in (10, 20, 40):
        correct = sum(int(each.metric) for each in dense.tallies[goal - 10 : goal])
        assert history.metric["train"][0, goal // 10] == correct / 1600
