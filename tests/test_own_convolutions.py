"""Convolutions of a user's own: Flax's, with ltjax's arithmetic where it has it, and XLA's own elsewhere."""

import chex
import flax.linen as nn
import jax
import pytest

from ltjax import MODELS, Model
from ltjax.core.keys import named_key
from ltjax.models import make_network
from ltjax.models.convolution import conv_general_dilated

from .test_convolution import primitives


class Own(nn.Module):
    """A convolution, and the output."""

    layer: nn.Module

    @nn.compact
    def __call__(self, images, train=False):
        units = nn.relu(self.layer(images)).reshape(len(images), -1)
        return nn.Dense(10, name="output")(units)


class Rows(nn.Module):
    """Images as rows of pixels, convolved along each."""

    @nn.compact
    def __call__(self, images):
        return nn.Conv(4, (3,), padding="CAUSAL")(images.reshape(len(images), -1, images.shape[3]))


class Blocks(nn.Module):
    """Images as 4 x 4 x 4 blocks."""

    @nn.compact
    def __call__(self, images):
        return nn.Conv(4, (3, 3, 3))(images.reshape(len(images), 4, 4, 4, -1))


@pytest.fixture
def network(monkeypatch):
    """A factory of the networks of a layer, for images of 8 x 8 pixels in two colours."""

    def make(layer):
        monkeypatch.setitem(MODELS, "own", lambda model, classes: Own(layer))
        return make_network(Model(name="own"), (8, 8, 2), 10)

    return make


def step(network):
    """Params, and the logits' sum and its gradient by them, compiled."""
    params, collections = jax.jit(network.init)(named_key(0))
    images = jax.random.normal(named_key(1), (6, 8, 8, 2))
    key = named_key(2)

    def total(params):
        return (network.apply(params, collections, images, True, key)[0] ** 2).sum()

    return params, total


@pytest.mark.parametrize("settings", [{"strides": 2}, {"padding": "CIRCULAR"}])
def test_a_plain_convolution_has_the_bits_of_one_that_is_given_ltjaxs_arithmetic(settings, network):
    found = []
    for given in ({}, {"conv_general_dilated": conv_general_dilated}):
        params, total = step(network(nn.Conv(4, (3, 3), **settings, **given)))
        found.append((params, jax.jit(jax.value_and_grad(total))(params)))
    chex.assert_trees_all_equal(*found)


def layouts(total, params):
    jaxpr = jax.make_jaxpr(jax.grad(total))(params).jaxpr
    return {tuple(each.params["dimension_numbers"]) for name, each in primitives(jaxpr)
            if name == "conv_general_dilated"}  # fmt: skip


def test_its_gradient_is_written_out_on_cpu_unless_the_user_chose_an_arithmetic(network):
    (params, ours), (_, theirs) = (
        step(network(nn.Conv(4, (3, 3), **given)))
        for given in ({}, {"conv_general_dilated": jax.lax.conv_general_dilated})
    )
    assert (len(layouts(ours, params)), len(layouts(theirs, params))) == (1, 2)


OTHERS = {
    "groups": nn.Conv(4, (3, 3), feature_group_count=2), "dilated": nn.Conv(4, (3, 3), kernel_dilation=2),
    "one axis": Rows(), "three axes": Blocks(), "transposed": nn.ConvTranspose(4, (3, 3), (2, 2)),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_what_ltjax_has_no_arithmetic_for_trains_by_xlas_own(name, network):
    params, total = step(network(OTHERS[name]))
    compiled = jax.jit(jax.value_and_grad(total))
    value, gradient = compiled(params)
    moved = jax.tree.map(lambda param, by: param - 1e-4 * by, params, gradient)
    assert compiled(moved)[0] < value
