"""Compaction: what is left out, by hand and by brute force, and that the outputs stay what they were."""

from collections import defaultdict

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ltjax.core.errors import UserError
from ltjax.core.keys import named_key
from ltjax.core.trees import leaves_by_path, map_with_path
from ltjax.export import compaction, folded
from ltjax.export.folded import Layer, Plain, patch_values
from ltjax.models import MODELS, WIRINGS, Wiring, make_network
from ltjax.sparsity import masks

from .test_models import SMALL

IMAGE = (16, 16, 3)


def fully_connected(*kernels, biases=None):
    """A wiring and plain network of fully-connected layers on one row of pixels."""
    wiring, layers = Wiring(), {}
    step = wiring.flatten(wiring.images)
    for index, kernel in enumerate(kernels):
        name = f"fc{index}" if index < len(kernels) - 1 else "output"
        step = wiring.layer(name, step, relu=name != "output")
        bias = np.zeros(np.shape(kernel)[1]) if biases is None else biases[index]
        layers[name] = Layer(np.array(kernel, np.float32), np.array(bias, np.float32))
    return wiring, Plain(layers, {}), (1, len(kernels[0]), 1)


I2 = [[1, 0], [0, 1]]

BY_HAND = {
    "nothing is left out of a dense network": (([[1, 2], [3, 4]], I2), {"flat": [0, 1], "fc0": [0, 1]}),
    "a pixel that no weight leaves": (([[0, 0], [3, 4]], I2), {"flat": [1], "fc0": [0, 1]}),
    "a unit that no weight reaches": (([[1, 0], [3, 0]], I2), {"flat": [0, 1], "fc0": [0]}),
    "a unit that no weight leaves": (([[1, 2], [3, 4]], [[0, 0], [0, 1]]), {"flat": [0, 1], "fc0": [1]}),
    "a pixel that only such a unit reads": (([[1, 0], [0, 4]], [[0, 0], [0, 1]]), {"flat": [1], "fc0": [1]}),
    "units between two that are left out": (
        ([[1, 0], [3, 0]], [[1, 0, 1], [0, 1, 1]], [[1, 0], [1, 1], [0, 0]]),
        {"flat": [0, 1], "fc0": [0], "fc1": [0]},
    ),
    "all but one where no weight reaches the output": (([[1, 2], [3, 4]], [[0, 0], [0, 0]]),
                                                       {"flat": [0], "fc0": [0]}),
    "all but one where no weight leaves the input": (([[0, 0], [0, 0]], I2), {"flat": [0], "fc0": [0]}),
}  # fmt: skip
"""Kernels, and what is left: the output always is, constant or not."""


@pytest.mark.parametrize(("kernels", "left"), BY_HAND.values(), ids=BY_HAND)
def test_what_is_left(kernels, left):
    found = compaction.compact(*fully_connected(*kernels))
    outputs = len(kernels[-1][0])
    whole = {"images": [0], **left, "output": list(range(outputs))}
    assert {name: list(units) for name, units in found.units.items()} == whole
    for before, layer in zip(left, found.network.layers.values(), strict=True):
        assert layer.kernel.shape[0] == len(left[before])


def test_a_constant_unit_goes_into_the_next_bias():
    """Unit 1 is relu(5) = 5 whatever the pixels, unit 2 relu(-5) = 0."""
    kernels = [[[1, 0, 0], [3, 0, 0]], [[1, 2], [10, 20], [100, 200]]]
    wiring, network, image = fully_connected(*kernels, biases=[[1, 5, -5], [0.5, 0.25]])
    layers = compaction.compact(wiring, network, image).network.layers
    np.testing.assert_array_equal(layers["fc0"].kernel, [[1], [3]])
    np.testing.assert_array_equal(layers["fc0"].bias, [1])
    np.testing.assert_array_equal(layers["output"].kernel, [[1, 2]])
    np.testing.assert_array_equal(layers["output"].bias, [50.5, 100.25])


def convolutions(second):
    """Two 3 × 3 convolutions on 3 × 3 pixels: the first has a channel that is 2 on any image."""
    wiring = Wiring()
    images = wiring.layer("conv1", wiring.images, relu=True)
    images = wiring.layer("conv2", images, relu=True)
    wiring.layer("output", wiring.mean(images))
    first = np.ones((3, 3, 1, 2), np.float32) * [1, 0]
    layers = {"conv1": Layer(first.astype(np.float32), np.array([0, 2], np.float32)),
              "conv2": Layer(second.astype(np.float32), np.zeros(1, np.float32)),
              "output": Layer(np.ones((1, 1), np.float32), np.zeros(1, np.float32))}  # fmt: skip
    return wiring, Plain(layers, {}), (3, 3, 1)


def test_behind_a_padded_convolution_a_constant_channel_is_an_image_of_biases():
    """At a corner it is under four of the nine weights, at an edge under six."""
    found = compaction.compact(*convolutions(np.ones((3, 3, 2, 1))))
    assert list(found.units["conv1"]) == [0]
    np.testing.assert_array_equal(
        found.network.layers["conv2"].bias[..., 0], [[8, 12, 8], [12, 18, 12], [8, 12, 8]]
    )


def test_where_the_border_makes_no_difference_the_bias_is_a_number():
    kernel = np.zeros((3, 3, 2, 1))
    kernel[:, :, 0], kernel[1, 1, 1] = 1, 7
    np.testing.assert_array_equal(
        compaction.compact(*convolutions(kernel)).network.layers["conv2"].bias, [14]
    )


def residual(first, second, output):
    """A stream of two channels: 1 × 1 convolutions, the second's result added to its input."""
    wiring = Wiring()
    stream = wiring.layer("conv1", wiring.images)
    wiring.layer("output", wiring.mean(wiring.add(wiring.layer("conv2", stream), stream, relu=True)))
    kernels = {"conv1": [[first]], "conv2": [[second]], "output": output}
    layers = {name: Layer(np.array(kernel, np.float32), np.ones(np.shape(kernel)[-1], np.float32))
              for name, kernel in kernels.items()}  # fmt: skip
    return wiring, Plain(layers, {}), (2, 2, 1)


STREAMS = {
    "no producer reaches it": ([[1, 0]], [[1, 0], [0, 0]], [[1], [1]], [0]),
    "no consumer reads it": ([[1, 1]], [[1, 1], [0, 0]], [[1], [0]], [0]),
    "one producer reaches it": ([[1, 0]], [[1, 1], [0, 0]], [[1], [1]], [0, 1]),
    "one consumer reads it": ([[1, 1]], [[1, 0], [1, 0]], [[1], [0]], [0, 1]),
    "it is read where it is constant alone": ([[1, 0]], [[1, 1], [1, 0]], [[1], [0]], [0]),
}


@pytest.mark.parametrize(("first", "second", "output", "left"), STREAMS.values(), ids=STREAMS)
def test_a_streams_channel_stays_where_it_is_alive_anywhere(first, second, output, left):
    wiring, network, image = residual(first, second, output)
    found = compaction.compact(wiring, network, image)
    assert list(found.units["conv1"]) == list(found.units["conv2"]) == left
    images = np.random.default_rng(0).normal(size=(5, *image))
    np.testing.assert_allclose(
        patch_values(wiring, found.network, images)[-1],
        patch_values(wiring, network, images)[-1],
    )


def test_every_network_of_ltjax_has_a_wiring_and_is_tried():
    assert set(WIRINGS) == set(SMALL) and set(SMALL) <= set(MODELS)


def sparse(tree, seed, densities):
    """Random params or statistics, and a mask whose layers and outputs have densities of their own."""
    random = np.random.default_rng(seed)

    def draw(path, leaf):
        if path.endswith(("scale", "var")):
            return random.uniform(0.1, 2, leaf.shape).astype(np.float32)
        return random.normal(size=leaf.shape).astype(np.float32)

    def keep(path, leaf):
        if not masks.is_kernel(path):
            return np.ones(leaf.shape, bool)
        columns = random.choice(densities, leaf.shape[-1])
        return (random.random(leaf.shape) < columns) & (random.random((leaf.shape[-2], 1)) < 0.9)

    return map_with_path(draw, tree), map_with_path(keep, tree)


@pytest.fixture(scope="module", params=sorted(SMALL))
def tried(request):
    """A network's wiring, its module as a compiled function, and the shapes of its params and collections."""
    network = make_network(SMALL[request.param], IMAGE, 10)
    apply = jax.jit(lambda params, rest, images: network.apply(params, rest, images, False, named_key(0))[0])
    shapes = jax.eval_shape(network.init, jax.eval_shape(lambda: jax.random.key(0)))
    return WIRINGS[request.param](SMALL[request.param]), apply, *shapes


def brute_force(wiring, mask):
    """The units that stay, by walks over single units: forth from the images and back from the logits."""
    wide = {name.removesuffix("/kernel"): leaf for name, leaf in masks.kernels(mask).items()}
    sizes, forth, same = [], defaultdict(set), defaultdict(set)
    shapes = [
        np.shape(value)[1:] for value in patch_values(wiring, dense(wiring, wide), np.ones((1, *IMAGE)))
    ]
    for at, step in enumerate(wiring.steps):
        sizes.append(shapes[at][-1])
        for source in step.sources:
            if step.op == "layer":
                ways = [(way[-2], way[-1]) for way in np.argwhere(wide[step.name])]
            elif step.op == "flatten":
                ways = [(unit % sizes[source], unit) for unit in range(sizes[at])]
            else:
                ways = [(unit, unit) for unit in range(sizes[at])]
                for unit in range(sizes[at]):
                    same[at, unit].add((source, unit))
                    same[source, unit].add((at, unit))
            for before, after in ways:
                forth[source, int(before)].add((at, int(after)))
    back = defaultdict(set)
    for one, others in forth.items():
        for other in others:
            back[other].add(one)
    last = len(sizes) - 1
    logits = {(last, unit) for unit in range(sizes[last])}
    reached, needed = walk({(0, unit) for unit in range(sizes[0])}, forth), walk(logits, back)
    stay = walk(reached & needed | logits, same)
    return {step.name: [unit for unit in range(sizes[at]) if (at, unit) in stay]
            for at, step in enumerate(wiring.steps) if step.name}  # fmt: skip


def walk(begin, ways):
    seen, todo = set(begin), list(begin)
    while todo:
        for unit in ways[todo.pop()] - seen:
            seen.add(unit)
            todo.append(unit)
    return seen


def dense(wiring, kernels):
    return Plain(
        {name: Layer(kernel * 1.0, np.zeros(kernel.shape[-1])) for name, kernel in kernels.items()}, {}
    )


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    densities=st.lists(st.sampled_from([0, 0.01, 0.05, 0.2, 1]), min_size=1, max_size=3),
)
def test_a_compacted_network_is_the_masked_one_and_as_small_as_can_be(tried, seed, densities):
    wiring, apply, params, collections = tried
    drawn, mask = sparse(params, seed, densities)
    drawn, collections = masks.apply(mask, drawn), sparse(collections, seed, [1])[0]
    images = np.random.default_rng(seed).normal(size=(3, *IMAGE)).astype(np.float32)
    logits = np.asarray(apply(drawn, collections, images))
    found = compaction.compact(wiring, folded.plain(wiring, drawn, collections), IMAGE)
    np.testing.assert_allclose(
        patch_values(wiring, found.network, images)[-1],
        logits,
        rtol=1e-4,
        atol=1e-4 * np.abs(logits).max(),
    )
    for name, units in brute_force(wiring, mask).items():
        assert list(found.units[name]) == units or (not units and len(found.units[name]) == 1), name
    again = compaction.compact(wiring, found.network, IMAGE)
    for name, layer in found.network.layers.items():
        np.testing.assert_array_equal(again.network.layers[name].kernel, layer.kernel)
        np.testing.assert_array_equal(again.network.layers[name].bias, layer.bias)
        assert layer.kernel.shape[-1] == len(found.units[name])
    assert again.network.kept.keys() == found.network.kept.keys()
    for axis, indices in found.network.kept.items():
        np.testing.assert_array_equal(again.network.kept[axis], indices)


def test_jax_runs_a_compacted_network_as_numpy_does_and_it_comes_back_from_its_tree(tried):
    wiring, _, params, collections = tried
    drawn, mask = sparse(params, 5, [0.05, 0.3])
    network = folded.plain(wiring, masks.apply(mask, drawn), sparse(collections, 5, [1])[0])
    found = compaction.compact(wiring, network, IMAGE).network
    images = jax.random.normal(named_key(1), (3, *IMAGE))
    again = folded.from_tree(folded.to_tree(found))
    logits = patch_values(wiring, found, np.asarray(images))[-1]
    for each in (found, again):
        jaxs = jax.jit(lambda network: folded.logits(wiring, network, images))(each)
        np.testing.assert_allclose(jaxs, logits, rtol=1e-4, atol=1e-4 * np.abs(logits).max())
    leaves = leaves_by_path(folded.to_tree(found))
    assert all(path.endswith(("/kernel", "/bias", "/kept")) for path in leaves)


def test_a_wiring_of_other_layers_is_told():
    wiring, network, _ = fully_connected(I2, I2)
    with pytest.raises(UserError, match="do not have the same layers: 'fc7'"):
        folded.plain(wiring, {**{name: layer._asdict() for name, layer in network.layers.items()},
                             "fc7": {"kernel": jnp.ones((2, 2))}}, {})  # fmt: skip
