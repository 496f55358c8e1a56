"""Augmentations by name: what is done to training images at random, on the device, from a lane's own key.

An augmentation is a pure function ``(key, images) -> images`` over uint8 [batch, height, width, channels].
Adding one takes a function, or a frozen dataclass with parameters and ``__call__``, and its
``@AUGMENTATIONS.register`` line.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp

from ltjax.core.registry import Registry, registry
from ltjax.core.types import Key

Augmentation: TypeAlias = Callable[[Key, jax.Array], jax.Array]

AUGMENTATIONS: Registry[Callable[..., Any]] = registry("augmentation")

PADDING = 4
"""Pixels by which an image can be moved (paper, Figure 2)."""


@AUGMENTATIONS.register("none")
def none(key: Key, images: jax.Array) -> jax.Array:
    """The images as they are."""
    return images


@AUGMENTATIONS.register("flip_crop")
def flip_crop(key: Key, images: jax.Array) -> jax.Array:
    """Each image mirrored or not, and moved by up to 4 pixels each way: padded with black, then cropped."""
    flip_key, move_key = jax.random.split(key)
    mirrored = jax.random.bernoulli(flip_key, shape=(len(images), 1, 1, 1))
    images = jnp.where(mirrored, images[:, :, ::-1], images)
    edges = (PADDING, PADDING)
    padded = jnp.pad(images, ((0, 0), edges, edges, (0, 0)))
    corners = jax.random.randint(move_key, (len(images), 2), 0, 2 * PADDING + 1)

    def crop(image: jax.Array, corner: jax.Array) -> jax.Array:
        return jax.lax.dynamic_slice(image, (corner[0], corner[1], 0), images.shape[1:])

    return jax.vmap(crop)(padded, corners)
