"""Lanes: one program for all rounds, and the same bits whatever a lane's neighbours and devices."""

import functools
from dataclasses import replace

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ltjax.core.errors import UserError
from ltjax.core.keys import named_key
from ltjax.data import split
from ltjax.lanes.placement import choose_devices, spread
from ltjax.lanes.program import LaneProgram
from ltjax.models import make_network
from ltjax.settings.schema import Compute
from ltjax.sparsity import masks
from ltjax.training.step import LaneStart, Training, course_of

from .conftest import TINY, classifying, compiled_quickly, with_train

pytestmark = pytest.mark.optimised

SPARSE = 3  # the start that has a mask


@pytest.fixture(scope="module")
def setting(digits):
    """A factory of lane programs, and five starts; one is sparse."""
    network = make_network(TINY.model, (8, 8, 1), 10)
    splits = split(digits, TINY.data.validation, TINY.seed)

    @functools.cache
    def program(lanes, train=TINY.train, **compute):
        training = Training(classifying(network), train, splits.train.size)
        return LaneProgram(training, splits, train, Compute(**compute), lanes)

    def start(index):
        params = network.init(named_key(0, index))[0]
        keep = masks.dense(params)
        if index == SPARSE:
            keep["fc1"]["kernel"][::2] = False
        return LaneStart(masks.apply(keep, params), {}, keep, course_of(named_key(1, index)))

    return program, [start(index) for index in range(5)]


@pytest.fixture(scope="module")
def together(setting):
    program, starts = setting
    return program(5).run(starts)


def lane(trained, index):
    history = trained.history
    return jax.tree.map(lambda leaf: np.asarray(leaf)[index], (trained.params, history.loss, history.metric))


@pytest.mark.parametrize(
    ("chosen", "devices"),
    [
        ([0], 1),
        ([SPARSE], 1),
        ([2, 3, 0], 2),
        ([3, 4, 1, 2, 0], 2),
        pytest.param([4, 1], 2, marks=pytest.mark.long),
        pytest.param([3, 4, 1, 2, 0], 1, marks=pytest.mark.long),
    ],
)
def test_a_lane_has_the_same_bits_alone_or_among_others_on_one_device_or_two(
    chosen, devices, setting, together
):
    program, starts = setting
    some = program(len(chosen), devices=devices).run([starts[index] for index in chosen])
    for position, index in enumerate(chosen):
        chex.assert_trees_all_equal(lane(some, position), lane(together, index))


def test_vmapped_lanes_agree_to_float_tolerance(setting, together):
    program, starts = setting
    with compiled_quickly():
        vmapped = program(5, batching="vmap").run(starts)
    chex.assert_trees_all_close(vmapped.params, together.params, atol=1e-4)
    assert vmapped.params["fc1"]["kernel"].shape == (5, 64, 16)


def test_lanes_written_out_agree_to_float_tolerance(setting, together):
    program, starts = setting
    with compiled_quickly():
        unrolled = program(2, batching="unrolled", devices=1).run(starts[3:])
    for position, index in enumerate((3, 4)):
        chex.assert_trees_all_close(lane(unrolled, position), lane(together, index), rtol=1e-5, atol=1e-5)


def test_one_compilation_serves_every_round(setting):
    program, starts = setting
    compiled = program(3, devices=2)
    compiled.run(starts[:3])
    made = dict(compiled.compiled)
    assert {key[:2] for key in made} == {("begin", 0), ("inspect", 0), ("interval", 20)}
    other = [start._replace(params=starts[0].params, course=course_of(named_key(9))) for start in starts[2:5]]
    compiled.run(other)
    assert compiled.compiled == made


def test_the_curve_begins_before_the_first_update_and_ends_after_the_last(together):
    np.testing.assert_array_equal(together.history.steps, [0, 20, 40])
    for values in (*together.history.loss.values(), *together.history.metric.values()):
        chex.assert_shape(values, (5, 3))


def numpy_measure(params, images, labels):
    """Mean cross-entropy and accuracy of LeNet, by NumPy in float64."""
    units = images.reshape(len(images), -1) / 255.0
    for name in ("fc1", "fc2"):
        units = np.maximum(units @ params[name]["kernel"].astype(float) + params[name]["bias"], 0)
    logits = units @ params["output"]["kernel"].astype(float) + params["output"]["bias"]
    logits -= logits.max(axis=1, keepdims=True)
    likelihood = logits[np.arange(len(labels)), labels] - np.log(np.exp(logits).sum(axis=1))
    return -likelihood.mean(), (logits.argmax(axis=1) == labels).mean()


@pytest.mark.parametrize("index", [0, SPARSE])
def test_numpy_measures_the_same_before_the_first_update_and_after_the_last(index, setting, together, digits):
    """Evaluation is of whole splits (padding and batches leave no trace), and the last epoch is seen."""
    _, starts = setting
    begun = jax.device_get(starts[index].params)
    ended = jax.tree.map(lambda leaf: leaf[index], together.params)
    test = digits.test_inputs, digits.test_targets
    for params, point in ((begun, 0), (ended, -1)):
        loss, accuracy = numpy_measure(params, *test)
        np.testing.assert_allclose(together.history.loss["test"][index, point], loss, rtol=1e-5)
        assert together.history.metric["test"][index, point] == accuracy
    splits = split(digits, TINY.data.validation, TINY.seed)
    train = np.asarray(splits.train.inputs), np.asarray(splits.train.targets)
    assert together.history.final_train[index] == numpy_measure(ended, *train)[1]
    assert together.history.metric["train"][index, 0] == numpy_measure(begun, *train)[1]


@pytest.mark.long
def test_the_train_curve_may_be_exact(setting, digits):
    program, starts = setting
    trained = program(2, with_train(TINY, train_curve="exact", steps=25).train).run(starts[:2])
    # the last interval is shorter than the others
    np.testing.assert_array_equal(trained.history.steps, [0, 20, 25])
    np.testing.assert_array_equal(trained.history.metric["train"][:, -1], trained.history.final_train)


def test_a_diverged_lane_does_not_touch_its_neighbours(setting, together):
    program, starts = setting
    broken = starts[1]._replace(params=jax.tree.map(lambda leaf: leaf * jnp.nan, starts[1].params))
    some = program(3, devices=2).run([starts[0], broken, starts[2]])
    assert not np.isfinite(some.history.loss["train"][1]).any()
    chex.assert_trees_all_equal(lane(some, 0), lane(together, 0))
    chex.assert_trees_all_equal(lane(some, 2), lane(together, 2))


def test_the_observer_sees_every_evaluation_of_real_lanes_only(setting):
    program, starts = setting
    seen = []
    program(3, devices=2).run(starts[:3], lambda step, accuracies: seen.append((step, accuracies)))
    assert [step for step, _ in seen] == [0, 20, 40]
    for _, accuracies in seen:
        assert {split: values.shape for split, values in accuracies.items()} == dict.fromkeys(
            ("train", "validation", "test"), (3,)
        )


@pytest.mark.parametrize(
    ("lanes", "devices", "used"),
    [(5, 2, 2), (5, 4, 3), (5, 8, 5), (6, 4, 3), (1, 8, 1), (8, 8, 8), (9, 8, 5)],
)
def test_lanes_use_no_more_devices_than_help(lanes, devices, used):
    assert len(spread(lanes, list(range(devices)))) == used


def test_more_devices_than_there_are_is_told():
    with pytest.raises(UserError, match="between 1 and 2, not 3"):
        choose_devices(Compute(devices=3))
    assert len(choose_devices(replace(Compute(), devices=1))) == 1
