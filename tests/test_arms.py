"""Arms and rewinding: every registered arm keeps the ticket's shape and density; a ticket keeps its bits."""

from dataclasses import replace
from types import SimpleNamespace

import chex
import hypothesis.extra.numpy as arrays
import jax
import numpy as np
import pytest
from hypothesis import given

from ltjax.core.found import Found
from ltjax.core.types import Start
from ltjax.lottery.arms import ARMS
from ltjax.lottery.rewinding import original, rewind
from ltjax.models import make_network
from ltjax.settings.schema import Model
from ltjax.sparsity import masks


@pytest.fixture(scope="module")
def init():
    network = make_network(Model(widths=(6, 5)), (4, 4, 1), 3)
    return lambda key: jax.device_get(network.init(key)[0])


@pytest.fixture(scope="module")
def found(init):
    """What a round finds: 40% of the kernels' weights alive, and trained weights that are not θ₀."""
    theta0 = init(jax.random.key(0))
    keep = jax.tree.map(lambda leaf: np.random.default_rng(0).random(leaf.shape) < 0.4, theta0)
    mask = {name: {**layer, "bias": np.ones_like(layer["bias"])} for name, layer in keep.items()}
    return found_with(theta0, mask, jax.tree.map(lambda leaf: leaf + 1, theta0))


def found_with(theta0, mask, trained=None):
    """What is known of a trial without anything beside params."""
    left = None if trained is None else Start(trained, {})
    reverse = None if trained is None else lambda: reversed_mask(mask)
    task = SimpleNamespace(kinds=dict.fromkeys(masks.kernels(theta0), "fc"))
    return Found(Start(theta0, {}), mask, jax.random.key(5), left=left, task=task, reverse=reverse)


def reversed_mask(mask):
    """A mask with as many survivors in each layer, in the reverse order."""
    return jax.tree.map(lambda leaf: leaf.ravel()[::-1].reshape(leaf.shape), mask)


def draw(name, found, init, key=7):
    return jax.device_get(ARMS[name](jax.random.key(key), found, original(found), init))


@pytest.mark.parametrize("name", sorted(ARMS))
def test_an_arm_trains_as_many_weights_as_the_ticket_in_every_layer(name, found, init):
    start = draw(name, found, init)
    chex.assert_trees_all_equal_shapes(start.params, found.theta0.params)
    chex.assert_trees_all_equal_structs(start.mask, found.mask)
    chex.assert_trees_all_equal_dtypes(start.params, found.theta0.params)
    assert masks.densities(start.mask) == masks.densities(found.mask)
    chex.assert_tree_all_finite(start.params)


@pytest.mark.parametrize("name", sorted(ARMS))
def test_an_arm_is_a_function_of_its_key_and_leaves_what_was_found_as_it_was(name, found, init):
    before = jax.tree.map(np.copy, (found.theta0, found.mask, found.trained))
    chex.assert_trees_all_equal(draw(name, found, init), draw(name, found, init))
    chex.assert_trees_all_equal(before, (found.theta0, found.mask, found.trained))


@pytest.mark.parametrize("name", sorted(ARMS))
def test_an_arm_runs_in_the_dense_round_too(name, found, init):
    dense = found_with(found.theta0.params, masks.dense(found.theta0.params))
    assert masks.percent_remaining(draw(name, dense, init).mask) == 100


DRAWS_NOTHING = ("ticket", "continued", "constant_sign", "invert")


@pytest.mark.parametrize(
    ("name", "keeps_mask", "keeps_theta0"),
    [
        ("ticket", True, True), ("reinit", True, False), ("random", False, False), ("shuffle", False, True),
        ("resample", True, False), ("noise_0.5", True, False), ("noise", True, False),
        ("noise_2", True, False), ("noise_3", True, False), ("continued", True, False),
        ("reshuffle", True, False), ("constant_sign", True, False), ("invert", False, True),
    ],
)  # fmt: skip
def test_what_an_arm_keeps_of_the_ticket(name, keeps_mask, keeps_theta0, found, init):
    """And what it draws anew differs from key to key."""
    start, other = draw(name, found, init), draw(name, found, init, key=8)
    for kept, field in ((keeps_mask, "mask"), (keeps_theta0, "params")):
        one, two, own = (getattr(each, field)["fc1"]["kernel"] for each in (start, other, original(found)))
        assert np.array_equal(one, own) == kept
        assert np.array_equal(one, two) == (kept or name in DRAWS_NOTHING)
    assert start.mask["fc1"]["bias"].all()


def test_the_table_above_names_every_arm():
    table = test_what_an_arm_keeps_of_the_ticket.pytestmark[0].args[1]
    assert {name for name, *_ in table} == set(ARMS)


def test_resample_draws_each_layers_survivors_from_its_own_survivors(found, init):
    start = draw("resample", found, init)
    for path, kernel in masks.kernels(start.params).items():
        mask = masks.kernels(found.mask)[path]
        own = masks.kernels(found.theta0.params)[path][mask]
        assert set(kernel[mask].tolist()) <= set(own.tolist())
        assert not np.array_equal(kernel[mask], own)


def test_reshuffle_deals_each_layers_survivors_out_among_its_places(found, init):
    start = draw("reshuffle", found, init)
    for path, kernel in masks.kernels(start.params).items():
        mask, theta0 = masks.kernels(found.mask)[path], masks.kernels(found.theta0.params)[path]
        assert sorted(kernel[mask].tolist()) == sorted(theta0[mask].tolist())
        if path == "fc1/kernel":  # of a few values the order may be the same by chance
            assert not np.array_equal(kernel[mask], theta0[mask])


def test_constant_sign_leaves_of_each_weight_its_sign_and_its_layers_spread(found, init):
    start = draw("constant_sign", found, init)
    for path, kernel in masks.kernels(start.params).items():
        theta0 = masks.kernels(found.theta0.params)[path]
        np.testing.assert_allclose(kernel, np.std(theta0) * np.sign(theta0), rtol=1e-6)
    assert (start.params["fc1"]["bias"] == found.theta0.params["fc1"]["bias"]).all()


@pytest.mark.parametrize(
    ("name", "scale"), [("noise_0.5", 0.5), ("noise", 1), ("noise_2", 2), ("noise_3", 3)]
)
def test_noise_is_so_many_times_its_layers_spread_and_biases_have_none(name, scale):
    wide = make_network(Model(widths=(400, 300)), (8, 8, 1), 10)
    theta0 = jax.device_get(wide.init(jax.random.key(0))[0])
    start = draw(name, found_with(theta0, masks.dense(theta0)), lambda key: wide.init(key)[0])
    for layer in ("fc1", "fc2"):
        noise = start.params[layer]["kernel"] - theta0[layer]["kernel"]
        assert noise.std() == pytest.approx(scale * theta0[layer]["kernel"].std(), rel=0.02)
        assert abs(noise.mean()) < 0.02 * noise.std()
        assert (start.params[layer]["bias"] == 0).all()


def test_continued_training_starts_from_the_trained_weights_and_in_round_0_from_theta0(found, init):
    chex.assert_trees_all_equal(draw("continued", found, init).params, found.trained.params)
    chex.assert_trees_all_equal(
        draw("continued", replace(found, left=None), init).params, found.theta0.params
    )


@given(theta0=arrays.arrays(np.float32, (3, 4)), mask=arrays.arrays(bool, (3, 4)))
def test_rewinding_is_bit_exact(theta0, mask):
    rewound = np.asarray(rewind({"kernel": theta0}, {"kernel": mask})["kernel"])
    np.testing.assert_array_equal(rewound[mask].view(np.uint32), theta0[mask].view(np.uint32))
    np.testing.assert_array_equal(rewound[~mask].view(np.uint32), 0)
