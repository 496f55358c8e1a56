"""Arms and rewinding: every registered arm keeps the ticket's shape and density; a ticket keeps its bits."""

import chex
import hypothesis.extra.numpy as arrays
import jax
import numpy as np
import pytest
from hypothesis import given

from ltjax import masks
from ltjax.arms import ARMS, rewind
from ltjax.config import Model
from ltjax.models import make_network
from ltjax.types import Ticket


@pytest.fixture(scope="module")
def init():
    network = make_network(Model(widths=(6, 5)), (4, 4, 1), 3)
    return lambda key: jax.device_get(network.init(key)[0])


@pytest.fixture(scope="module")
def ticket(init):
    theta0 = init(jax.random.key(0))
    mask = jax.tree.map(lambda leaf: np.random.default_rng(0).random(leaf.shape) < 0.4, theta0)
    return Ticket(
        theta0, {name: {**layer, "bias": np.ones_like(layer["bias"])} for name, layer in mask.items()}
    )


@pytest.mark.parametrize("name", sorted(ARMS))
def test_an_arm_trains_as_many_weights_as_the_ticket_in_every_layer(name, ticket, init):
    start = ARMS[name](jax.random.key(7), ticket, init)
    chex.assert_trees_all_equal_shapes(start.params, ticket.params)
    chex.assert_trees_all_equal_structs(start.mask, ticket.mask)
    assert masks.densities(start.mask) == masks.densities(ticket.mask)
    chex.assert_tree_all_finite(start.params)


@pytest.mark.parametrize("name", sorted(ARMS))
def test_an_arm_is_a_function_of_its_key_and_leaves_the_ticket_as_it_was(name, ticket, init):
    before = jax.tree.map(np.copy, ticket)
    one, two = (ARMS[name](jax.random.key(7), ticket, init) for _ in range(2))
    chex.assert_trees_all_equal(one, two)
    chex.assert_trees_all_equal(before, ticket)


def test_the_ticket_is_theta0_under_its_mask(ticket, init):
    chex.assert_trees_all_equal(ARMS["ticket"](jax.random.key(7), ticket, init), ticket)


def test_reinit_draws_other_params_for_every_key_under_the_same_mask(ticket, init):
    one, two = (ARMS["reinit"](jax.random.key(k), ticket, init) for k in (1, 2))
    chex.assert_trees_all_equal(one.mask, ticket.mask)
    kernels = [tree["fc1"]["kernel"] for tree in (one.params, two.params, ticket.params)]
    for i in range(3):
        assert (kernels[i] != kernels[i - 1]).all()


def test_random_draws_another_mask_and_other_params_for_every_key(ticket, init):
    one, two = (ARMS["random"](jax.random.key(k), ticket, init) for k in (1, 2))
    for field in ("params", "mask"):
        kernels = [getattr(start, field)["fc1"]["kernel"] for start in (one, two, ticket)]
        assert all((kernels[i] != kernels[i - 1]).any() for i in range(3))
    assert one.mask["fc1"]["bias"].all()


@given(theta0=arrays.arrays(np.float32, (3, 4)), mask=arrays.arrays(bool, (3, 4)))
def test_rewinding_is_bit_exact(theta0, mask):
    rewound = np.asarray(rewind({"kernel": theta0}, {"kernel": mask})["kernel"])
    np.testing.assert_array_equal(rewound[mask].view(np.uint32), theta0[mask].view(np.uint32))
    np.testing.assert_array_equal(rewound[~mask].view(np.uint32), 0)
