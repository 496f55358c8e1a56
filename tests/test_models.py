"""Networks: the paper's, to the weight, and what is common to all of them."""

from dataclasses import replace

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ltjax.core.errors import UserError
from ltjax.core.keys import named_key
from ltjax.data import split
from ltjax.lanes.program import LaneProgram
from ltjax.models import MODELS, Wiring, layers, make_network, wired
from ltjax.settings.loading import load_experiment
from ltjax.settings.schema import Compute, Model, Train
from ltjax.sparsity import masks, selection
from ltjax.sparsity.counts import surviving
from ltjax.training.augmentations import AUGMENTATIONS
from ltjax.training.rates import Drops
from ltjax.training.step import LaneStart, Training, course_of
from ltjax.training.tasks import task_of

from .conftest import classifying

WEIGHTS = {
    "lenet_iterative": 266_200,
    "conv2_iterative": 4_300_992,
    "conv4_iterative": 2_425_024,
    "conv6_iterative": 2_261_184,
    "vgg19_lr001": 20_024_000,
    "resnet18_lr001": 270_896,
}
"""The kernels of the paper's networks (Figure 2, counted exactly)."""

SMALL = {
    "lenet": Model(widths=(8,)),
    "conv2": Model(name="conv2", widths=(8,), channels=(4,), dropout=0.5),
    "conv4": Model(name="conv4", widths=(8,), channels=(4, 4)),
    "conv6": Model(name="conv6", widths=(8,), channels=(4, 4, 4)),
    "resnet18": Model(name="resnet18", widths=(), channels=(4, 4, 8)),
    "vgg19": Model(name="vgg19", widths=(), channels=(4, 4, 4, 4, 4)),
}
"""Every network of the registry, small."""


def shapes(name):
    """A named experiment, the shapes of its params, and the kinds of those that count."""
    experiment = load_experiment(name)
    task = task_of(experiment)
    return experiment, task.shapes[0], task.kinds


@pytest.mark.parametrize(("name", "weights"), WEIGHTS.items())
def test_the_papers_networks_have_the_papers_weights(name, weights):
    _, params, kinds = shapes(name)
    assert sum(leaf.size for leaf in masks.counted(params, kinds).values()) == weights


CONVOLUTIONS = {"conv2_iterative": 38_592, "conv4_iterative": 259_776, "conv6_iterative": 1_144_512,
                "vgg19_lr001": 20_018_880, "resnet18_lr001": 267_696}  # fmt: skip


@pytest.mark.parametrize(("name", "weights"), CONVOLUTIONS.items())
def test_what_is_pruned_as_a_convolution_is_the_papers(name, weights):
    """Resnet-18's 2,560 weights of shortcuts and 640 of the output, and VGG-19's output, are not pruned."""
    experiment, params, kinds = shapes(name)
    rates = selection.rates_by_path(kinds, experiment.prune.rates)
    sizes = {path: leaf.size for path, leaf in masks.counted(params, kinds).items()}
    assert sum(sizes[path] for path in rates if kinds[path] == "conv") == weights
    left_out = {path.split("/")[-2] for path in set(sizes) - set(rates)}
    assert left_out == {"vgg19_lr001": {"output"}, "resnet18_lr001": {"output", "shortcut"}}.get(name, set())


P_M = {
    "conv2_iterative": {3: 51.4, 6: 26.5, 9: 13.7, 11: 8.8, 12: 7.1, 14: 4.6, 15: 3.7, 18: 1.9, 21: 1.0},
    "conv4_iterative": {3: 53.5, 6: 29.1, 9: 16.2, 11: 11.1, 12: 9.2, 15: 5.4, 18: 3.2, 21: 2.0, 24: 1.3},
    "conv6_iterative": {1: 82.5, 3: 56.4, 6: 32.1, 7: 26.6, 10: 15.3, 12: 10.6, 15: 6.2, 18: 3.6},
    "conv6_adam_rates": {3: 61.8, 6: 39.4, 9: 25.8, 12: 17.3, 15: 11.9, 18: 8.3},
    "resnet18_lr001": {2: 64.4, 4: 41.7, 6: 27.1, 8: 17.8, 10: 11.8, 12: 8.0, 14: 5.5},
    "vgg19_warmup": {4: 41.0, 8: 16.8, 12: 6.9, 15: 3.5, 16: 2.8, 19: 1.5, 20: 1.2, 24: 0.5, 28: 0.2},
}
"""The paper's percentages of weights remaining, by round (ticks of its figures)."""


@pytest.mark.parametrize(("name", "percents"), P_M.items())
def test_the_schedule_is_the_papers(name, percents):
    """To 0.05, as ticks have one decimal. Conv-6's own fit no network: Appendix H's are half a point off."""
    experiment, params, kinds = shapes(name)
    found = surviving(params, experiment.prune, kinds)
    slack = 0.5 if name == "conv6_adam_rates" else 0.05
    for round, percent in percents.items():
        assert abs(100 * found[round] / found[0] - percent) < slack, round


@pytest.fixture(scope="module", params=sorted(MODELS))
def network(request):
    model = SMALL[request.param]
    made = make_network(model, (16, 16, 3), 10)
    return model, made, *made.init(named_key(0))


def images(count=4):
    return jax.random.normal(named_key(7), (count, 16, 16, 3))


def test_every_network_gives_logits_and_learns_in_every_kernel(network):
    """No kernel is out of the graph; the shapes of params do not depend on the images' number."""
    _, made, params, collections = network

    def loss(params):
        logits, updated = made.apply(params, collections, images(), True, named_key(1))
        assert logits.shape == (4, 10) and logits.dtype == jnp.float32
        return (logits**2).sum(), updated

    gradients, updated = jax.jit(jax.grad(loss, has_aux=True))(params)
    assert all((leaf != 0).any() for leaf in masks.kernels(gradients).values())
    assert jax.tree.structure(updated) == jax.tree.structure(collections)


def test_biases_begin_at_0_and_scales_at_1(network):
    for path, leaf in jax.tree_util.tree_leaves_with_path(network[2]):
        kind = path[-1].key
        if kind != "kernel":
            assert (np.asarray(leaf) == (kind == "scale")).all(), path


CUT = 0.87962566
"""The standard deviation of what is left of a normal distribution of width 1 that is cut off at 2."""


def test_kernels_are_glorots(network):
    """Of variance 2 / (fan in + fan out), truncated at two widths of the normal distribution that is cut.

    A convolution's fans count its offsets too. All kernels of 16 draws together tell 12% less, as where the
    variance that the cut takes is not given back, and a uniform or an uncut distribution.
    """
    drawn = [masks.kernels(made.init(named_key(seed))[0]) for made in network[1:2] for seed in range(16)]
    scaled = []
    for path, leaf in drawn[0].items():
        area = int(np.prod(leaf.shape[:-2]))
        expected = np.sqrt(2 / (area * (leaf.shape[-2] + leaf.shape[-1])))
        scaled.append(np.stack([each[path] for each in drawn]).ravel() / expected)
        if scaled[-1].size > 2000:
            assert np.std(scaled[-1]) == pytest.approx(1, rel=0.06), path
    whole = np.concatenate(scaled)
    cut = 2 / CUT
    assert np.std(whole) == pytest.approx(1, rel=0.02)
    assert 0.98 * cut < np.abs(whole).max() <= cut * (1 + 1e-6)


def test_half_precision_leaves_params_and_logits_whole(network):
    model, made, params, collections = network
    coarse = make_network(replace(model, precision="bfloat16"), (16, 16, 3), 10)
    shapes = jax.eval_shape(coarse.init, named_key(0))
    assert {leaf.dtype for leaf in jax.tree.leaves(shapes)} == {jnp.dtype("float32")}
    (half, updated), (whole, _) = (
        jax.jit(lambda p, c, each=each: each.apply(p, c, images(), True, named_key(1)))(params, collections)
        for each in (coarse, made)
    )
    assert {leaf.dtype for leaf in jax.tree.leaves((half, updated))} == {jnp.dtype("float32")}
    assert (half != whole).any()
    np.testing.assert_allclose(half, whole, atol=0.15 * float(jnp.abs(whole).max()))


def test_pooling_is_xlas_own_and_its_gradient_too():
    """On distinct numbers: of equal ones, XLA's passes the gradient to the first and ours to both, halved."""
    drawn = jax.random.permutation(named_key(0), 2 * 5 * 6 * 3).reshape(2, 5, 6, 3).astype(jnp.float32)

    def windowed(x):
        return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")

    for function in (lambda f: f(drawn), lambda f: jax.grad(lambda x: jnp.sin(f(x)).sum())(drawn)):
        np.testing.assert_array_equal(function(layers.max_pool), function(windowed))


@pytest.mark.parametrize(
    ("model", "image", "says"),
    [
        (Model(name="vgg19", widths=()), (8, 8, 3), "images are too small"),
        (
            Model(name="conv4", channels=(4,)),
            (16, 16, 3),
            "model.channels of conv4 needs a number for each stage, 2 in all",
        ),
        (Model(name="conv2", channels=(0,)), (16, 16, 3), "model.channels must be at least 1"),
        (Model(name="conv2", dropout=1.0), (16, 16, 3), r"model.dropout must lie in \[0, 1\)"),
        (Model(widths=(0,)), (16, 16, 3), "model.widths must be at least 1"),
        (Model(name="conv3"), (16, 16, 3), "there is no model .conv3.; did you mean .conv"),
    ],
)
def test_what_cannot_be_is_told(model, image, says):
    with pytest.raises(UserError, match=says):
        make_network(model, image, 10).init(named_key(0))


class Normed(nn.Module):
    """A strided convolution with BatchNorm and an output layer: little to compile."""

    @nn.compact
    def __call__(self, images, train=False):
        model = Model(widths=())
        images = layers.conv(model, 4, "conv1", strides=2)(images)
        images = nn.relu(layers.batch_norm(model, train, "conv1_norm")(images))
        return layers.head(model, images.reshape(len(images), -1), 10, train)


@pytest.fixture(scope="module")
def trained_lanes(digits):
    """What three lanes, with flips and crops, train to under a layout of the work.

    The first two begin with the same params, so that they differ by their draws alone.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(MODELS, "normed", lambda model, classes: Normed())
        network = make_network(Model(name="normed"), (8, 8, 1), 10)
    train = Train(steps=3, batch=20, optimizer="momentum", learning_rate=0.1, weight_decay=1e-4,
                  schedule=Drops(2, (2,)), evaluate_every=3, evaluate_batch=100)  # fmt: skip
    splits = split(digits, 100, 0)
    training = Training(classifying(network), train, splits.train.size, AUGMENTATIONS["flip_crop"])
    begun = [network.init(named_key(lane // 2)) for lane in range(3)]
    starts = [
        LaneStart(params, collections, masks.dense(params), course_of(named_key(1, lane)))
        for lane, (params, collections) in enumerate(begun)
    ]
    return lambda compute: LaneProgram(training, splits, train, compute, 3).run(starts)


@pytest.fixture(scope="module")
def mapped(trained_lanes):
    return trained_lanes(Compute(batching="map"))


@pytest.mark.parametrize("how", ["unrolled", "loop", "grouped"])
def test_vmapped_lanes_with_batch_norm_agree_with_mapped_ones(how, trained_lanes, mapped):
    """Their statistics are their own, and they see their own flips and crops, however lanes convolve."""
    vmapped = trained_lanes(Compute(batching="vmap", devices=1, convolution=how))
    chex.assert_trees_all_close(vmapped.params, mapped.params, atol=1e-6)
    chex.assert_trees_all_close(vmapped.collections, mapped.collections, atol=1e-6)
    trained = mapped.collections["batch_stats"]["conv1_norm"]["mean"], mapped.params["output"]["kernel"]
    for lanes in trained:  # they lie apart by more than could pass for rounding
        assert all(np.abs(lanes[one] - lanes[other]).max() > 1e-3 for one, other in ((0, 1), (1, 2)))


class ByHand(nn.Module):
    """A small residual network with all that a wiring can say, but for ``flatten``."""

    model: Model
    classes: int

    @nn.compact
    def __call__(self, images, train=False):
        units = nn.relu(layers.conv(self.model, 3, "conv1", bias=True)(images))
        units = Block(self.model, name="block")(layers.max_pool(units), train)
        return layers.head(self.model, units.mean(axis=(1, 2)), self.classes, train)


class Block(nn.Module):
    """A convolution with BatchNorm at stride 2 beside a shortcut."""

    model: Model

    @nn.compact
    def __call__(self, images, train):
        found = layers.conv(self.model, 4, "conv1", strides=2)(images)
        found = layers.batch_norm(self.model, train, "norm")(found)
        return nn.relu(found + layers.conv(self.model, 4, "shortcut", size=1, strides=2)(images))


def wiring_of_by_hand(model):
    """The same network as steps."""
    found = Wiring()
    images = found.pool(found.layer("conv1", found.images, relu=True, units=3, size=3))
    block = found.layer("block/conv1", images, norm="block/norm", strides=2, units=4, size=3, bias=False)
    shortcut = found.layer("block/shortcut", images, strides=2, units=4, size=1, bias=False)
    found.head(model, found.mean(found.add(block, shortcut, relu=True)))
    return found


@pytest.mark.parametrize("precision", layers.DTYPES)
@pytest.mark.parametrize("train", [False, True])
def test_a_network_made_of_its_wiring_is_the_module_written_by_hand_to_the_bit(train, precision):
    model = Model(widths=(6, 5), dropout=0.5, precision=precision)
    key, images = named_key(1), jax.random.normal(named_key(2), (4, 8, 8, 2))
    found = []
    for module in (ByHand(model, 3), wired(wiring_of_by_hand(model), model, 3)):
        variables = module.init(key, images)
        outputs = module.apply(variables, images, train, rngs={"dropout": key}, mutable=["batch_stats"])
        found.append((variables, outputs))
    chex.assert_trees_all_equal(*found)
