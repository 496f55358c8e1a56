"""Criteria: each one's masks on a tiny network are those of NumPy, written from the papers' formulas."""

from dataclasses import replace

import chex
import flax.linen as nn
import jax
import numpy as np
import pytest

import ltjax
from ltjax import Choice, Compute, Data, Experiment, Prune, Rates, Train
from ltjax.core.errors import UserError
from ltjax.core.found import Found
from ltjax.core.types import Start
from ltjax.data import split
from ltjax.lanes.derivatives import Differentiated, drawn
from ltjax.sparsity import masks
from ltjax.sparsity.criteria import CRITERIA

ALL = 10**6
"""More examples than there are: so all, and no draw."""


class Tiny(nn.Module):
    """Four inputs, five units, three classes."""

    @nn.compact
    def __call__(self, inputs):
        units = nn.relu(nn.Dense(5, name="fc1", bias_init=nn.initializers.normal(0.3))(inputs))
        return nn.Dense(3, name="output")(units)


@pytest.fixture(scope="module")
def arrays():
    random = np.random.default_rng(1)
    inputs = random.normal(size=(60, 4)).astype(np.float32)
    return ltjax.Dataset(inputs[:40], np.arange(40) % 3, inputs[40:], np.arange(20) % 3)


@pytest.fixture(scope="module")
def task(arrays):
    made = ltjax.classification(Tiny(), arrays)
    name = next(name for name, entry in ltjax.TASKS.items() if entry is made)
    yield made
    ltjax.TASKS.pop(name)


@pytest.fixture(scope="module")
def train(arrays):
    return split(arrays, 10, 0).train


@pytest.fixture(scope="module")
def found(task, train):
    """Of a trial whose training moved every weight a little, and changed some signs."""
    params, state = jax.device_get(task.network.init(jax.random.key(3)))
    left = jax.tree.map(
        lambda leaf: leaf + np.random.default_rng(2).normal(0, 0.4, leaf.shape).astype("f"), params
    )
    mask = masks.dense(params)
    return Found(
        Start(params, state), mask, jax.random.key(5), 1, 10, left=Start(left, state), task=task,
        derivatives=Differentiated(task, train, 7),
    )  # fmt: skip


# NumPy, in float64


def weights_of(params):
    return [
        np.asarray(params[layer][leaf], float) for layer in ("fc1", "output") for leaf in ("kernel", "bias")
    ]


def shaped(leaves):
    first, second, third, fourth = leaves
    return {"fc1": {"kernel": first, "bias": second}, "output": {"kernel": third, "bias": fourth}}


def gradient(weights, inputs, classes, temperature=1.0):
    """Of the mean cross-entropy, by backpropagation written out."""
    first, bias, second, shift = weights
    before = inputs @ first + bias
    units = np.maximum(before, 0)
    logits = (units @ second + shift) / temperature
    chances = np.exp(logits - logits.max(axis=1, keepdims=True))
    chances /= chances.sum(axis=1, keepdims=True)
    slope = (chances - np.eye(3)[classes]) / len(inputs) / temperature
    back = (slope @ second.T) * (before > 0)
    return [inputs.T @ back, back.sum(axis=0), units.T @ slope, slope.sum(axis=0)]


def hessian_product(weights, vector, *data):
    """By central differences of the gradient."""
    ahead, behind = ([w + sign * 1e-5 * v for w, v in zip(weights, vector, strict=True)] for sign in (1, -1))
    pairs = zip(gradient(ahead, *data), gradient(behind, *data), strict=True)
    return [(one - other) / 2e-5 for one, other in pairs]


def numpy_snip(weights, data):
    return [np.abs(w * g) for w, g in zip(weights, gradient(weights, *data), strict=True)]


def numpy_grasp(weights, data):
    own = gradient(weights, *data, 200.0)
    return [w * h for w, h in zip(weights, hessian_product(weights, own, *data, 200.0), strict=True)]


def numpy_grasp_abs(weights, data):
    return [np.abs(score) for score in numpy_grasp(weights, data)]


def numpy_synflow(weights, data):
    first, bias, second, shift = (np.abs(leaf) for leaf in weights)
    units = first.sum(axis=0) + bias  # what ones give; nothing is below 0
    out = second.sum(axis=1)
    return [first * out, bias * out, units[:, None] * second, shift]


AT_INIT = {
    "magnitude": lambda weights, data: [np.abs(w) for w in weights],
    "initial": lambda weights, data: [np.abs(w) for w in weights],
    "snip": numpy_snip, "grasp": numpy_grasp, "grasp_abs": numpy_grasp_abs, "synflow": numpy_synflow,
}  # fmt: skip
"""Scores of θ₀, by criterion."""


def highest_of(scores, kept):
    """The mask of the kernels' highest scores together."""
    kernels = np.concatenate([scores[0].ravel(), scores[2].ravel()])
    chosen = np.zeros(len(kernels), bool)
    chosen[np.argsort(kernels, kind="stable")[len(kernels) - kept :]] = True
    return [chosen[:20].reshape(4, 5), chosen[20:].reshape(5, 3)]


def experiment_of(task, criterion, **schedule):
    parameters = {"examples": ALL} if "examples" in Choice("criterion", criterion).parameters else {}
    return Experiment(
        name="scores", trials=2, task=task, data=Data(validation=10), compute=Compute(keep="all", devices=1),
        train=Train(steps=2, batch=10, evaluate_every=2),
        prune=Prune(
            rounds=1, structure="global", criterion=Choice("criterion", criterion, parameters),
            schedule=Choice("schedule", "at_init", {"densities": (0.4,), **schedule}),
        ),
    )  # fmt: skip


@pytest.mark.parametrize("criterion", AT_INIT)
def test_before_training_a_mask_is_that_of_numpys_scores(criterion, task, train):
    data = np.asarray(train.inputs, float), np.asarray(train.targets)
    _, pruned = ltjax.find_tickets(experiment_of(task, criterion, steps=1))
    for trial in range(2):
        theta0 = weights_of(pruned.theta0[trial])
        mask = pruned.mask(ltjax.Lane("ticket", trial))
        expected = highest_of(AT_INIT[criterion](theta0, data), 14)  # 0.4 of 35 weights
        for layer, own in zip(("fc1", "output"), expected, strict=True):
            np.testing.assert_array_equal(mask[layer]["kernel"], own)


def test_synflow_prunes_in_a_hundred_steps_each_by_scores_of_what_is_left(task):
    _, pruned = ltjax.find_tickets(experiment_of(task, "synflow"))
    weights = weights_of(pruned.theta0[0])
    for step in range(1, 101):
        kept = round(0.4 ** (step / 100) * 35)
        first, second = highest_of(numpy_synflow(weights, None), kept)
        weights[0], weights[2] = weights[0] * first, weights[2] * second
    mask = pruned.mask(ltjax.Lane("ticket", 0))
    np.testing.assert_array_equal(mask["fc1"]["kernel"], weights[0] != 0)
    np.testing.assert_array_equal(mask["output"]["kernel"], weights[2] != 0)


def test_gradients_are_numpys_over_all_or_some_examples_with_and_without_a_mask(found, train):
    mask = {**found.mask, "fc1": {**found.mask["fc1"], "kernel": np.arange(20).reshape(4, 5) % 3 > 0}}
    for asked, number in ((found, None), (replace(found, mask=mask), None), (found, 9)):
        places = drawn(asked.key, train.targets, number, train.size)
        data = np.asarray(train.inputs, float)[places], np.asarray(train.targets)[places]
        weights = weights_of(masks.apply(asked.mask, asked.theta0.params))
        own = shaped(gradient(weights, *data))
        chex.assert_trees_all_close(asked.gradient(asked.theta0, number), own, atol=1e-6)
        vector = asked.trained.params
        product = shaped(hessian_product(weights, weights_of(vector), *data))
        chex.assert_trees_all_close(asked.hvp(asked.theta0, vector, number), product, atol=1e-5)


def test_examples_are_drawn_from_every_class_alike_each_once(train):
    places = drawn(jax.random.key(0), train.targets, 12, train.size)
    assert len(set(places.tolist())) == 12
    assert np.bincount(np.asarray(train.targets)[places]).tolist() == [4, 4, 4]
    floats = drawn(jax.random.key(0), np.zeros((30, 2)), 12, 30)
    assert len(set(floats.tolist())) == 12
    assert drawn(jax.random.key(0), np.zeros(5), None, 5).tolist() == [0, 1, 2, 3, 4]


SIGNS = np.sign
OF_BOTH = {
    "magnitude": lambda a, b: abs(b), "initial": lambda a, b: abs(a), "small_final": lambda a, b: -abs(b),
    "small_initial": lambda a, b: -abs(a), "movement": lambda a, b: abs(b - a),
    "magnitude_increase": lambda a, b: abs(b) - abs(a),
    "magnitude_same_sign": lambda a, b: np.where(SIGNS(a) == SIGNS(b), abs(b), 0),
    "magnitude_increase_same_sign": lambda a, b: np.where(SIGNS(a) == SIGNS(b), abs(b) - abs(a), 0),
    "magnitude_increase_kept_sign": lambda a, b: np.where(SIGNS(a) == SIGNS(b), abs(b) - abs(a), -np.inf),
}  # fmt: skip


@pytest.mark.parametrize("criterion", OF_BOTH)
def test_scores_of_the_initial_and_the_final_weight_are_their_formulas(criterion, found):
    scores = CRITERIA[criterion](found)
    expected = jax.tree.map(OF_BOTH[criterion], found.theta0.params, found.trained.params)
    chex.assert_trees_all_close(scores, expected, rtol=1e-6)


@pytest.mark.parametrize("kept", [1, 3, 5])
def test_large_initial_and_final_keeps_what_is_above_one_percentile_of_both(kept, found):
    """As bisection finds it: the highest cut above which so many are, in both distributions."""
    initial, final = (
        np.abs(tree["output"]["kernel"]).ravel() for tree in (found.theta0.params, found.trained.params)
    )
    scores = np.asarray(CRITERIA["large_initial_and_final"](found)["output"]["kernel"]).ravel()
    chosen = np.argsort(scores, kind="stable")[15 - kept :]
    lower, upper = np.sort(initial), np.sort(final)
    cut = max(at for at in range(15) if np.sum((initial >= lower[at]) & (final >= upper[at])) >= kept)
    both = (initial >= lower[cut]) & (final >= upper[cut])
    assert both[chosen].all() and kept <= both.sum() <= kept + 1


@pytest.mark.parametrize("name", sorted(CRITERIA))
def test_every_criterion_gives_a_number_for_every_weight_and_the_same_again(name, found):
    made = Choice("criterion", name).make()
    scores = made(found)
    chex.assert_trees_all_equal_shapes(scores, found.theta0.params)
    assert not any(np.isnan(leaf).any() for leaf in jax.tree.leaves(scores))
    chex.assert_trees_all_equal(scores, made(found))


def test_random_scores_differ_by_key(found):
    one, two = (CRITERIA["random"](replace(found, key=jax.random.key(key))) for key in (0, 1))
    assert (one["fc1"]["kernel"] != two["fc1"]["kernel"]).all()


def test_without_data_derivatives_are_refused(found):
    with pytest.raises(UserError, match="no examples here"):
        replace(found, derivatives=None).gradient(found.theta0)


def test_scores_that_are_no_numbers_of_weights_that_are_end_the_run_before_it_trains(task):
    @CRITERIA.register("broken")
    def broken(found):
        return jax.tree.map(lambda leaf: leaf * np.nan, found.theta0.params)

    asked = experiment_of(task, "magnitude")
    asked = replace(asked, prune=replace(asked.prune, criterion="broken", rates=Rates(fc=0.2, output=0.2)))
    with pytest.raises(UserError, match=r"scores of the criterion 'broken' in '.*' are not numbers \(NaN\)"):
        list(ltjax.find_tickets(asked))
    CRITERIA.pop("broken")


def test_gradients_of_half_precision_params_are_float32_in_every_process(arrays):
    class Half(nn.Module):
        @nn.compact
        def __call__(self, inputs):
            return nn.Dense(3, name="output", param_dtype="bfloat16", dtype="bfloat16")(inputs)

    made = ltjax.classification(Half(), arrays)
    start = Start(*jax.device_get(made.network.init(jax.random.key(0))))
    known = Found(start, masks.dense(start.params), jax.random.key(1), task=made,
                  derivatives=Differentiated(made, split(arrays, 10, 0).train, 16))  # fmt: skip
    gradient = known.gradient(start, 12)
    product = known.hvp(start, gradient, 12)
    assert {leaf.dtype for leaf in jax.tree.leaves((gradient, product))} == {np.dtype("float32")}
    assert np.abs(product["output"]["kernel"]).max() > 0
    ltjax.TASKS.pop(next(name for name, entry in ltjax.TASKS.items() if entry is made))
