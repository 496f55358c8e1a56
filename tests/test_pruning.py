"""Pruning: hand-computed tables, ties included, and properties over random layers."""

import chex
import hypothesis.extra.numpy as arrays
import hypothesis.strategies as st
import jax
import numpy as np
import pytest
from hypothesis import given, settings

from ltjax.core.errors import UserError
from ltjax.core.trees import leaves_by_path
from ltjax.models import make_network
from ltjax.settings.loading import load_experiment
from ltjax.settings.schema import Model, Prune, Rates
from ltjax.sparsity import counts, masks, selection
from ltjax.sparsity.schedules import OneShot

from .conftest import by_name

T, F = True, False

LENET = [
    266200, 213060, 170538, 136511, 109282, 87490, 70051, 56094, 44923, 35981, 28823, 23093, 18506,
    14834, 11893, 9537, 7650, 6139, 4928,
]  # fmt: skip


def prune(scores, mask, rates, structure="layer"):
    """One round at these rates by path, as a run prunes."""
    own = tuple(f"{path}={rate}" for path, rate in rates.items())
    asked = Prune(rounds=1, rates=Rates(*[None] * 7), rate_by_path=own, structure=structure)
    kinds = dict.fromkeys(rates, "fc")
    return asked.structure.make()(scores, mask, counts.kept_of(asked, 1, kinds, mask))


def lenet_params(widths=(300, 100), image=(28, 28, 1)):
    network = make_network(Model(widths=widths), image, 10)
    return network.init(jax.random.key(0))[0]


@pytest.mark.parametrize(
    ("scores", "alive", "number", "expected"),
    [
        ([3, 1, 2], [T, T, T], 1, [T, F, T]),
        ([3, 1, 2], [T, T, T], 2, [T, F, F]),
        ([3, 1, 2], [T, F, T], 1, [T, F, F]),  # the dead one is not chosen again
        ([1, 1, 1, 1], [T, T, T, T], 2, [F, F, T, T]),  # ties: first index first
        ([0, 0, 0, 5], [F, T, T, T], 1, [F, F, T, T]),
        ([-1, 0, 1], [T, T, T], 1, [F, T, T]),  # a score may be negative
        ([np.nan, 1, 2], [T, T, T], 1, [T, F, T]),  # not-a-number ranks highest
        ([np.inf, -np.inf, 0], [T, T, T], 1, [T, F, T]),
        ([3, 1, 2], [T, T, T], 0, [T, T, T]),
        ([3, 1, 2], [T, T, T], 3, [F, F, F]),
        ([[4, 3], [2, 1]], [[T, T], [T, T]], 2, [[T, T], [F, F]]),
    ],
)
def test_drop_lowest(scores, alive, number, expected):
    before = np.array(alive)
    dropped = selection.drop_lowest(np.array(scores, np.float32), before, number)
    np.testing.assert_array_equal(dropped, expected)
    np.testing.assert_array_equal(before, alive)  # the argument stands


@pytest.mark.parametrize(
    ("rate", "alive", "expected"),
    [(0.2, 235200, 47040), (0.2, 30000, 6000), (0.1, 1000, 100), (0.5, 5, 2), (0.5, 7, 4), (0.1, 5, 0),
     (0.1, 1005, 100), (0.1, 1015, 102), (0.2, 20_018_880, 4_003_776)],
)  # fmt: skip
def test_a_round_removes_rate_times_alive_rounded_half_to_even(rate, alive, expected):
    assert selection.removed(rate, alive) == expected


def test_lenet_follows_the_papers_schedule_to_the_weight():
    params = lenet_params()
    kinds = by_name(params)
    rates = selection.rates_by_path(kinds, Rates())
    assert rates == {"fc1/kernel": 0.2, "fc2/kernel": 0.2, "output/kernel": 0.1}
    assert counts.surviving(params, Prune(rounds=18), kinds) == LENET


def test_the_schedule_is_what_pruning_does():
    params = lenet_params()
    kinds = by_name(params)
    rates = selection.rates_by_path(kinds, Rates())
    for structure in ("layer", "global"):
        chosen = rates if structure == "layer" else {path: 0.2 for path in rates}
        mask, found = masks.dense(params), [266200]
        for _ in range(4):
            mask = prune(jax.tree.map(np.abs, params), mask, chosen, structure)
            found.append(masks.count(mask)[0])
        chosen_rates = Rates() if structure == "layer" else Rates(fc=0.2, output=0.2)
        asked = Prune(rounds=4, rates=chosen_rates, structure=structure)
        assert found == counts.surviving(params, asked, kinds)


@pytest.mark.parametrize(
    ("schedule", "structure", "expected"),
    [
        ("iterative", "layer", [15, 8, 4]),  # 10 - 5 - 2, and 5 - 2 - 2
        ("iterative", "global", [15, 7, 3]),  # 15 - 8 - 4
        ("oneshot", "layer", [15, 8, 10]),  # 10 - 5 and 5 - 2; 10 - 3 and 5 - 2
        ("oneshot", "global", [15, 7, 11]),  # 15 - 8; 15 - 4
    ],
)
def test_counts_are_half_to_even_by_layer_or_together_and_of_the_round_that_is_pruned(
    schedule, structure, expected
):
    params = {"fc1": {"kernel": np.zeros((5, 2))}, "fc2": {"kernel": np.zeros(5)[:, None]}}
    rates = Rates(conv=None, fc=0.5, output=None)
    chosen = OneShot((0.5, 0.3)) if schedule == "oneshot" else schedule
    asked = Prune(rounds=2, rates=rates, schedule=chosen, structure=structure)
    assert counts.surviving(params, asked, by_name(params)) == expected


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_pruning_all_equal_weights_removes_the_exact_count(value):
    """The threshold ``|w| <= sorted[k]`` of both reference implementations leaves none of these."""
    scores = {"kernel": np.full((30, 10), value)}
    mask = prune(scores, masks.dense(scores), {"kernel": 0.2})
    assert masks.count(mask) == (240, 300)
    np.testing.assert_array_equal(mask["kernel"].ravel(), np.arange(300) >= 60)


def test_layers_are_ranked_apart_or_together():
    scores = {"a": {"kernel": np.array([1.0, 2, 3, 4])}, "b": {"kernel": np.array([5.0, 6, 7, 8])}}
    dense = masks.dense(scores)
    apart = prune(scores, dense, {"a/kernel": 0.5, "b/kernel": 0.25})
    together = prune(scores, dense, {"a/kernel": 0.5, "b/kernel": 0.5}, "global")
    chex.assert_trees_all_equal(apart, {"a": {"kernel": np.array([F, F, T, T])},
                                        "b": {"kernel": np.array([F, T, T, T])}})  # fmt: skip
    chex.assert_trees_all_equal(together, {"a": {"kernel": np.array([F, F, F, F])},
                                           "b": {"kernel": np.array([T, T, T, T])}})  # fmt: skip


def test_leaves_without_a_rate_are_left_alone():
    params = lenet_params((4, 3), (2, 2, 1))
    rates = selection.rates_by_path(by_name(params), Rates(fc=0.5, output=None))
    mask = prune(params, masks.dense(params), rates)
    assert mask["output"]["kernel"].all() and mask["fc1"]["bias"].all()
    assert masks.densities(mask)["fc1/kernel"] == 0.5


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1, float("nan")])
@pytest.mark.parametrize("structure", ["layer", "global"])
def test_a_bad_rate_is_told(rate, structure):
    """Bounds of settings hold for what a user writes, not for what a schedule of his gives."""
    asked = Prune(rounds=1, rates=Rates(fc=rate), structure=structure)
    with pytest.raises(UserError, match=f"between 0 and 1, not {rate}"):
        counts.kept_of(asked, 1, {"kernel": "fc"}, {"kernel": np.ones(4, bool)})


def test_global_structure_wants_one_rate():
    scores = {"a": {"kernel": np.ones(4)}, "b": {"kernel": np.ones(4)}}
    with pytest.raises(UserError, match="one rate"):
        prune(scores, masks.dense(scores), {"a/kernel": 0.2, "b/kernel": 0.1}, "global")


layers = st.integers(1, 60).flatmap(
    lambda size: st.tuples(
        # few distinct values, so that ties are common
        arrays.arrays(np.float32, size, elements=st.integers(-3, 3).map(float)),
        arrays.arrays(bool, size),
    )
)


@given(layer=layers, rate=st.floats(0.01, 0.99))
def test_counts_are_exact_masks_only_shrink_and_the_lowest_go(layer, rate):
    scores, alive = layer
    kept = prune({"kernel": scores}, {"kernel": alive}, {"kernel": rate})["kernel"]
    before = int(alive.sum())
    assert kept.sum() == before - round(rate * before)
    assert not (kept & ~alive).any()
    gone = alive & ~kept
    if gone.any() and kept.any():
        # (score, index) of everything dropped is below that of everything kept
        assert max(zip(scores[gone], np.flatnonzero(gone), strict=True)) < min(
            zip(scores[kept], np.flatnonzero(kept), strict=True)
        )


@given(parts=st.lists(layers, min_size=1, max_size=4), rate=st.floats(0.01, 0.99))
@settings(max_examples=50)
def test_global_counts_are_exact(parts, rate):
    scores = {str(i): {"kernel": part[0]} for i, part in enumerate(parts)}
    mask = {str(i): {"kernel": part[1]} for i, part in enumerate(parts)}
    kept = prune(scores, mask, {f"{i}/kernel": rate for i in range(len(parts))}, "global")
    before = masks.count(mask)[0]
    assert masks.count(kept)[0] == before - round(rate * before)
    assert all((~k | m).all() for k, m in zip(jax.tree.leaves(kept), jax.tree.leaves(mask), strict=True))


@pytest.mark.long
def test_vgg19_is_pruned_globally_to_the_exact_count():
    """20 M weights: more than float32 can count. No weight that is kept is smaller than one that is not."""
    experiment = load_experiment("vgg19_lr001")
    network = make_network(experiment.model, (32, 32, 3), 10)
    shapes = jax.eval_shape(network.init, jax.eval_shape(lambda: jax.random.key(0)))[0]
    random = np.random.default_rng(0)
    weights = jax.tree.map(lambda leaf: random.random(leaf.shape, np.float32), shapes)
    kinds = by_name(shapes)
    rates = selection.rates_by_path(kinds, experiment.prune.rates)
    mask, expected = masks.dense(weights), counts.surviving(shapes, experiment.prune, kinds)
    for round in (1, 2):
        mask = prune(weights, mask, rates, "global")
        assert masks.count(mask) == (expected[round], 20_024_000)
    assert expected[1:3] == [16_020_224, 12_817_203]
    kept, gone = zip(
        *((leaf[keep].min(), leaf[~keep].max(initial=0))
          for leaf, keep in ((leaves_by_path(weights)[path], leaves_by_path(mask)[path]) for path in rates)),
        strict=True,
    )  # fmt: skip
    assert min(kept) >= max(gone) > 0.3
    assert mask["output"]["kernel"].all()
