"""Masks that are learned over weights that stay: each weight keeps its bits, and counts are exact."""

import math
import shutil
from dataclasses import dataclass, replace

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ltjax import SCHEMES, find_tickets, load_ticket, load_trained
from ltjax.core.choices import Choice, chosen
from ltjax.core.errors import UserError
from ltjax.core.keys import named_key
from ltjax.core.safetensors import load_tensors
from ltjax.core.types import Lane
from ltjax.data import split
from ltjax.export.files import export
from ltjax.lottery.dry_run import describe, plan
from ltjax.lottery.resolving import resolve
from ltjax.models import make_network
from ltjax.runs.folder import Run
from ltjax.runs.merging import merge
from ltjax.runs.opening import open_run
from ltjax.runs.packing import pack, unpack
from ltjax.settings.schema import Compute, Data, Experiment, Model, Prune, Train
from ltjax.sparsity import masks
from ltjax.sparsity.schedules import AtInit
from ltjax.training.evolve import RigL
from ltjax.training.schemes import EdgePopup, Supermask, begun, straight_through, weights_of
from ltjax.training.step import EVALUATION, LaneStart, Training, course_of

from .conftest import classifying, finish
from .test_snapshots import Killed, train
from .witness import called

WEIGHTS = np.array([[0.5, -1.0], [2.0, 0.25], [-3.0, 4.0]], np.float32)
MASK = np.array([[True, True], [False, True], [True, False]])
SCORES = np.array([[0.3, -0.9], [0.5, 0.1], [-0.2, 0.7]], np.float32)
KEY = named_key(0)


def slopes(scheme, scores, key=KEY):
    """How a sum of the weights times 1, 2, … changes with each score."""
    times = np.arange(1.0, 7).reshape(3, 2)
    return jax.grad(lambda scores: (scheme.weights(scores, WEIGHTS, MASK, key) * times).sum())(scores)


def test_a_supermask_draws_by_chances_and_the_gradient_passes_as_if_it_were_them():
    scheme = Supermask()
    chance = 1 / (1 + np.exp(-SCORES))
    draws = np.stack(
        [scheme.weights(SCORES, WEIGHTS, MASK, jax.random.fold_in(KEY, at)) for at in range(2000)]
    )
    np.testing.assert_array_equal(np.where(draws != 0, WEIGHTS, 0), draws)
    np.testing.assert_allclose((draws != 0).mean(axis=0), chance * MASK, atol=0.04)
    times = np.arange(1.0, 7).reshape(3, 2)
    wanted = np.where(MASK, WEIGHTS * times * chance * (1 - chance), 0)
    np.testing.assert_allclose(slopes(scheme, SCORES), wanted, rtol=1e-5)
    np.testing.assert_array_equal(scheme.mask(SCORES, MASK), MASK & (SCORES > 0))
    assert scheme.begin(KEY, WEIGHTS, MASK).sum() == 0


@pytest.mark.parametrize(
    ("scheme", "ranked"), [(EdgePopup(), np.abs), (EdgePopup(signed=True), lambda scores: scores)]
)
def test_edge_popup_keeps_as_many_of_the_highest_as_the_rounds_mask_and_passes_the_gradient_to_all(
    scheme, ranked
):
    kept = np.argsort(ranked(SCORES).ravel())[-MASK.sum() :]
    wanted = np.isin(np.arange(6), kept).reshape(3, 2)
    np.testing.assert_array_equal(scheme.mask(SCORES, MASK), wanted)
    np.testing.assert_array_equal(scheme.weights(SCORES, WEIGHTS, MASK, KEY), WEIGHTS * wanted)
    sign = 1 if scheme.signed else np.sign(SCORES)
    np.testing.assert_allclose(
        slopes(scheme, SCORES), WEIGHTS * np.arange(1.0, 7).reshape(3, 2) * sign, rtol=1e-6
    )
    scores = scheme.begin(KEY, np.zeros((50, 40), np.float32), None)
    assert np.abs(scores).max() < 1 / math.sqrt(50) < 1.01 * np.abs(scores).max()


def test_rescaled_a_layer_is_as_large_as_if_all_its_weights_were_there():
    drawn = np.asarray(Supermask(rescale=True).weights(SCORES, WEIGHTS, MASK, KEY))
    np.testing.assert_allclose(drawn[drawn != 0], (WEIGHTS * 4 / (drawn != 0).sum())[drawn != 0])
    found = np.asarray(EdgePopup(rescale=True).weights(SCORES, WEIGHTS, MASK, KEY))
    np.testing.assert_allclose(found[found != 0], (WEIGHTS * math.sqrt(6 / 4))[found != 0], rtol=1e-6)


STEPS, RATE = 30, 0.5


@pytest.fixture(scope="module")
def splits(digits):
    return split(digits, 100, 0)


def alone(scheme, splits, network=None):
    """The functions of a lane with one hidden layer, and what it begins with: 40% of each kernel."""
    network = network or make_network(Model(widths=(8,)), (8, 8, 1), 10)
    train = Train(steps=STEPS, batch=30, optimizer="sgd", learning_rate=RATE, evaluate_batch=2000)
    training = Training(classifying(network), train, splits.train.size, scheme=chosen("scheme", scheme))
    params, collections = network.init(named_key(0))
    mask = jax.tree.map(
        lambda leaf: np.arange(leaf.size).reshape(leaf.shape) % 5 < (2 if leaf.ndim > 1 else 5), params
    )
    learned = begun(training.scheme, params, mask, masks.kernels(params), named_key(1))
    return training, LaneStart(params, collections, mask, course_of(named_key(2)), None, learned)


def test_thirty_steps_of_edge_popup_are_what_numpy_makes_of_them(splits):
    training, start = alone(EdgePopup(), splits)
    images, labels = np.asarray(splits.train.inputs), np.asarray(splits.train.targets)
    kernels = {path: np.asarray(leaf, float) for path, leaf in masks.kernels(start.params).items()}
    scores = {path: np.asarray(leaf, float) for path, leaf in start.learned.scores.items()}
    advance, state = jax.jit(training.advance, static_argnums=4), training.begin(start)
    for step in range(STEPS):
        kept = {path: np.zeros(leaf.shape, bool) for path, leaf in kernels.items()}
        for path, leaf in scores.items():
            number = int(masks.kernels(start.mask)[path].sum())
            kept[path].ravel()[np.argsort(-np.abs(leaf).ravel(), kind="stable")[:number]] = True
        first, second = (kernels[path] * kept[path] for path in ("fc1/kernel", "output/kernel"))
        state, _ = advance(state, start.course, splits, step, 1)
        at = np.asarray(state.order)[step % training.epoch_steps * 30 :][:30]
        inputs, wanted = images[at].reshape(30, -1) / 255.0, np.eye(10)[labels[at]]
        hidden = np.maximum(inputs @ first, 0)
        logits = hidden @ second
        out = (np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True) - wanted) / 30
        back = (out @ second.T) * (hidden > 0)
        for path, dense in (("fc1/kernel", inputs.T @ back), ("output/kernel", hidden.T @ out)):
            scores[path] -= RATE * dense * kernels[path] * np.sign(scores[path])
            np.testing.assert_allclose(state.learned.scores[path], scores[path], rtol=1e-3, atol=1e-5)
    weights, _, mask = training.left(state)
    chex.assert_trees_all_equal(weights, masks.apply(mask, start.params))
    moved = [np.any(np.asarray(state.learned.scores[path]) != start.learned.scores[path]) for path in scores]
    assert all(moved)


def test_an_evaluation_is_the_mean_of_ten_draws_that_training_never_saw(splits):
    training, start = alone(Supermask(), splits)
    state = training.begin(start)
    seen = training.measure(state, start.course, splits.test)
    key = training._key(start.course, "scheme", EVALUATION)
    plain, _ = alone("weights", splits)
    each = [
        plain.measure(state._replace(learned=None, params=weights), start.course, splits.test)
        for own in jax.random.split(key, 10)
        for weights in [weights_of(training.scheme, start.learned, start.params, start.mask, own)]
    ]
    np.testing.assert_allclose(seen.loss, sum(one.loss for one in each), rtol=1e-5)
    assert int(seen.metric) == sum(int(one.metric) for one in each)
    assert len({int(one.metric) for one in each}) > 1


RUN = Experiment(
    name="learned", trials=2, seed=3, arms={"ticket": 1, "constant_sign": 1}, data=Data(validation=100),
    model=Model(widths=(16, 12)), scheme="supermask",
    train=Train(steps=40, batch=30, learning_rate=0.1, evaluate_every=10, evaluate_batch=2000),
    prune=Prune(rounds=1, schedule=AtInit((0.3,), dense=False), criterion="random"),
    compute=Compute(keep="all"),
)  # fmt: skip
POPUP = replace(RUN, scheme="edge_popup")
TICKET = Lane("ticket", 0)


@pytest.fixture(scope="module", params=[RUN, POPUP], ids=lambda each: each.scheme.name)
def ran(request, tmp_path_factory):
    """A finished run of each scheme; read only."""
    return finish(request.param, tmp_path_factory.mktemp("learned") / "run")


def test_weights_keep_their_bits_and_tables_have_the_mask_that_was_learned(ran):
    for lane in ran.lanes(1):
        left, began = ran.mask(1, lane), ran.began(1, lane)
        start = load_ticket(ran.folder, trial=lane.trial, round=1)
        theta0 = ran.theta0(lane.trial)
        if lane.arm == "ticket":
            trained = load_trained(ran.folder, round=1, trial=lane.trial)
            chex.assert_trees_all_equal(trained, jax.tree.map(np.asarray, masks.apply(left, theta0)))
        row = ran.summary().query("arm == @lane.arm and trial == @lane.trial").iloc[0]
        kernels = masks.kernels(left)
        assert row["weights_remaining"] == sum(leaf.sum() for leaf in kernels.values())
        chex.assert_trees_all_equal(start.mask, ran.began(1, Lane("ticket", lane.trial)))
        for path, leaf in masks.kernels(began).items():
            if ran.experiment.scheme.name == "edge_popup":
                assert kernels[path].sum() == leaf.sum() and not np.array_equal(kernels[path], leaf)
            else:
                assert kernels[path].sum() < leaf.sum() and not (kernels[path] & ~leaf).any()


ONE = pytest.mark.parametrize(
    "ran", [RUN, pytest.param(POPUP, marks=pytest.mark.long)], ids=["supermask", "edge_popup"], indirect=True
)
"""For what both schemes pass through alike: one of them is the short form."""


def together(one, two):
    """Whether two runs hold the same bits of all their lanes."""
    assert one.summary().equals(two.summary())
    for lane in one.lanes(1):
        chex.assert_trees_all_equal(one.outcome(1, lane), two.outcome(1, lane))
        chex.assert_trees_all_equal(one.began(1, lane), two.began(1, lane))


def test_killed_in_mid_training_it_ends_with_the_same_bits(ran, tmp_path):
    with pytest.raises(Killed):
        train(tmp_path, (1, 30), experiment=ran.experiment)
    run, steps = train(tmp_path, experiment=ran.experiment)
    assert steps[0] == (1, 20)
    together(run, ran)


@ONE
def test_a_lane_alone_ends_with_the_bits_that_it_has_among_others_and_merges_and_packs(ran, tmp_path):
    half = open_run(tmp_path / "half", ran.experiment)
    for found in find_tickets(ran.experiment, past=half, only=[1]):
        half.save(found, 0.0)
        for lane in found.lanes:
            chex.assert_trees_all_equal(found.lane(lane), ran.outcome(1, lane))
    merge([tmp_path / "half", ran.folder], tmp_path / "merged")
    together(Run(tmp_path / "merged"), ran)
    pack(tmp_path / "merged", tmp_path / "run.tar.gz")
    unpack(tmp_path / "run.tar.gz", tmp_path / "carried")
    carried = Run(tmp_path / "carried")
    for lane in ran.lanes(1):
        chex.assert_trees_all_equal(carried.mask(1, lane), ran.mask(1, lane))
        chex.assert_trees_all_equal(carried.began(1, lane), ran.began(1, lane))


@ONE
def test_a_control_that_is_added_later_and_an_export(ran, tmp_path):
    more = replace(ran.experiment, arms={"ticket": 2, "constant_sign": 1})
    shutil.copytree(ran.folder, tmp_path / "later")
    later = finish(more, tmp_path / "later")
    one, two = (later.outcome(1, Lane("ticket", 0, repeat)) for repeat in (0, 1))
    chex.assert_trees_all_equal(one, ran.outcome(1, TICKET))
    assert not np.array_equal(one.mask["fc1"]["kernel"], two.mask["fc1"]["kernel"])
    export(ran, 1, TICKET, tmp_path / "exported")
    final, initial = (
        load_tensors(tmp_path / "exported" / f"{name}.safetensors") for name in ("final", "initial")
    )
    chex.assert_trees_all_equal(final, ran.outcome(1, TICKET).trained)
    chex.assert_trees_all_equal(initial, ran.theta0(0))


@ONE
def test_on_devices_that_train_lanes_together_masks_are_learned_too(ran):
    vmapped = replace(ran.experiment, compute=Compute(batching="vmap", devices=1, keep="all"))
    (found,) = find_tickets(vmapped)
    for lane in found.lanes:
        assert masks.count(found.mask(lane))[0] == pytest.approx(masks.count(ran.mask(1, lane))[0], rel=0.02)
        pairs = zip(
            *(masks.kernels(each).values() for each in (found.mask(lane), ran.mask(1, lane))), strict=True
        )
        assert min(np.mean(one == two) for one, two in pairs) > 0.95


def test_a_network_with_batch_norm_keeps_its_scales_and_gets_statistics():
    deep = replace(
        POPUP, trials=1, arms={"ticket": 1}, model=Model("normed", channels=(3,), widths=(8,)),
        train=replace(POPUP.train, steps=10),
    )  # fmt: skip
    with called():
        (found,) = find_tickets(deep)
    outcome = found.lane(TICKET)
    chex.assert_trees_all_equal(
        outcome.trained, jax.tree.map(np.asarray, masks.apply(outcome.mask, found.theta0[0]))
    )
    means = [leaf for leaf in jax.tree.leaves(outcome.collections) if np.any(leaf)]
    assert means, "statistics are gathered all the same"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prune": Prune(rounds=1)}, "scheme supermask needs masks that read no trained weights: choose"),
        ({"prune": Prune(rounds=0, structure="n_of_m")}, "not keep the pattern of prune.structure n_of_m"),
        ({"prune": replace(RUN.prune, rewind=Choice("rewinding", "step", {"k": 10}))},
         "scheme supermask trains no weights that prune.rewind step could go back to"),
        ({"prune": replace(RUN.prune, rewind="freeze_init")},
         "'freeze_init' gives pruned weights values, which cannot be where masks evolve or are learned"),
        ({"evolve": RigL(interval=5)}, "trains no weights by which evolve rigl could choose; leave out one"),
        ({"scheme": "supermasks"}, "there is no scheme 'supermasks'; did you mean 'supermask'?"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told_before_anything_trains(changes, message):
    with pytest.raises(UserError, match=message):
        resolve(replace(RUN, **changes))


@dataclass(frozen=True)
class Signed:
    """Weights are θ₀ times -1, 0 or 1, by a score beyond a threshold; biases are trained."""

    threshold: float = 0.01
    trains_rest = True

    def begin(self, key, weights, mask):
        return {"scores": jax.random.normal(key, weights.shape) * 0.02}

    def weights(self, scores, weights, mask, key):
        own = scores["scores"]
        return weights * straight_through(jnp.sign(own) * self.mask(scores, mask), own)

    def mask(self, scores, mask):
        return mask & (jnp.abs(scores["scores"]) > self.threshold)


@pytest.fixture
def own():
    """A function that gives the experiment of a scheme of one's own, changed."""

    def register(**methods):
        SCHEMES.register("own", replace=True)(type("Own", (Signed,), methods)())
        return replace(RUN, trials=1, arms={"ticket": 1}, scheme="own")

    yield register
    SCHEMES.pop("own", None)


def test_a_scheme_of_ones_own_has_its_own_numbers_and_may_train_biases_too(own):
    (found,) = find_tickets(own())
    outcome, theta0 = found.lane(TICKET), found.theta0[0]
    assert np.any(outcome.trained["fc1"]["bias"]) and not np.any(theta0["fc1"]["bias"])
    for path, leaf in masks.kernels(outcome.trained).items():
        first = np.where(masks.kernels(outcome.mask)[path], masks.kernels(theta0)[path], 0)
        np.testing.assert_array_equal(np.abs(leaf), np.abs(first))
        assert (leaf != first).any(), "some signs are turned"


@pytest.mark.parametrize(
    ("methods", "message"),
    [
        ({"mask": lambda self, scores, mask: mask * 1.0}, "the mask of the scheme 'own' must be bool"),
        ({"weights": lambda self, scores, weights, *_: weights[:2]}, "the weights of the scheme 'own' must"),
        ({"weights": lambda self, scores, weights, *_: weights}, "must be 0 where its mask says"),
        ({"begin": lambda self, key, weights, mask: {"scores": np.ones((6, 5), int)}}, "be floating-point"),
        ({"begin": lambda self, key, weights, mask: missing}, "the scheme 'own' raised NameError"),  # noqa: F821
    ],
)  # fmt: skip
def test_a_scheme_of_ones_own_that_is_wrong_is_told_before_anything_trains(methods, message, own):
    with pytest.raises(UserError, match=message):
        resolve(own(**methods))


def test_the_dry_run_says_what_is_learned_and_that_it_saves_no_flops():
    text = describe(RUN, plan(resolve(RUN)))
    assert (
        "supermask, masks are learned, each evaluation is over 10 draws; they save none of the FLOPs" in text
    )
    assert plan(resolve(RUN)).step_flops == plan(resolve(replace(RUN, scheme="weights"))).step_flops
    assert plan(resolve(RUN)).lane_bytes > plan(resolve(replace(RUN, scheme="weights"))).lane_bytes
