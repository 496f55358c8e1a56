"""What is done to training images at random: on the device, from the lane's key, and to nothing else."""

from dataclasses import replace

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ltjax.core.errors import UserError
from ltjax.core.keys import named_key
from ltjax.data import split
from ltjax.lottery.resolving import resolve
from ltjax.models import make_network
from ltjax.sparsity import masks
from ltjax.training.augmentations import AUGMENTATIONS, PADDING
from ltjax.training.step import LaneStart, Training, course_of

from .conftest import TINY, classifying


@pytest.fixture
def images():
    return jax.random.randint(named_key(0), (200, 9, 8, 3), 1, 256).astype(jnp.uint8)


def candidates(image):
    """Every result that mirroring and moving one image can have."""
    edges = (PADDING, PADDING)
    for mirrored in (image, image[:, ::-1]):
        padded = np.pad(mirrored, (edges, edges, (0, 0)))
        for down in range(2 * PADDING + 1):
            for across in range(2 * PADDING + 1):
                yield padded[down : down + 9, across : across + 8].tobytes()


def test_each_image_is_mirrored_or_not_and_moved_by_up_to_four_pixels(images):
    found = np.asarray(AUGMENTATIONS["flip_crop"](named_key(1), images))
    assert found.dtype == np.uint8
    places = []
    for before, after in zip(np.asarray(images), found, strict=True):
        places.append(list(candidates(before)).index(after.tobytes()))
    assert np.mean(np.array(places) >= 81) == pytest.approx(0.5, abs=0.15), "half of them are mirrored"
    # 200 draws of 81 places: nearly all of them, the corners and the middle among them
    assert len({place % 81 for place in places}) > 60


def test_another_key_draws_another_and_the_same_key_the_same(images):
    augment = AUGMENTATIONS["flip_crop"]
    one, again, other = (augment(named_key(key), images) for key in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()


def test_none_leaves_images_alone(images):
    assert AUGMENTATIONS["none"](named_key(1), images) is images


def test_training_sees_augmented_images_and_evaluation_does_not(digits):
    """And each lane its own: from its key and the step."""
    seen = []

    def spy(key, images):
        seen.append(images.shape)
        return jnp.zeros_like(images)

    network = make_network(TINY.model, (8, 8, 1), 10)
    params, collections = network.init(named_key(0))
    start = LaneStart(params, collections, masks.dense(params), course_of(named_key(1)))
    splits = split(digits, 100, 0)
    plain, blank = (
        Training(classifying(network), TINY.train, 1000, augment) for augment in (AUGMENTATIONS["none"], spy)
    )
    state = blank.begin(start)
    chex.assert_trees_all_equal(*(each.measure(state, start.course, splits.test) for each in (blank, plain)))
    assert not seen
    after, _ = blank.advance(state, start.course, splits, jnp.int32(0), 1)
    assert seen == [(30, 8, 8, 1)]
    # of black images no pixel's weight has a gradient
    chex.assert_trees_all_equal(after.params["fc1"]["kernel"], state.params["fc1"]["kernel"])


def test_a_misspelt_one_is_told():
    with pytest.raises(UserError, match="flip_crop"):
        resolve(replace(TINY, data=replace(TINY.data, augment="flip_corp")))
