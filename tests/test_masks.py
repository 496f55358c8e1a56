"""Masks: what survives, what counts, and what applying one does to the bits."""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ltjax.core.errors import UserError
from ltjax.sparsity import masks

PARAMS = {"fc": {"kernel": np.array([[1.0, -2.0], [3.0, -0.0]]), "bias": np.array([5.0, 6.0])}}
MASK = {"fc": {"kernel": np.array([[True, False], [False, True]]), "bias": np.array([True, True])}}


class Pair(NamedTuple):
    """A container whose one leaf has a dictionary's name."""

    kernel: object


def test_the_dense_mask_keeps_everything_with_the_treedef_of_the_params():
    mask = masks.dense(PARAMS)
    chex.assert_trees_all_equal_structs(mask, PARAMS)
    chex.assert_trees_all_equal_shapes(mask, PARAMS)
    assert all(leaf.dtype == bool and leaf.all() for leaf in jax.tree.leaves(mask))


@pytest.mark.parametrize("transform", [lambda f: f, jax.jit], ids=["eager", "jit"])
def test_apply_zeroes_the_pruned_and_keeps_the_bits_of_the_others(transform):
    masked = transform(masks.apply)(MASK, PARAMS)
    np.testing.assert_array_equal(masked["fc"]["kernel"], [[1.0, 0.0], [0.0, -0.0]])
    assert np.signbit(masked["fc"]["kernel"]).tolist() == [[False, False], [False, True]]
    np.testing.assert_array_equal(masked["fc"]["bias"], [5.0, 6.0])


def test_a_pruned_weight_is_zero_even_where_it_was_not_a_number():
    masked = masks.apply({"kernel": np.array([False, True])}, {"kernel": jnp.array([jnp.nan, 1.0])})
    np.testing.assert_array_equal(masked["kernel"], [0.0, 1.0])


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float16])
def test_apply_keeps_the_dtype(dtype):
    with jax.numpy_dtype_promotion("strict"):
        masked = masks.apply({"kernel": jnp.array([True])}, {"kernel": jnp.ones(1, dtype)})
    assert masked["kernel"].dtype == dtype


def test_only_kernels_count():
    assert masks.count(MASK) == (2, 4)
    assert masks.percent_remaining(MASK) == 50.0
    assert masks.densities(MASK) == {"fc/kernel": 0.5}


def test_counts_are_exact_beyond_the_integers_of_float32():
    mask = {"kernel": np.ones(2**24 + 3, bool)}
    mask["kernel"][:2] = False
    assert masks.count(mask) == (2**24 + 1, 2**24 + 3)


WRONG = {
    "ones and minus ones": ({"kernel": np.array([[1, -1]])}, "must be bool, and its leaf 'kernel' is int64."),
    "halves": (
        {"kernel": np.array([[0.5, 1.0]], "float32")},
        "must be bool, and its leaf 'kernel' is float32.",
    ),
    "a number": ({"kernel": 1}, "must be bool, and its leaf 'kernel' is int64."),
    "bytes": ({"kernel": jnp.ones((1, 2), jnp.uint8)}, "must be bool, and its leaf 'kernel' is uint8."),
    "another shape": (
        {"kernel": np.ones((2, 1), bool)},
        "has a leaf 'kernel' of shape [2, 1], where the params have [1, 2].",
    ),
    "a leaf too few": ({}, "must have the structure of the params, and lacks 'kernel'."),
    "None": ({"kernel": None}, "must have the structure of the params, and lacks 'kernel'."),
    "a leaf too many": (
        {"kernel": np.ones((1, 2), bool), "bias": np.ones(2, bool)},
        "must have the structure of the params, which have no 'bias'.",
    ),
    "another container": (
        Pair(np.ones((1, 2), bool)),
        "must have the structure of the params, in containers of the same types.",
    ),
}
"""Masks that are not ones of a kernel [1, 2], and what is said of them."""


@pytest.mark.parametrize("case", WRONG)
def test_a_mask_that_does_not_fit_the_params_is_refused_by_name(case):
    mask, said = WRONG[case]
    with pytest.raises(UserError) as told:
        masks.check(mask, {"kernel": np.zeros((1, 2))}, "the arm 'mine'")
    assert str(told.value) == f"the mask of the arm 'mine' {said}"


def test_a_mask_of_bool_fits_arrays_shapes_and_what_is_traced():
    masks.check(MASK, PARAMS, "the arm 'mine'")
    masks.check(MASK, jax.eval_shape(lambda: PARAMS), "the arm 'mine'")
    jax.eval_shape(lambda mask: masks.check(mask, PARAMS, "the arm 'mine'"), MASK)
