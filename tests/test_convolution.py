"""The convolution: XLA's own numbers and gradients, for random shapes, strides and paddings, and in lanes."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jax import lax
from jax.extend.core import jaxprs_in_params

from ltjax.models.convolution import automatic, conv_general_dilated, convolve, executed


def reference(images, kernel, strides, padding):
    """XLA's own, of images that are padded first.

    Where padding reaches the kernel's size, its gradient on CPU reads what is not in the array.
    """
    if not isinstance(padding, str):
        images, padding = jnp.pad(images, ((0, 0), *padding, (0, 0))), "VALID"
    return lax.conv_general_dilated(
        images, kernel, strides, padding, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def values_and_gradients(function):
    """The result, and the gradients of a function of it that weighs each of its numbers differently."""

    def weighed(images, kernel):
        found = function(images, kernel)
        return (found * jnp.sin(jnp.arange(found.size, dtype=found.dtype)).reshape(found.shape)).sum(), found

    return jax.jit(lambda *given: jax.value_and_grad(weighed, (0, 1), has_aux=True)(*given))


def draw(seed, images, kernel):
    drawn = np.random.default_rng(seed)
    return tuple(drawn.normal(size=shape).astype(np.float32) for shape in (images, kernel))


pairs = st.tuples(st.integers(0, 3), st.integers(0, 3))


@st.composite
def convolutions(draw):
    """Shapes of images and kernel, strides and padding, of which a kernel fits into the padded image."""
    kernel = draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    image = draw(st.tuples(st.integers(kernel[0], 10), st.integers(kernel[1], 10)))
    channels = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    strides = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    padding = draw(st.sampled_from(["SAME", "VALID"]) | st.tuples(pairs, pairs))
    return (draw(st.integers(1, 6)), *image, channels[0]), (*kernel, *channels), strides, padding


def assert_as_xla(sizes):
    images, kernel, strides, padding = sizes
    arrays = draw(0, images, kernel)
    ours = values_and_gradients(lambda x, k: convolve(x, k, strides, padding))(*arrays)
    xlas = values_and_gradients(lambda x, k: reference(x, k, strides, padding))(*arrays)
    chex.assert_trees_all_close(ours, xlas, rtol=1e-4, atol=1e-4)


@settings(max_examples=5)
@given(convolutions())
@example(((1, 3, 3, 1), (3, 3, 1, 1), (1, 1), ((3, 1), (2, 2))))
def test_numbers_and_gradients_are_xlas_own(sizes):
    assert_as_xla(sizes)


@pytest.mark.long
@settings(max_examples=100)
@given(convolutions())
def test_numbers_and_gradients_are_xlas_own_for_a_hundred_shapes(sizes):
    assert_as_xla(sizes)


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("padding", ["SAME", ((2, 1), (1, 2))])
def test_images_with_no_more_pixels_than_the_kernel_are_multiplied_to_the_same_numbers(size, padding):
    """As in the last stage of VGG-19, where XLA's convolution on CPU takes a hundred times as long."""
    arrays = draw(0, (5, size, size, 4), (3, 3, 4, 6))
    ours = values_and_gradients(lambda x, k: convolve(x, k, (1, 1), padding))(*arrays)
    xlas = values_and_gradients(lambda x, k: reference(x, k, (1, 1), padding))(*arrays)
    chex.assert_trees_all_close(ours, xlas, rtol=1e-4, atol=1e-4)
    found = convolutions_of(lambda x, k: convolve(x, k, (1, 1), padding), *arrays)
    assert (not found) == (jax.default_backend() == "cpu")


NETWORKS = [
    ((12, 8, 8, 3), (3, 3, 3, 8), (1, 1)),
    ((12, 8, 8, 8), (3, 3, 8, 16), (2, 2)),
    ((12, 8, 8, 8), (1, 1, 8, 16), (2, 2)),
    ((7, 5, 5, 4), (3, 3, 4, 4), (1, 1)),
]
"""The convolutions of the networks, small: the first, a strided one, a shortcut, and an odd batch."""


@pytest.mark.parametrize("how", ["unrolled", "loop", "grouped"])
@pytest.mark.parametrize(("images", "kernel", "strides"), NETWORKS)
def test_lanes_convolve_as_each_would_alone(images, kernel, strides, how):
    lanes = [draw(seed, images, kernel) for seed in range(3)]
    stacked = [np.stack(each) for each in zip(*lanes, strict=True)]
    function = values_and_gradients(lambda x, k: convolve(x, k, strides))
    with executed(how):
        together = jax.vmap(values_and_gradients(lambda x, k: convolve(x, k, strides)))(*stacked)
    for at, alone in enumerate(lanes):
        each = jax.tree.map(lambda leaf, at=at: leaf[at], together)
        chex.assert_trees_all_close(each, function(*alone), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("how", ["unrolled", "loop"])
def test_lanes_may_share_their_images(how):
    images, kernel = draw(0, *NETWORKS[0][:2])
    with executed(how):
        found = jax.vmap(lambda k: convolve(images, k))(np.stack([kernel, 2 * kernel]))
    np.testing.assert_allclose(found[1], 2 * found[0], rtol=1e-5)


@pytest.mark.parametrize("how", ["unrolled", "loop"])
def test_xlas_own_convolves_images_that_lanes_share_once(how):
    """The lanes' kernels side by side as output channels; the gradients of the kernels too."""
    images, kernel = draw(0, *NETWORKS[0][:2])
    kernels = np.stack([kernel, 2 * kernel, kernel - 1])

    def lanes(kernels):
        return jax.vmap(lambda k: jax.value_and_grad(lambda k: (convolve(images, k) ** 2).sum())(k))(kernels)

    with executed(how), automatic():
        found = jax.jit(lanes)(kernels)
        told = convolutions_of(lanes, kernels)
    xlas = jax.value_and_grad(lambda k: (reference(images, k, (1, 1), "SAME") ** 2).sum())
    alone = [xlas(each) for each in kernels]
    chex.assert_trees_all_close(found, jax.tree.map(lambda *each: np.stack(each), *alone), rtol=1e-4)
    shapes = {each.outvars[0].aval.shape for each in told}
    assert (12, 8, 8, 3 * 8) in shapes and (12, 8, 8, 8) not in shapes


def primitives(jaxpr):
    """The names of all primitives in a program, those of inner programs included."""
    for equation in jaxpr.eqns:
        yield equation.primitive.name, equation
        for inner in jaxprs_in_params(equation.params):
            yield from primitives(inner)


def convolutions_of(function, *arrays):
    return [each for name, each in primitives(jax.make_jaxpr(function)(*arrays).jaxpr)
            if name == "conv_general_dilated"]  # fmt: skip


@pytest.mark.parametrize(("images", "kernel", "strides"), NETWORKS)
def test_on_cpu_every_convolution_of_a_step_is_canonical(images, kernel, strides):
    """The layout that XLA is fast with inside a loop; automatic gradients have others."""
    arrays = draw(0, images, kernel)

    def loss(x, k):
        return convolve(x, k, strides).sum()

    canonical = ((0, 3, 1, 2), (3, 2, 0, 1), (0, 3, 1, 2))

    def layouts(found):
        return {tuple(each.params["dimension_numbers"]) for each in found}

    found = convolutions_of(jax.grad(loss, (0, 1)), *arrays)
    assert len(found) == 2, "forward, and toward the images; toward the kernel it is matrix products"
    assert layouts(found) == {canonical}
    with automatic():
        found = convolutions_of(jax.grad(loss, (0, 1)), *arrays)
    assert len(found) == 3 and layouts(found) != {canonical}


OTHERS = {
    "groups": ((4, 8, 8, 6), (3, 3, 3, 6), {"feature_group_count": 2}),
    "a dilated kernel": ((4, 8, 8, 3), (3, 3, 3, 6), {"rhs_dilation": (2, 2)}),
    "dilated images": ((4, 8, 8, 3), (3, 3, 3, 6), {"lhs_dilation": (2, 2), "padding": ((1, 1),) * 2}),
    "one axis": ((4, 8, 3), (3, 3, 6), {"window_strides": (1,), "dimension_numbers": ("NWC", "WIO", "NWC")}),
    "three axes": ((2, 4, 4, 4, 3), (3, 3, 3, 3, 6), {
        "window_strides": (1,) * 3, "dimension_numbers": ("NDHWC", "DHWIO", "NDHWC"),
    }),
}  # fmt: skip
"""What is not written out, under the arguments of ``lax.conv_general_dilated``."""


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_not_written_out_is_xlas_own(name):
    images, kernel, other = OTHERS[name]
    given = {"window_strides": (1, 1), "padding": "SAME", "dimension_numbers": ("NHWC", "HWIO", "NHWC")}
    given |= other
    strides, padding = given.pop("window_strides"), given.pop("padding")
    arrays = draw(0, images, kernel)
    ours = values_and_gradients(lambda x, k: conv_general_dilated(x, k, strides, padding, **given))(*arrays)
    xlas = values_and_gradients(lambda x, k: lax.conv_general_dilated(x, k, strides, padding, **given))
    chex.assert_trees_all_equal(ours, xlas(*arrays))


def test_half_precision_stays_half_precision():
    images, kernel = (jnp.asarray(each, jnp.bfloat16) for each in draw(0, *NETWORKS[1][:2]))
    gradients = jax.grad(lambda x, k: convolve(x, k, (2, 2)).astype(jnp.float32).sum(), (0, 1))(
        images, kernel
    )
    assert {each.dtype for each in gradients} == {jnp.dtype(jnp.bfloat16)}
