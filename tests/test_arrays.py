"""Arrays of a user's own: which are a data set, what is told of others, and how examples reach the device."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ltjax import Data, Dataset, UserError
from ltjax.data import check_dataset, load_dataset, source_of, split

COUNT, TESTS = 12, 5
NAN = np.full((COUNT, 3), np.nan, np.float32)
LABELS = {"train": np.arange(COUNT) % 3, "test": np.arange(TESTS) % 3}


def images(count, *shape, dtype=np.uint8):
    return np.ones((count, *shape), dtype)


def made(*shape, dtype=np.uint8, **changes):
    """A data set of three classes, with examples of a shape, and other values of some of its fields."""
    arrays = (
        images(COUNT, *shape, dtype=dtype),
        LABELS["train"],
        images(TESTS, *shape, dtype=dtype),
        LABELS["test"],
    )
    return Dataset(*arrays, 3)._replace(**changes)


def tree(count):
    """Inputs of two arrays."""
    return {"image": images(count, 8, 8, 3), "words": np.zeros((count, 4), np.int64)}


GOOD = {
    "images": made(8, 8, 3),
    "one grey row": made(1, 8, 1),
    "float images": made(8, 8, 3, dtype=np.float32),
    "images of two channels": made(8, 8, 2),
    "numbers": made(5, dtype=np.float64),
    "tokens": made(7, dtype=np.int64),
    "sequences": made(7, 2, dtype=np.float16),
    "whether": made(5, dtype=bool),
    "one number": made(dtype=np.float32),
    "a tree of inputs": made(train_inputs=tree(COUNT), test_inputs=tree(TESTS)),
    "regressed numbers": made(
        5, train_targets=np.ones((COUNT, 2)), test_targets=np.ones((TESTS, 2)), classes=2
    ),
    "no classes said": made(5, classes=None),
    "a mean for each channel": made(8, 8, 3, mean=(0.1, 0.2, 0.3), std=(1, 2, 3)),
    "one mean": made(8, 8, 3, mean=(0.5,), std=(0.5,)),
    "a mean of each number": made(2, dtype=np.float32, mean=(5, 6), std=(1, 2)),
    "JAX's arrays": made(5, train_inputs=jnp.ones((COUNT, 5)), test_inputs=jnp.ones((TESTS, 5))),
}
"""What can be trained on."""

BAD = {
    "not-a-number": (
        made(3, train_inputs=NAN, test_inputs=NAN[:TESTS]),
        "train_inputs must be finite, and 36 numbers are not",
    ),
    "infinite": (
        made(3, dtype=np.float32, test_inputs=np.array([[np.inf, 0, 0]] * TESTS, np.float32)),
        "test_inputs must be finite, and 5 numbers are not",
    ),
    "channels first": (
        made(3, 32, 32),
        r"\[12, 3, 32, 32\] have their channels first; np.moveaxis\(images, 1, -1\)",
    ),
    "no examples": (
        made(3, train_inputs=images(0, 3), train_targets=np.zeros(0, int)),
        "0 examples of train_inputs, and at least",
    ),
    "an empty test split": (
        made(3, test_inputs=images(0, 3), test_targets=np.zeros(0, int)),
        "0 examples of test_inputs, and at least one",
    ),
    "fewer targets": (
        made(3, train_targets=np.zeros(7, int)),
        "one for each of 12 examples of train_inputs.*not 7",
    ),
    "leaves of other lengths": (
        made(train_inputs={"one": images(COUNT, 2), "two": images(3, 2)}, test_inputs=tree(TESTS)),
        "one for each of 12 examples of train_inputs",
    ),
    "a class above the outputs": (
        made(3, train_targets=LABELS["train"] + 1),
        "train_targets must be .* from 0 to 2",
    ),
    "a class below 0": (
        made(3, test_targets=LABELS["test"] - 1),
        "test_targets must be whole numbers from 0 to 2",
    ),
    "two means for three channels": (
        made(8, 8, 3, mean=(0.1, 0.2)),
        r"one for each of 3 channels, not \[0.1, 0.2\]",
    ),
    "two deviations": (made(8, 8, 1, std=(1, 1)), "std must be one number, or one for each of 1 channels"),
    "no deviation": (made(8, 8, 1, std=(0.0,)), r"std must be positive, not \[0.0\]"),
    "a negative deviation": (made(8, 8, 1, std=(-1,)), r"std must be positive, not \[-1\]"),
    "a mean that is none": (made(8, 8, 1, mean=(np.nan,)), r"mean must be finite, not \[nan\]"),
    "a mean of a tree": (
        made(train_inputs=tree(COUNT), test_inputs=tree(TESTS), mean=(1,)),
        "mean must be one number",
    ),
    "other sizes": (
        made(8, 8, 1, test_inputs=images(TESTS, 9, 9, 1)),
        r"train_inputs and test_inputs differ in shape or dtype: uint8 \[8, 8, 1\] .* uint8 \[9, 9, 1\]",
    ),
    "other dtypes": (
        made(5, test_inputs=np.ones((TESTS, 5))),
        r"differ in shape or dtype: uint8 \[5\] an example and float64",
    ),
    "other trees": (
        made(train_inputs=tree(COUNT), test_inputs={"image": images(TESTS, 8, 8, 3)}),
        r"train_inputs and test_inputs differ in structure in leaf words: int64 \[4\] an example and nothing",
    ),
    "texts": (made(3, train_inputs=np.array(["a"] * COUNT)), "train_inputs must hold numbers, not <U1"),
    "objects": (
        made(3, train_targets=np.array([None] * COUNT)),
        "train_targets must hold numbers, not object",
    ),
    "a list": (made(3, train_inputs=[1.0, 2.0]), "train_inputs, leaf 0 must be an array .*, not float"),
    "nothing": (
        made(3, train_inputs={}),
        "train_inputs must be an array .* or a tree of them, and holds none",
    ),
    "a scalar": (made(3, test_targets=np.float32(1)), "test_targets must be an array"),
}
"""What cannot, and what is told of it."""


@pytest.mark.parametrize("name", GOOD)
def test_arrays_that_can_be_trained_on_are_a_data_set(name):
    check_dataset(GOOD[name])
    source = source_of(GOOD[name])
    assert load_dataset(Data("mine"), source) is GOOD[name]
    assert (source.train, source.test) == (COUNT, TESTS)


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_with_arrays_is_told(name):
    dataset, told = BAD[name]
    with pytest.raises(UserError, match=told):
        check_dataset(dataset)


@pytest.mark.parametrize("name", GOOD)
def test_examples_on_the_device_are_what_the_source_says_that_a_network_sees(name):
    """Nothing has 64 bits there, and classes are int32."""
    found, source = split(GOOD[name], 3, 0).train.take(jnp.arange(4)), source_of(GOOD[name])
    for said, there in (
        (source.seen, found.values()),
        (source.inputs, found.inputs),
        (source.targets, found.targets),
    ):
        assert jax.tree.map(lambda leaf: (leaf.shape, np.dtype(leaf.dtype)), said) == jax.tree.map(
            lambda leaf: (leaf.shape[1:], np.dtype(leaf.dtype)), there
        )


def test_floats_are_left_as_they_are_but_for_a_mean_and_a_deviation_that_are_said():
    numbers = np.random.default_rng(0).normal(size=(COUNT, 2)).astype(np.float32)
    plain = made(train_inputs=numbers, test_inputs=numbers[:TESTS])
    np.testing.assert_array_equal(split(plain, 1, 0).test.values(), numbers[:TESTS])
    found = split(plain._replace(mean=(1, 2), std=(4, 5)), 1, 0).test.values()
    np.testing.assert_allclose(found, (numbers[:TESTS] - [1, 2]) / [4, 5], rtol=1e-5)
