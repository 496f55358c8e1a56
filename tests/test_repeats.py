"""Streams of draws: in which of them the repeats of an arm differ (``train.repeat``)."""

from dataclasses import replace

import numpy as np
import pytest

from ltjax import find_tickets
from ltjax.core.choices import Choice
from ltjax.core.types import Lane

from .conftest import TINY, with_prune, with_train

TWICE = replace(
    with_prune(with_train(TINY, steps=4, evaluate_every=4), rounds=0), trials=1, arms={"ticket": 2}
)

BOTH = {"dropout": 0.5, "augment": "flip_crop"}


def kernels(repeat, dropout=0.0, augment="none"):
    """The first layer of both repeats of the dense network."""
    own = replace(
        with_train(TWICE, repeat=repeat), model=replace(TWICE.model, dropout=dropout),
        data=replace(TWICE.data, augment=Choice("augmentation", augment)),
    )  # fmt: skip
    (part,) = find_tickets(own)
    return [part.lane(Lane("ticket", 0, repeat)).trained["fc1"]["kernel"] for repeat in (0, 1)]


@pytest.mark.parametrize(
    ("repeat", "drawn", "alike"),
    [
        (("order",), {}, False),
        (("augmentation", "dropout"), {}, True),
        (("dropout",), {"dropout": 0.5}, False),
        pytest.param(("augmentation",), {"dropout": 0.5}, True, marks=pytest.mark.long),
        (("augmentation",), {"augment": "flip_crop"}, False),
        pytest.param(("dropout",), {"augment": "flip_crop"}, True, marks=pytest.mark.long),
        ((), BOTH, True),
    ],
)
def test_repeats_differ_in_the_streams_that_are_named_alone(repeat, drawn, alike):
    one, two = kernels(repeat, **drawn)
    assert np.array_equal(one, two) == alike


def test_the_first_repeat_draws_the_same_whatever_is_named():
    every, none = (kernels(repeat, **BOTH)[0] for repeat in (("order", "augmentation", "dropout"), ()))
    np.testing.assert_array_equal(every, none)
