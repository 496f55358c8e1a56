"""Pytrees: what is handed out can be read, and what is written in it is refused."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ltjax.core.trees import read_only


class Pair(NamedTuple):
    """A container of two."""

    one: object
    two: object


@pytest.mark.parametrize("made", [np.arange(4.0), np.array(1.0), jnp.arange(4.0), np.array([True, False])])
def test_an_array_that_is_read_only_has_the_same_numbers_and_memory_and_cannot_be_written(made):
    leaf = read_only({"kernel": made})["kernel"]
    assert isinstance(leaf, np.ndarray) and leaf.dtype == made.dtype
    assert np.shares_memory(leaf, np.asarray(made))
    np.testing.assert_array_equal(leaf, made)
    with pytest.raises(ValueError, match="read-only"):
        leaf[...] = 0


def test_the_array_itself_stays_as_it_was():
    mine = np.zeros(2)
    read_only([mine])
    mine[0] = 1
    assert mine.tolist() == [1, 0]


def test_containers_are_new_and_of_the_same_types():
    tree = {"a": [np.zeros(1)], "b": Pair((np.ones(1),), None)}
    new = read_only(tree)
    assert jax.tree.structure(new) == jax.tree.structure(tree)
    new["a"].append(1)
    del new["b"]
    assert len(tree["a"]) == 1 and isinstance(tree["b"], Pair)


def test_keys_and_what_is_no_array_stay_as_they_are():
    tree = Pair(jax.random.key(0), "words")
    assert read_only(tree) == tree
