"""Whole channels: which go, what goes with them, how many weights stay, and what is refused."""

import json
import math
from dataclasses import dataclass, field, replace
from itertools import pairwise

import flax.linen as nn
import jax
import numpy as np
import pandas as pd
import pytest

import ltjax
from ltjax import MODELS, STRUCTURES, TASKS, WIRINGS, Choice, Data, Prune, Rates, Wiring
from ltjax.cli.commands import export
from ltjax.core.errors import UserError
from ltjax.core.keys import named_key
from ltjax.core.safetensors import load_tensors
from ltjax.core.trees import leaves_by_path, nested
from ltjax.core.types import Lane
from ltjax.export.variants import make_forms
from ltjax.lottery.loop import find_tickets
from ltjax.models import kinds, make_network
from ltjax.models.axes import axes_of
from ltjax.runs import paths
from ltjax.sparsity import counts, masks
from ltjax.sparsity.channels import without
from ltjax.sparsity.structures import structure_of

from .conftest import TINY, finish, with_prune, with_train
from .test_command import answer
from .test_compaction import IMAGE, sparse
from .test_models import SMALL

CHANNELS = Choice("structure", "channels")
NORM = Choice("structure", "channels", {"by": "norm"})


def stack(*sizes):
    """Fully-connected layers behind a row of pixels, the last one the output; params of ones."""
    wiring, params = Wiring(), {}
    step = wiring.flatten(wiring.images)
    for at, (inputs, units) in enumerate(pairwise(sizes), start=1):
        name = "output" if at == len(sizes) - 1 else f"fc{at}"
        step = wiring.layer(name, step, relu=name != "output")
        params[name] = {"kernel": np.ones((inputs, units)), "bias": np.ones(units)}
    return wiring, params


def kinds_of(params):
    """Kinds by the names of layers."""
    return {path: "output" if path.startswith("output") else "fc" for path in masks.kernels(params)}


def pruned(wiring, params, scores, mask, prune):
    """The mask of a round, and the counts that it was made of."""
    structure = structure_of(prune.structure, lambda: axes_of(wiring, params))
    kept = counts.kept_of(prune, 1, kinds_of(params), mask, structure=structure)
    return structure(scores, mask, kept), kept


def test_a_unit_goes_with_its_weights_its_bias_and_what_reads_it():
    """Column sums of fc1 are 6, 3 and 5: unit 1 goes, whatever its bias, and row 1 of the output with it."""
    wiring, params = stack(2, 3, 2)
    scores = {"fc1": {"kernel": np.array([[6, 1, 4], [0, 2, 1]]), "bias": np.array([0, 9, 0])},
              "output": {"kernel": np.array([[0, 0], [9, 9], [0, 0]]), "bias": np.zeros(2)}}  # fmt: skip
    mask, kept = pruned(
        wiring, params, scores, masks.dense(params), Prune(structure=CHANNELS, rates=Rates(fc=0.3))
    )
    assert kept == {("fc1/kernel",): 4, ("output/kernel",): 4}
    assert jax.tree.map(lambda leaf: leaf.astype(int).tolist(), mask) == {
        "fc1": {"kernel": [[1, 0, 1], [1, 0, 1]], "bias": [1, 0, 1]},
        "output": {"kernel": [[1, 1], [0, 0], [1, 1]], "bias": [1, 1]},
    }


def test_of_equal_channels_the_first_goes_and_the_scores_of_pruned_weights_say_nothing():
    """Unit 0 was pruned; of 1, 2 and 3 the first goes. A pruned weight of 1 has a score of 9."""
    wiring, params = stack(1, 2, 4, 2)
    mask = masks.dense(params)
    for name, at in (("fc1", (slice(None), 0)), ("fc2", 0), ("fc2", (slice(None), 0)), ("output", 0)):
        mask[name]["kernel"][at] = False
    mask["fc1"]["bias"][0] = mask["fc2"]["bias"][0] = False
    scores = jax.tree.map(np.ones_like, params)
    scores["fc2"]["kernel"][0] = [0, 9, 0, 0]
    found, _ = pruned(wiring, params, scores, mask, Prune(structure=CHANNELS, rates=Rates(fc=0.4)))
    assert found["fc2"]["kernel"].tolist() == [4 * [False], [False, False, True, True]]
    assert found["fc2"]["bias"].tolist() == [False, False, True, True]
    assert found["fc1"]["bias"].tolist() == [False, True]  # the last one stays


LENET = {
    "fc1/kernel": [784 * 300, 784 * 240, 784 * 192, 784 * 154],
    "fc2/kernel": [300 * 100, 240 * 80, 192 * 64, 154 * 51],
    "output/kernel": [100 * 10, 80 * 10, 64 * 10, 51 * 10],
}
"""By hand: 300 units lose 60, 48 and 38 (of 38.4), 100 lose 20, 16 and 13 (of 12.8)."""


def test_counts_are_known_from_sizes_alone():
    wiring, params = stack(784, 300, 100, 10)
    structure = structure_of(CHANNELS, lambda: axes_of(wiring, params))
    prune = Prune(rounds=3, structure=CHANNELS)
    found = counts.surviving_by_group(params, prune, kinds_of(params), structure)
    assert {path: [each[path,] for each in found] for path in LENET} == LENET
    assert counts.surviving(params, prune, kinds_of(params), structure) == [
        sum(each) for each in zip(*LENET.values(), strict=True)
    ]


@pytest.mark.parametrize(("units", "rate", "left"), [
    (5, 0.5, 3), (7, 0.5, 3), (3, 0.5, 1), (2, 0.9, 1), (1, 0.9, 1), (4, 0.1, 4), (10, 0.99, 1),
])  # fmt: skip
def test_half_a_channel_is_rounded_to_even_and_one_always_stays(units, rate, left):
    """2.5 are 2, 3.5 are 4, 1.5 are 2; 1.8 would be 2 of 2."""
    wiring, params = stack(3, units, 2)
    structure = structure_of(CHANNELS, lambda: axes_of(wiring, params))
    prune = Prune(rounds=1, rates=Rates(fc=rate), structure=CHANNELS)
    assert counts.surviving(params, prune, kinds_of(params), structure)[1] == left * (3 + 2)


BLOCKS = [f"stage{stage}_block{block}" for stage in (1, 2, 3) for block in (1, 2, 3)]

AXES = {
    "lenet": [(["fc1"], ["output"])],
    "conv2": [(["conv1"], ["conv2"]), (["conv2"], ["fc1"]), (["fc1"], ["output"])],
    "resnet18": [
        (["conv1", *(f"{block}/conv2" for block in BLOCKS[:3])],
         [*(f"{block}/conv1" for block in BLOCKS[:4]), "stage2_block1/shortcut"]),
        *(([f"{block}/conv1"], [f"{block}/conv2"]) for block in BLOCKS),
    ],
}  # fmt: skip
"""By hand: layers whose outputs are pruned together, and those that read them; shortcuts have no rate."""

RATE = 0.3
NUMPY = [(name, "kernel") for name in AXES] + [("resnet18", "norm")]


def by_hand(name, by, scores, mask):
    """The next mask, computed for itself: plain loops over leaves by path."""
    found = {path: np.array(leaf) for path, leaf in mask.items()}
    for writers, readers in AXES[name]:
        kernels = [f"{layer}/kernel" for layer in writers]
        size = mask[kernels[0]].shape[-1]
        alive = [channel for channel in range(size) if mask[kernels[0]][..., channel].any()]
        rank = {
            channel: math.fsum(
                (scores[f"{layer}_norm/scale"][channel] for layer in writers) if by == "norm" else
                (score for kernel in kernels
                 for score in scores[kernel][..., channel][mask[kernel][..., channel]].ravel().tolist())
            )
            for channel in alive
        }  # fmt: skip
        for channel in sorted(alive, key=rank.__getitem__)[: min(round(RATE * len(alive)), len(alive) - 1)]:
            for layer in writers:
                for path in (f"{layer}/kernel", f"{layer}/bias", f"{layer}_norm/scale", f"{layer}_norm/bias"):
                    if path in found:
                        found[path][..., channel] = False
            for layer in readers:
                inputs = np.arange(mask[f"{layer}/kernel"].shape[-2])
                found[f"{layer}/kernel"][..., inputs % size == channel, :] = False
    return found


@pytest.fixture(scope="module")
def network_of():
    """Networks, shapes of their params and statistics, and kinds, by name; each is traced once."""
    made = {}

    def get(name):
        if name not in made:
            network = make_network(SMALL[name], IMAGE, 10)
            shapes = jax.eval_shape(network.init, jax.eval_shape(lambda: named_key(0)))
            counted = {path: kind for path, kind in kinds(network, IMAGE).items() if kind}
            made[name] = network, *shapes, counted, WIRINGS[name](SMALL[name])
        return made[name]

    return get


def rounds_of(network_of, name, by, rounds=3):
    """Params, statistics, settings, structure, and the masks of each round with its scores by path."""
    _, params, _, counted, wiring = network_of(name)
    prune = Prune(rounds=rounds, structure=Choice("structure", "channels", {"by": by}),
                  rates=Rates(conv=RATE, fc=RATE))  # fmt: skip
    structure = structure_of(prune.structure, lambda: axes_of(wiring, params))
    found = [(masks.dense(params), {})]
    for round in range(1, rounds + 1):
        mask, _ = found[-1]
        scores = jax.tree.map(np.abs, sparse(params, round, [1])[0])
        kept = counts.kept_of(prune, round, counted, mask, structure=structure)
        found.append((structure(scores, mask, kept), leaves_by_path(scores)))
    return prune, structure, found


@pytest.mark.parametrize(("name", "by"), NUMPY)
def test_every_rounds_mask_is_what_numpy_finds_and_its_counts_were_known_before(network_of, name, by):
    _, params, _, counted, _ = network_of(name)
    prune, structure, found = rounds_of(network_of, name, by)
    known = counts.surviving_by_group(params, prune, counted, structure)
    for at, ((before, _), (after, scores)) in enumerate(pairwise(found), start=1):
        old, new = leaves_by_path(before), leaves_by_path(after)
        expected = by_hand(name, by, scores, old)
        for path, leaf in new.items():
            np.testing.assert_array_equal(leaf, expected[path], err_msg=path)
            assert not (leaf & ~old[path]).any()
        assert {path: int(new[path].sum()) for path in counted} == {
            path: known[at][path,] for path in counted
        }
        assert sum(int(leaf.sum()) for leaf in new.values()) < sum(int(leaf.sum()) for leaf in old.values())


@pytest.mark.parametrize("name", AXES)
def test_the_exported_network_has_the_kept_channels_alone(network_of, name):
    """The forms' logits are compared with the network's own: BatchNorm of a channel that went gives 0."""
    _, params, collections, _, _ = network_of(name)
    *_, found = rounds_of(network_of, name, "kernel", 2)
    mask, _ = found[-1]
    weights, statistics = sparse(params, 5, [1])[0], sparse(collections, 6, [1])[0]
    weights = jax.tree.map(np.asarray, masks.apply(mask, weights))
    forms = make_forms(SMALL[name], IMAGE, 10, weights, statistics)
    kept = leaves_by_path(mask)
    for layer, left in forms.compacted.units.items():
        if layer not in ("images", "flat"):
            own = kept[f"{layer}/kernel"]
            alive = np.flatnonzero(np.any(own, axis=tuple(range(own.ndim - 1))))
            np.testing.assert_array_equal(left, alive, err_msg=layer)
            inputs = np.any(own, axis=(*range(own.ndim - 2), own.ndim - 1)).sum()
            assert forms.compacted.network.layers[layer].kernel.shape[-2:] == (inputs, len(alive))


def test_a_residual_stream_is_pruned_where_all_that_write_it_have_one_rate(network_of):
    _, params, _, counted, wiring = network_of("resnet18")
    structure = structure_of(CHANNELS, lambda: axes_of(wiring, params))
    stream = "stage3_block1/shortcut/kernel"  # 4 channels to 8

    def left(*paths, **rates):
        prune = Prune(rounds=1, structure=CHANNELS, rates=Rates(conv=0.25, **rates), rate_by_path=paths)
        return counts.surviving_by_group(params, prune, counted, structure)[1]

    assert left()[stream,] == 4 * 8 and left()["output/kernel",] == 8 * 10
    whole = left("*/shortcut/*=0.25")
    assert whole[stream,] == 3 * 6 and whole["output/kernel",] == 6 * 10
    with pytest.raises(
        UserError, match=r"stage2_block1/shortcut/kernel write the same .*, not 0\.25 and 0\.5"
    ):
        left(shortcut=0.5)


def joining():
    """Two convolutions whose sum is flattened, beside a layer of as many units, and the sum of both."""
    wiring = Wiring()
    one = wiring.layer("conv1", wiring.images)
    flat = wiring.flatten(wiring.add(one, wiring.layer("conv2", one)))
    units = wiring.layer("fc1", flat)
    return wiring, flat, units


def shapes(**kernels):
    return {name: {"kernel": np.zeros(shape)} for name, shape in kernels.items()}


CONVS = {"conv1": (3, 3, 1, 2), "conv2": (3, 3, 2, 2)}


def test_what_is_added_to_a_flattened_axis_keeps_it_whole_and_what_was_flattened():
    """Else an entry of the sum would have a part that is 0 and one that is not."""
    wiring, flat, units = joining()
    wiring.layer("output", units)
    params = shapes(**CONVS, fc1=(8, 8), output=(8, 3))
    assert [axis.size for axis in axes_of(wiring, params)] == [2, 8]
    wiring, flat, units = joining()
    wiring.layer("output", wiring.add(flat, units))
    assert axes_of(wiring, params) == ()


def test_the_images_channels_and_what_the_network_answers_with_are_never_pruned():
    wiring = Wiring()
    wiring.flatten(wiring.layer("conv2", wiring.add(wiring.layer("conv1", wiring.images), wiring.images)))
    assert axes_of(wiring, shapes(conv1=(3, 3, 3, 3), conv2=(3, 3, 3, 2))) == ()


def twice():
    wiring = Wiring()
    wiring.layer("fc1", wiring.layer("fc1", wiring.flatten(wiring.images)))
    return wiring


def ahead():
    wiring = Wiring()
    wiring.layer("output", 1)
    return wiring


def convolved():
    wiring = Wiring()
    wiring.layer("output", wiring.flatten(wiring.layer("conv1", wiring.images)))
    return wiring


WRONG = {
    "twice": (twice(), shapes(fc1=(2, 2)), "a layer twice, 'fc1'"),
    "a step that comes later": (ahead(), shapes(output=(2, 2)), r"reads steps \[1\]"),
    "a layer of the wiring's alone": (stack(2, 3, 2)[0], shapes(fc1=(2, 3)), "'output/kernel' .* the wiring"),
    "a layer of the network's alone": (
        stack(2, 2)[0], shapes(output=(2, 2), more=(2, 2)), "'more/kernel' .* the network alone",
    ),
    "another number of inputs": (
        stack(2, 3, 2)[0], shapes(fc1=(2, 3), output=(6, 2)), r"\[6, 2\] cannot go with the 3 channels",
    ),
    "inputs that are no whole number of flattened channels": (
        convolved(), shapes(conv1=(3, 3, 1, 3), output=(8, 2)), r"\[8, 2\] cannot go with the 3 channels",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("wiring", "params", "word"), WRONG.values(), ids=WRONG)
def test_a_wiring_that_cannot_be_the_networks_is_told(wiring, params, word):
    with pytest.raises(UserError, match=word):
        axes_of(wiring, params)


REFUSED = {
    "nothing before the output": ((3, 2), Prune(structure=CHANNELS), None, "nothing to prune"),
    "no rate before the output": (
        (3, 4, 2), Prune(structure=CHANNELS, rates=Rates(fc=None)), None, "nothing to prune",
    ),
    "no BatchNorm": ((3, 4, 2), Prune(structure=NORM), None, "structure.by norm .* behind fc1/kernel"),
    "single weights are gone": ((3, 4, 2), Prune(structure=CHANNELS), 1, "a mask of whole channels"),
    "densities": (
        (3, 4, 2), Prune(structure=CHANNELS, schedule=Choice("schedule", "at_init", {"densities": (0.5,)})),
        None, "goes by rates",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("sizes", "prune", "gone", "word"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_is_told_in_a_sentence(sizes, prune, gone, word):
    wiring, params = stack(*sizes)
    mask = masks.dense(params)
    if gone is not None:
        mask["fc1"]["kernel"][0, :gone] = False
    with pytest.raises(UserError, match=word):
        pruned(wiring, params, params, mask, prune)


def test_a_shuffled_mask_has_as_many_channels_on_every_axis_whole_ones_too(network_of):
    _, structure, found = rounds_of(network_of, "resnet18", "kernel", 1)
    mask, _ = found[-1]
    drawn = [structure.shuffle(named_key(at), mask) for at in range(5)]
    assert len({json.dumps(jax.tree.map(np.ndarray.tolist, each)) for each in (mask, *drawn)}) > 3
    for each in drawn:
        leaves, like = leaves_by_path(each), leaves_by_path(mask)
        assert {path: int(leaf.sum()) for path, leaf in leaves.items()} == {
            path: int(leaf.sum()) for path, leaf in like.items()
        }
        for writers, _ in AXES["resnet18"]:
            kernels = [leaves[f"{layer}/kernel"].any(axis=(0, 1, 2)) for layer in writers]
            norms = [leaves[f"{layer}_norm/{leaf}"] for layer in writers for leaf in ("scale", "bias")]
            for alive in (*kernels, *norms):
                np.testing.assert_array_equal(alive, kernels[0])


RUN = replace(
    with_train(with_prune(TINY, structure=CHANNELS, rates=Rates(fc=0.4)), steps=6, evaluate_every=3),
    arms={"ticket": 1, "random": 1, "shuffle": 1, "invert": 1},
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """LeNet of 16 and 12 units on digits, pruned to 10 and 7, and to 6 and 4."""
    return finish(RUN, tmp_path_factory.mktemp("channels") / "run")


def test_a_run_trains_what_is_left_and_its_table_has_the_counts(whole):
    summary = pd.read_csv(paths.summary(whole.folder))
    weights = {at: 64 * one + one * other + other * 10 for at, (one, other) in
               enumerate([(16, 12), (10, 7), (6, 4)])}  # fmt: skip
    assert summary.groupby("round")["weights_remaining"].agg(set).to_dict() == {
        at: {number} for at, number in weights.items()
    }
    for at in (1, 2):
        for arm in RUN.arms:
            mask, trained, _ = whole.outcome(at, Lane(arm, 1))
            units = mask["fc1"]["bias"], mask["fc2"]["bias"]
            assert tuple(int(each.sum()) for each in units) == ((10, 7), (6, 4))[at - 1]
            np.testing.assert_array_equal(mask["fc2"]["kernel"], units[0][:, None] & units[1])
            np.testing.assert_array_equal(mask["output"]["kernel"], units[1][:, None] & np.ones(10, bool))
            for path, leaf in leaves_by_path(mask).items():
                moved = leaves_by_path(trained)[path] != 0  # but for the bias of a unit that is always off
                assert not (moved & ~leaf).any() and (path.endswith("bias") or moved[leaf].all()), path


def test_a_round_keeps_the_units_of_the_largest_weights_that_training_left(whole):
    before, after = (whole.outcome(at, Lane("ticket", 0)) for at in (0, 1))
    sums = np.abs(before.trained["fc1"]["kernel"].astype(np.float64)).sum(axis=0)
    assert set(np.flatnonzero(after.mask["fc1"]["bias"])) == set(np.argsort(sums)[6:])
    inverted = whole.outcome(1, Lane("invert", 0)).mask["fc1"]["bias"]
    assert set(np.flatnonzero(inverted)) == set(np.argsort(sums)[:10])


def test_a_run_that_is_given_another_round_has_the_same_table(whole, tmp_path):
    finish(with_prune(RUN, rounds=1), tmp_path / "run")
    run = finish(RUN, tmp_path / "run")
    assert paths.summary(run.folder).read_bytes() == paths.summary(whole.folder).read_bytes()


@dataclass(frozen=True)
class First:
    """A structure of a user's that goes by the wiring: the first unit of each axis that is left goes."""

    axes: tuple = field(default=(), init=False)

    def along(self, axes):
        found = type(self)()
        object.__setattr__(found, "axes", axes)
        return found

    def counts(self, layers, round):
        one, other = (axis.size - round for axis in self.axes)
        return {"fc1/kernel": 64 * one, "fc2/kernel": one * other, "output/kernel": other * 10}

    def __call__(self, scores, mask, kept):
        gone = self.axes[0].size - kept["fc1/kernel",] // 64
        return without(mask, self.axes, [np.arange(axis.size) >= gone for axis in self.axes])

    def shuffle(self, key, mask):
        return without(masks.dense(mask), self.axes, [np.arange(axis.size) > 0 for axis in self.axes])


def test_a_structure_of_ones_own_is_given_the_axes_and_says_how_its_masks_are_shuffled(monkeypatch):
    monkeypatch.setitem(STRUCTURES, "first", First)
    *_, last = find_tickets(with_prune(RUN, structure=Choice("structure", "first")))
    for arm, gone in (("ticket", [0, 1]), ("invert", [0, 1]), ("shuffle", [0]), ("random", [0])):
        mask = last.mask(Lane(arm, 0))
        assert np.flatnonzero(~mask["fc1"]["bias"]).tolist() == gone
        assert np.flatnonzero(~mask["output"]["kernel"].any(axis=1)).tolist() == gone


def test_what_a_users_shuffle_gives_is_checked_before_anything_is_trained(monkeypatch):
    monkeypatch.setattr(First, "shuffle", lambda self, key, mask: {"fc1": mask["fc1"]})
    monkeypatch.setitem(STRUCTURES, "first", First)
    with pytest.raises(UserError, match="the structure 'first', shuffled, .* lacks 'fc2/"):
        next(find_tickets(with_prune(RUN, structure=Choice("structure", "first"))))


@pytest.fixture
def taken_back():
    """Tasks of one's own are."""
    before = set(TASKS)
    yield
    for name in set(TASKS) - before:
        TASKS.pop(name)


def own_task(**other):
    images = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
    return ltjax.classification(
        nn.Sequential([nn.Dense(6), nn.relu, nn.Dense(3)]),
        (images[:30], np.arange(30) % 3, images[30:], np.arange(10) % 3), **other,
    )  # fmt: skip


def in_a_row(*names):
    wiring = Wiring()
    step = wiring.images
    for name in names:
        step = wiring.layer(name, step, relu=True)
    return wiring


def test_a_task_of_ones_own_is_pruned_by_the_wiring_that_it_is_given(taken_back):
    prune = with_prune(RUN, structure=CHANNELS, rounds=1)
    experiment = replace(
        with_train(prune, batch=10), data=Data(validation=5), trials=1, arms={"ticket": 1}, task=own_task()
    )
    with pytest.raises(UserError, match="this network has none"):
        next(find_tickets(experiment))
    with pytest.raises(UserError, match="'layers_1/kernel' is a param of the wiring alone"):
        own_task(wiring=in_a_row("layers_0", "layers_1"))
    task = own_task(wiring=in_a_row("layers_0", "layers_2"))
    *_, last = find_tickets(replace(experiment, task=task))
    assert {path: int(leaf.sum()) for path, leaf in leaves_by_path(last.mask(Lane("ticket", 0))).items()} == {
        "layers_0/bias": 4, "layers_0/kernel": 16, "layers_2/bias": 3, "layers_2/kernel": 12,
    }  # fmt: skip


def test_a_lane_is_exported_as_the_small_network(whole, tmp_path):
    export.main(f"{whole.folder} --round 2 --to {tmp_path} --no-measure --quiet".split())
    units = load_tensors(tmp_path / "units.safetensors")
    mask = whole.mask(2, Lane("ticket", 0))
    for name in ("fc1", "fc2"):
        np.testing.assert_array_equal(units[name], np.flatnonzero(mask[name]["bias"]))
    compacted = nested(load_tensors(tmp_path / "compacted.safetensors"))
    layers = leaves_by_path(compacted)
    assert [layers[f"{name}/kernel"].shape for name in ("fc1", "fc2", "output")] == [
        (64, 6), (6, 4), (4, 10),
    ]  # fmt: skip


OWN = '''
"""A network of one's own."""
import flax.linen as nn
import ltjax

def around(units):
    return nn.relu(units) + units.sum(axis=1, keepdims=True)

class Own(nn.Module):
    classes: int

    @nn.compact
    def __call__(self, images, train=False):
        units = ACT(nn.Dense(6, name="fc1")(images.reshape(len(images), -1)))
        return nn.Dense(self.classes, name="output")(units)

@ltjax.MODELS.register("channels_own")
def own(model, classes):
    """One hidden layer."""
    return Own(classes)

WIRED
experiment = ltjax.Experiment(
    name="own", trials=1, model=ltjax.Model(name="channels_own"),
    train=ltjax.Train(steps=2, evaluate_every=2),
    prune=ltjax.Prune(rounds=1, structure="channels", rates=ltjax.Rates(fc=0.5)))
'''

WIRED = """
@ltjax.WIRINGS.register("channels_own")
def wiring(model):
    found = ltjax.Wiring()
    found.layer("output", found.layer("fc1", found.flatten(found.images), relu=True))
    return found
"""

FILES = {
    "no wiring": ("nn.relu", "", "has none"),
    "0 is not left 0": ("nn.sigmoid", WIRED, "makes 0 of 0"),
    "a way around a layer that it does not tell": ("around", WIRED, "the wiring is not the network's"),
    "an error in it": (
        "nn.relu",
        WIRED.replace("return ", "return no"),
        "the wiring 'channels_own' raised NameError",
    ),
}


@pytest.fixture
def file(tmp_path):
    def write(act, wired):
        path = tmp_path / "own.py"
        path.write_text(OWN.replace("ACT", act).replace("WIRED", wired))
        return str(path)

    yield write
    for registry in (MODELS, WIRINGS):
        registry.pop("channels_own", None)


@pytest.mark.parametrize(("act", "wired", "word"), FILES.values(), ids=FILES)
def test_a_network_whose_wiring_is_not_known_is_refused_before_anything_is_trained(
    file, act, wired, word, tmp_path, capsys
):
    folder = str(tmp_path / "run")
    status, out, error = answer(capsys, "run", "--config", file(act, wired), "--workdir", folder)
    assert status == 2 and not out and error.count("\n") == 1 and word in error
    assert not (tmp_path / "run").exists()


def test_with_its_wiring_a_network_of_ones_own_is_planned_and_pruned(file, tmp_path, capsys):
    path = file("nn.relu", WIRED)
    status, out, _ = answer(capsys, "run", "--config", path, "--dry-run")
    assert status == 0 and "384 192" in out and "60 30" in out
    status, _, error = answer(capsys, "run", "--config", path, "--workdir", str(tmp_path / "run"), "--quiet")
    assert status == 0, error
    assert set(pd.read_csv(tmp_path / "run" / "summary.csv")["weights_remaining"]) == {444, 222}
