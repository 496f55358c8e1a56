"""Winograd's convolutions: the numbers of a sum of products, in the layers that gain and in no others."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ltjax.models.convolution import automatic, computed, convolve

from .test_convolution import draw, reference, values_and_gradients

GAINING = {
    "both ways": ((3, 16, 16, 64), (3, 3, 64, 64)),
    "the kernel's gradient alone, in tiles of 4": ((4, 8, 8, 32), (3, 3, 32, 48)),
    "the kernel's gradient alone, in tiles of 2": ((6, 4, 6, 32), (3, 3, 32, 32)),
}
"""Layers that gain, by what of them does."""


def step(images, kernel, strides=(1, 1), padding="SAME"):
    return values_and_gradients(lambda x, k: convolve(x, k, strides, padding))(images, kernel)


@pytest.mark.parametrize("name", GAINING)
def test_numbers_and_gradients_are_those_of_float64_within_a_hundred_thousandth_of_the_largest(name):
    images, kernel = draw(0, *GAINING[name])
    with computed("winograd"):
        ours = step(images, kernel)
    with jax.enable_x64(True):
        wide = [jnp.asarray(each, jnp.float64) for each in (images, kernel)]
        exact = values_and_gradients(lambda x, k: reference(x, k, (1, 1), "SAME"))(*wide)
    for found, wanted in zip(jax.tree.leaves(ours)[1:], jax.tree.leaves(exact)[1:], strict=True):
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())
    chex.assert_trees_all_equal_shapes_and_dtypes(ours, step(images, kernel))


OTHERS = {
    "three input channels": ((4, 16, 16, 3), (3, 3, 3, 64), (1, 1), "SAME"),
    "few channels": ((4, 16, 16, 16), (3, 3, 16, 16), (1, 1), "SAME"),
    "odd sides": ((4, 15, 16, 64), (3, 3, 64, 64), (1, 1), "SAME"),
    "strides": ((4, 16, 16, 64), (3, 3, 64, 64), (2, 2), "SAME"),
    "1 x 1": ((4, 16, 16, 64), (1, 1, 64, 64), (1, 1), "SAME"),
    "no padding": ((4, 16, 16, 64), (3, 3, 64, 64), (1, 1), "VALID"),
    "tiny images": ((4, 2, 2, 64), (3, 3, 64, 64), (1, 1), "SAME"),
}
"""Layers that keep what they have."""


def traced(images, kernel, strides, padding):
    return jax.make_jaxpr(lambda x, k: step(x, k, strides, padding))(images, kernel)


@pytest.mark.parametrize("name", OTHERS)
def test_a_layer_that_does_not_gain_is_computed_as_ever(name):
    images, kernel, *rest = OTHERS[name]
    arrays = [jax.ShapeDtypeStruct(each, jnp.float32) for each in (images, kernel)]
    with computed("winograd"):
        chosen = traced(*arrays, *rest)
    assert str(chosen) == str(traced(*arrays, *rest))


def test_half_precision_and_xlas_own_convolution_are_computed_as_ever():
    shapes = GAINING["both ways"]
    half = [jax.ShapeDtypeStruct(each, jnp.bfloat16) for each in shapes]
    plain = [jax.ShapeDtypeStruct(each, jnp.float32) for each in shapes]

    def program(arrays):
        return str(
            jax.make_jaxpr(jax.grad(lambda x, k: convolve(x, k).astype(jnp.float32).sum(), (0, 1)))(*arrays)
        )

    direct = program(half), program(plain)
    with computed("winograd"):
        assert program(half) == direct[0]
        assert program(plain) != direct[1]
        with automatic():
            chosen = program(plain)
    with automatic():
        assert program(plain) == chosen
