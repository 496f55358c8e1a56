"""FLOPs: a multiplication and an addition count as two, counted by hand."""

import jax
import jax.numpy as jnp
import pytest
from jax import lax

from ltjax import load_experiment
from ltjax.core.flops import flops
from ltjax.lottery.dry_run import plan
from ltjax.lottery.resolving import resolve


def shape(*sizes: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(sizes, jnp.float32)


def convolve(images, kernel, strides=(1, 1)):
    return lax.conv_general_dilated(
        images, kernel, strides, "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def strided_gradients(images, kernel):
    return jax.grad(lambda *both: convolve(*both, (2, 2)).sum(), argnums=(0, 1))(images, kernel)


IMAGES, KERNEL = shape(2, 8, 8, 3), shape(3, 3, 3, 5)
FORWARD = 2 * (2 * 8 * 8 * 5) * (3 * 3 * 3)

CASES = {
    "a product": (lambda a, b: a @ b, [shape(4, 5), shape(5, 6)], 2 * 4 * 6 * 5),
    "a batch of products": (lambda a, b: a @ b, [shape(7, 4, 5), shape(7, 5, 6)], 7 * 2 * 4 * 6 * 5),
    "a convolution, padding included": (convolve, [IMAGES, KERNEL], FORWARD),
    "a grouped convolution": (
        lambda images, kernel: lax.conv_general_dilated(
            images, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"), feature_group_count=3
        ),
        [IMAGES, shape(3, 3, 1, 6)],
        2 * (2 * 8 * 8 * 6) * (3 * 3 * 1),
    ),
    # each gradient takes as much as the convolution, a quarter of FORWARD at stride 2
    "the gradients of a strided convolution": (strided_gradients, [IMAGES, KERNEL], 2 * FORWARD // 4),
    "a loop, as often as it runs": (
        lambda a: lax.scan(lambda sum, _: (sum @ a, None), a, length=9)[0], [shape(4, 4)], 9 * 2 * 4**3,
    ),
    "the dearest branch": (
        lambda a: lax.cond(a[0, 0] > 0, lambda: a @ a, lambda: a), [shape(4, 4)], 2 * 4**3,
    ),
    "a call": (lambda a: jax.jit(lambda b: b @ b)(a), [shape(4, 4)], 2 * 4**3),
    "what is not needed is not counted": (lambda a: (a @ a, a + 1)[1], [shape(4, 4)], 0),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_products_and_convolutions_are_counted(case):
    function, arguments, expected = CASES[case]
    assert flops(function, *arguments) == expected


@pytest.mark.parametrize(
    ("name", "first", "others", "batch"),
    [
        ("lenet_iterative", 784 * 300, 300 * 100 + 100 * 10, 60),
        (
            "conv2_iterative",
            1024 * 9 * 3 * 64,
            1024 * 9 * 64 * 64 + 256 * 64 * 256 + 256 * 256 + 256 * 10,
            60,
        ),
    ],
)
def test_a_step_is_three_forward_passes_less_the_gradient_of_the_images(name, first, others, batch):
    assert plan(resolve(load_experiment(name))).step_flops == batch * 2 * (2 * first + 3 * others)
