"""Examples on the device: uint8 images and labels, normalised where they are used."""

import math
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from ltjax.core.errors import UserError
from ltjax.core.keys import named_key

Arrays: TypeAlias = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""Train images, train labels, test images and test labels."""


class Dataset(NamedTuple):
    """A data set in memory, as its source has it.

    Images are uint8 [examples, height, width, channels], labels integers [examples] below ``classes``;
    ``mean`` and ``std`` per channel say how images in [0, 1] are standardised.
    """

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    classes: int
    mean: Sequence[float] = (0.0,)
    std: Sequence[float] = (1.0,)


def check_dataset(dataset: Dataset) -> None:
    """Check arrays that a user made.

    Raises:
        UserError: what is wrong with which array, and what it should be.
    """
    for split in ("train", "test"):
        images, labels = getattr(dataset, f"{split}_images"), getattr(dataset, f"{split}_labels")
        if images.ndim != 4 or images.dtype != np.uint8:
            raise UserError(
                f"{split}_images must be uint8 [examples, height, width, channels], "
                f"not {images.dtype} {list(images.shape)}."
            )
        if labels.shape != images.shape[:1] or not len(labels):
            raise UserError(
                f"{split}_labels must be one for each of {len(images)} images, not {labels.shape}."
            )
        if (
            not np.issubdtype(labels.dtype, np.integer)
            or not 0 <= labels.min() <= labels.max() < dataset.classes
        ):
            raise UserError(f"{split}_labels must be whole numbers from 0 to {dataset.classes - 1}.")
    if dataset.train_images.shape[1:] != dataset.test_images.shape[1:]:
        raise UserError("train_images and test_images differ in height, width or channels.")


class Examples(NamedTuple):
    """Images [..., height, width, channels] uint8 and labels [...] int32; label -1 marks padding."""

    images: jax.Array
    labels: jax.Array
    scale: jax.Array
    shift: jax.Array

    def floats(self) -> jax.Array:
        """The images as standardised float32."""
        return self.images.astype(jnp.float32) * self.scale + self.shift

    def take(self, positions: jax.Array) -> "Examples":
        """The examples at these positions."""
        return self._replace(images=self.images[positions], labels=self.labels[positions])

    def batches(self, size: int, multiple: int = 1) -> "Examples":
        """All examples in equal batches of about ``size``, on a new leading axis of every leaf.

        They are of at most ``size`` examples, or the next multiple of ``multiple``.
        """
        count = math.ceil(len(self.labels) / size)
        padding = -len(self.labels) % (count * multiple)

        def split(leaf: jax.Array, fill: int) -> jax.Array:
            padded = jnp.pad(leaf, [(0, padding)] + [(0, 0)] * (leaf.ndim - 1), constant_values=fill)
            return padded.reshape(count, -1, *leaf.shape[1:])

        def repeat(leaf: jax.Array) -> jax.Array:
            return jnp.broadcast_to(leaf, (count, *leaf.shape))

        return Examples(split(self.images, 0), split(self.labels, -1), repeat(self.scale), repeat(self.shift))


class Splits(NamedTuple):
    """The three splits; validation is held out of the source's training examples."""

    train: Examples
    validation: Examples
    test: Examples


def split(dataset: Dataset, validation: int, seed: int) -> Splits:
    """The splits of a data set: ``validation`` training examples, drawn by seed, are held out.

    Every trial and round sees the same split (paper, section 2: 5,000 sampled at random).
    """
    total = len(dataset.train_labels)
    order = np.asarray(jax.random.permutation(named_key(seed, "validation"), total))
    held_out, kept = np.sort(order[:validation]), np.sort(order[validation:])

    def examples(images: np.ndarray, labels: np.ndarray) -> Examples:
        # shaped like one image in a batch, so that nothing is broadcast to a higher rank
        std = np.asarray(dataset.std, np.float32).reshape(1, 1, 1, -1)
        scale = 1 / (255 * std)
        shift = -np.asarray(dataset.mean, np.float32).reshape(1, 1, 1, -1) / std
        return Examples(
            jnp.asarray(images),
            jnp.asarray(labels, jnp.int32),
            jnp.asarray(scale),
            jnp.asarray(shift),
        )

    return Splits(
        examples(dataset.train_images[kept], dataset.train_labels[kept]),
        examples(dataset.train_images[held_out], dataset.train_labels[held_out]),
        examples(dataset.test_images, dataset.test_labels),
    )
