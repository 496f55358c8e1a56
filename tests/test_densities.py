"""How many weights each layer keeps: hand-computed tables, and properties over random layers."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from ltjax.core.choices import Choice
from ltjax.core.errors import UserError
from ltjax.settings.schema import Prune, Rates
from ltjax.sparsity import counts
from ltjax.sparsity.densities import DENSITIES, Layer, SmartRatio, spread
from ltjax.sparsity.schedules import AtInit
from ltjax.sparsity.structures import NofM

LENET = {"fc1": Layer((784, 300), 235_200, 0.2), "fc2": Layer((300, 100), 30_000, 0.2),
         "output": Layer((100, 10), 1_000, 0.1, "output")}  # fmt: skip
CONV = {"conv": Layer((3, 3, 4, 8), 288, 0.1), "fc": Layer((8, 10), 80, 0.2)}


@pytest.mark.parametrize(
    ("name", "layers", "kept", "expected"),
    [
        ("uniform", LENET, 26_620, [23_520, 3_000, 100]),
        ("balanced", LENET, 26_620, [12_810, 12_810, 1_000]),  # the output is full, the others share the rest
        ("balanced", LENET, 300, [100, 100, 100]),
        # 1084, 400 and 110 of 1594; none is full
        ("erk", LENET, 1594, [1084, 400, 110]),
        # the output is full: 25,620 by 1084 to 400
        ("erk", LENET, 26_620, [18_714, 6_906, 1_000]),
        ("erk", CONV, 36, [18, 18]),  # 3 + 3 + 4 + 8 and 8 + 10
        # what goes is by rate and size: 47,040 to 6,000 to 100 of 53,140
        ("rates", LENET, 266_200 - 53_140, [188_160, 24_000, 900]),
        ("rates", LENET, 266_200 - 5_314, [230_496, 29_400, 990]),
        ("uniform", CONV, 0, [0, 0]),
        ("erk", CONV, 368, [288, 80]),
    ],
)
def test_tables(name, layers, kept, expected):
    found = DENSITIES[name](layers, kept)
    assert list(found) == list(layers) and list(found.values()) == expected
    assert all(isinstance(number, int) for number in found.values())


def test_erk_within_one_weight_of_the_exact_share_in_every_layer():
    """Of layers that are not full: epsilon times the sum of dimensions, for one epsilon."""
    found = DENSITIES["erk"](LENET, 26_620)
    epsilon = (26_620 - 1_000) / (784 + 300 + 300 + 100)
    for path, dimensions in (("fc1", 1084), ("fc2", 400)):
        assert abs(found[path] - epsilon * dimensions) <= 1


layers = st.lists(
    st.tuples(st.integers(1, 30), st.integers(1, 30), st.floats(0.05, 0.95)), min_size=1, max_size=5
).map(lambda rows: {f"{at}": Layer((a, b), a * b, rate) for at, (a, b, rate) in enumerate(rows)})


NAMED = {"fc1": Layer((8, 10), 80, 0.2), "output": Layer((10, 4), 40, 0.2, "output"),
         "stage1_conv10": Layer((1, 1, 4, 5), 20, 0.2, "conv"),
         "stage1_conv2": Layer((1, 1, 2, 10), 20, 0.2, "conv")}  # fmt: skip
"""In the order of params, where the second convolution is the first one of the network."""


@pytest.mark.parametrize(
    ("densities", "layers", "kept", "expected"),
    [
        # 12 x 235,200 to 6 x 30,000 of 26,320; the output keeps 300 of its 1,000
        (SmartRatio(), LENET, 26_620, [24_742, 1_578, 300]),
        # 12 x 235,200 to 6 / 4 x 30,000
        (SmartRatio(steep=True), LENET, 26_620, [25_907, 413, 300]),
        # 94% of 259,700 are more than fc1 has
        (SmartRatio(), LENET, 260_000, [235_200, 24_500, 300]),
        (SmartRatio(), LENET, 266_000, [235_200, 30_000, 800]),
        (SmartRatio(output=0.5), LENET, 26_820, [24_742, 1_578, 500]),
        # 20 x 20 to 12 x 20 to 6 x 80 of 56
        (SmartRatio(), NAMED, 68, [24, 12, 12, 20]),
        # where the output is not pruned, it is none of the layers: 6 x 235,200 to 2 x 30,000
        (SmartRatio(), {path: LENET[path] for path in ("fc1", "fc2")}, 24_520, [23_520, 1_000]),
    ],
)
def test_smart_ratios(densities, layers, kept, expected):
    found = densities(layers, kept)
    assert list(found) == list(layers) and list(found.values()) == expected


def test_fewer_weights_than_the_output_is_to_keep_are_told():
    assert SmartRatio()(LENET, 300) == {"fc1": 0, "fc2": 0, "output": 300}
    with pytest.raises(UserError, match="leaves 300 weights in output, and 299 are to stay in all; choose a"):
        SmartRatio()(LENET, 299)


@given(layers=layers, share=st.floats(0, 1), name=st.sampled_from(sorted(DENSITIES)))
@settings(max_examples=200)
def test_counts_are_whole_numbers_that_make_the_total_and_fit_their_layers(layers, share, name):
    total = sum(layer.alive for layer in layers.values())
    kept = round(share * total)
    found = Choice("densities", name).make()(layers, kept)
    assert sum(found.values()) == kept
    assert all(0 <= found[path] <= layer.alive for path, layer in layers.items())


@given(layers=layers, share=st.floats(0.01, 1), name=st.sampled_from(["uniform", "erk", "balanced"]))
@settings(max_examples=100)
def test_fewer_weights_in_all_are_fewer_in_each_layer_but_for_rounding(layers, share, name):
    total = sum(layer.alive for layer in layers.values())
    kept = round(share * total)
    more, fewer = (DENSITIES[name](layers, number) for number in (kept, kept // 2))
    assert all(fewer[path] <= more[path] + 1 for path in layers)


def test_shares_beyond_a_layer_are_handed_on_more_than_once():
    assert spread({"a": 8, "b": 4, "c": 1}, {"a": 2, "b": 3, "c": 99}, 15) == {"a": 2, "b": 3, "c": 10}


SHAPES = {"fc1": {"kernel": np.zeros((8, 6))}, "fc2": {"kernel": np.zeros((6, 4))}}
KINDS = {"fc1/kernel": "fc", "fc2/kernel": "fc"}


def groups(**settings):
    return counts.surviving_by_group(SHAPES, Prune(rates=Rates(fc=0.5), **settings), KINDS)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        # 72 weights; the rates leave 36 and 18 of them
        ({"rounds": 2}, [[48, 24], [24, 12], [12, 6]]),
        ({"rounds": 2, "densities": "uniform"}, [[48, 24], [24, 12], [12, 6]]),
        ({"rounds": 2, "densities": "balanced"}, [[48, 24], [18, 18], [9, 9]]),
        # 14 and 10 of 24; of 10.5 and 7.5 the first is rounded up
        ({"rounds": 2, "densities": "erk"}, [[48, 24], [21, 15], [11, 7]]),
        ({"rounds": 2, "schedule": AtInit((0.5, 0.125))}, [[48, 24], [24, 12], [6, 3]]),
        ({"rounds": 2, "schedule": AtInit((0.5, 0.125)), "densities": "balanced"},
         [[48, 24], [18, 18], [5, 4]]),
        ({"rounds": 2, "structure": NofM((3, 1), 4)}, None),  # 6 inputs are no groups of 4
        ({"rounds": 2, "structure": NofM((1,), 2)}, None),  # a second round needs a second n
        ({"rounds": 2, "structure": NofM((1, 1), 2)}, None),  # and a smaller one
        ({"rounds": 1, "structure": NofM((1,), 2)}, [[48, 24], [24, 12]]),
    ],
)  # fmt: skip
def test_what_rounds_keep_of_each_layer_is_known_from_sizes(settings, expected):
    if expected is None:
        with pytest.raises(UserError, match=r"prune\.structure"):
            groups(**settings)
        return
    found = groups(**settings)
    assert [list(each.values()) for each in found] == expected


def test_layers_that_are_ranked_together_have_one_number():
    found = groups(rounds=2, structure="global", schedule=AtInit((0.5, 0.1)))
    assert [list(each.items()) for each in found] == [
        [(("fc1/kernel", "fc2/kernel"), kept)] for kept in (72, 36, 7)
    ]


@pytest.mark.parametrize("density", [0.01, 0.99])
def test_a_density_that_cannot_be_met_is_told(density):
    """The second layer is left whole: 24 weights of 72 stay, and 48 can go or stay."""
    prune = Prune(rounds=1, rates=Rates(fc=0.5, output=None), schedule=AtInit((density,)))
    kinds = {"fc1/kernel": "fc", "fc2/kernel": "output"}
    if density == 0.99:
        assert list(counts.surviving_by_group(SHAPES, prune, kinds)[1].values()) == [47, 24]
        return
    with pytest.raises(
        UserError, match=r"density of 0\.01 cannot be met: it is 1 of 72 weights, of which 24 are"
    ):
        counts.surviving(SHAPES, prune, kinds)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "must give a number for each layer"),
        ({"a": 3, "b": 2.5}, "must keep a whole number from 0 to 6 of b, not 2.5"),
        ({"a": 3, "b": 7}, "must keep a whole number from 0 to 6 of b, not 7"),
        ({"a": 3, "b": 1}, "keep 4 weights in all, where 5 are asked for"),
    ],
)
def test_densities_of_a_users_own_are_checked(given, told):
    DENSITIES.enter("mine", lambda layers, kept: given, None, replace=True)
    shapes = {"a": np.zeros((2, 2)), "b": np.zeros((3, 2))}
    prune = Prune(rounds=1, rates=Rates(fc=0.5), densities="mine")
    with pytest.raises(UserError, match=told):
        counts.surviving(shapes, prune, dict.fromkeys(shapes, "fc"))
    DENSITIES.pop("mine")


@given(
    seed=st.integers(0, 1000), shape=st.sampled_from([(8, 3), (3, 3, 4, 2), (4,), (12, 5)]),
    pattern=st.sampled_from([(2, 4), (1, 2), (3, 4), (1, 4)]),
)  # fmt: skip
@settings(max_examples=60)
def test_n_of_every_m_inputs_with_the_highest_scores_stay(seed, shape, pattern):
    n, m = pattern
    scores = np.random.default_rng(seed).integers(0, 4, shape).astype(np.float32)  # ties are common
    structure = NofM((n,), m)
    kept = structure.counts({"kernel": Layer(shape, scores.size, 0.2)}, 1)
    mask = structure({"kernel": scores}, {"kernel": np.ones(shape, bool)}, {("kernel",): kept["kernel"]})[
        "kernel"
    ]
    axis = max(len(shape) - 2, 0)
    columns = np.moveaxis(scores, axis, -1).reshape(-1, m)
    expected = np.zeros(columns.shape, bool)
    for row, column in enumerate(columns):  # by hand: drop the lowest one by one, the first of equal ones
        alive = list(range(m))
        for _ in range(m - n):
            alive.remove(min(alive, key=lambda at: (column[at], at)))
        expected[row, alive] = True
    np.testing.assert_array_equal(np.moveaxis(mask, axis, -1).reshape(-1, m), expected)
    assert mask.sum() == kept["kernel"]


def test_a_later_round_of_a_pattern_keeps_of_what_was_left():
    structure, scores = NofM((3, 1), 4), np.random.default_rng(0).random((8, 5))
    mask = np.ones((8, 5), bool)
    for round in (1, 2):
        kept = structure.counts({"k": Layer((8, 5), int(mask.sum()), 0.2)}, round)["k"]
        after = structure({"k": scores}, {"k": mask}, {("k",): kept})["k"]
        assert not (after & ~mask).any() and after.sum() == kept
        mask, scores = after, -scores  # what was kept ranks lowest now, and what is gone stays gone
