"""Examples on the device: inputs and targets of any shape and dtype; images are normalised there."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from ltjax.core.keys import named_key

Arrays: TypeAlias = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""Train images, train labels, test images and test labels."""


class Dataset(NamedTuple):
    """A data set in memory, as its source has it.

    Args:
        train_inputs: what a network is given: an array [examples, ...], or a pytree of such.
        train_targets: what it is to answer: classes as whole numbers [examples], or whatever the loss takes.
        test_inputs: as ``train_inputs``, of the test split.
        test_targets: as ``train_targets``, of the test split.
        classes: how many outputs a network made for it has; of classes or regressed numbers that is known.
        mean: by which inputs are standardised on the device, a number or one per channel (the last axis).
        std: as ``mean``. Images, which are uint8 with four axes, are divided by 255 before that, and so lie
            in [0, 1] where neither is given. Anything else is left as it is.
    """

    train_inputs: Any
    train_targets: Any
    test_inputs: Any
    test_targets: Any
    classes: int | None = None
    mean: Sequence[float] | None = None
    std: Sequence[float] | None = None

    @property
    def outputs(self) -> int:
        """How many numbers a network made for it answers with."""
        return outputs_of(self.train_targets) if self.classes is None else self.classes


def size_of(tree: Any) -> int:
    """How many examples arrays hold: the length of their first axis."""
    return len(jax.tree.leaves(tree)[0])


def outputs_of(targets: Any) -> int:
    """The outputs that targets ask for: a class each, or the numbers of an example.

    Example:
        >>> outputs_of(np.array([0, 2, 1])), outputs_of(np.zeros((5, 4))), outputs_of(np.zeros(5))
        (3, 4, 1)
    """
    leaf = np.asarray(jax.tree.leaves(targets)[0])
    if np.issubdtype(leaf.dtype, np.integer) and leaf.size:
        return int(leaf.max()) + 1
    return math.prod(leaf.shape[1:])


def example_of(tree: Any, kept: Callable[[Any], Any]) -> Any:
    """The shapes of one example of arrays, and the dtypes that are ``kept`` of theirs."""
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], kept(leaf.dtype)), tree)


def is_image(leaf: Any) -> bool:
    """Whether examples are images: uint8 [examples, height, width, channels]."""
    return bool(leaf.dtype == np.uint8 and np.ndim(leaf) == 4)


class Examples(NamedTuple):
    """Inputs and targets [n, ...], which of them are examples and not padding [n], and how inputs look.

    ``scale`` and ``shift`` standardise each leaf of inputs; None leaves a leaf, or all of them, as they are.
    """

    inputs: Any
    targets: Any
    real: jax.Array
    scale: Any = None
    shift: Any = None

    @property
    def size(self) -> int:
        """How many there are, padding included."""
        return len(self.real)

    def values(self) -> Any:
        """The inputs as a network takes them: standardised float32 where they are to be, else as they are."""
        if self.scale is None:
            return self.inputs
        return jax.tree.map(_standardised, self.inputs, self.scale, self.shift)

    def take(self, positions: jax.Array) -> "Examples":
        """The examples at these positions."""
        inputs, targets, real = jax.tree.map(
            lambda leaf: leaf[positions], (self.inputs, self.targets, self.real)
        )
        return self._replace(inputs=inputs, targets=targets, real=real)

    def batches(self, size: int, multiple: int = 1) -> "Examples":
        """All examples in equal batches of about ``size``, on a new leading axis of every leaf.

        They are of at most ``size`` examples, or the next multiple of ``multiple``.
        """
        count = math.ceil(self.size / size)
        padding = -self.size % (count * multiple)

        def split(leaf: jax.Array) -> jax.Array:
            padded = jnp.pad(leaf, [(0, padding)] + [(0, 0)] * (leaf.ndim - 1))
            return padded.reshape(count, -1, *leaf.shape[1:])

        def repeat(leaf: jax.Array) -> jax.Array:
            return jnp.broadcast_to(leaf, (count, *leaf.shape))

        inputs, targets, real = jax.tree.map(split, (self.inputs, self.targets, self.real))
        scale, shift = jax.tree.map(repeat, (self.scale, self.shift))
        return Examples(inputs, targets, real, scale, shift)


def _standardised(leaf: jax.Array, scale: jax.Array | None, shift: jax.Array | None) -> jax.Array:
    if scale is None or shift is None:
        return leaf
    return leaf.astype(jnp.float32) * scale + shift


class Splits(NamedTuple):
    """The three splits; validation is held out of the source's training examples."""

    train: Examples
    validation: Examples
    test: Examples


def split(dataset: Dataset, validation: int, seed: int) -> Splits:
    """The splits of a data set: ``validation`` training examples, drawn by seed, are held out.

    Every trial and round sees the same split (paper, section 2: 5,000 sampled at random).
    """
    total = size_of(dataset.train_targets)
    order = np.asarray(jax.random.permutation(named_key(seed, "validation"), total))
    held_out, kept = np.sort(order[:validation]), np.sort(order[validation:])
    scale, shift = looks(dataset)

    def examples(inputs: Any, targets: Any, chosen: Any) -> Examples:
        inputs = jax.tree.map(lambda leaf: jnp.asarray(leaf[chosen], stored(leaf.dtype)), inputs)
        targets = jax.tree.map(lambda leaf: jnp.asarray(leaf[chosen], answered(leaf.dtype)), targets)
        return Examples(inputs, targets, jnp.ones(size_of(targets), bool), scale, shift)

    train = dataset.train_inputs, dataset.train_targets
    return Splits(
        examples(*train, kept),
        examples(*train, held_out),
        examples(dataset.test_inputs, dataset.test_targets, slice(None)),
    )


def looks(dataset: Dataset) -> tuple[Any, Any]:
    """By what each leaf of inputs is multiplied, and what is then added: shaped like one example in a batch.

    So nothing is broadcast to a higher rank. Leaves that stay as they are have None, or all of them together.
    """
    leaves, structure = jax.tree.flatten(dataset.train_inputs)
    pairs = [_look(leaf, dataset.mean, dataset.std) for leaf in leaves]
    if all(scale is None for scale, _ in pairs):
        return None, None
    scale, shift = (jax.tree.unflatten(structure, each) for each in zip(*pairs, strict=True))
    return scale, shift


def _look(leaf: Any, mean: Any, std: Any) -> tuple[jax.Array | None, jax.Array | None]:
    image = is_image(leaf)
    if not image and mean is None and std is None:
        return None, None
    axes = (1,) * (np.ndim(leaf) - 1)
    std = np.asarray((1.0,) if std is None else std, np.float32).reshape(*axes, -1)
    mean = np.asarray((0.0,) if mean is None else mean, np.float32).reshape(*axes, -1)
    return jnp.asarray(1 / (255 * std) if image else 1 / std), jnp.asarray(-mean / std)


def stored(dtype: Any) -> Any:
    """The dtype in which inputs lie on the device: numbers of 64 bits have 32 there."""
    if np.issubdtype(dtype, np.integer) and np.dtype(dtype).itemsize == 8:
        return np.dtype(np.int32)
    return np.dtype(np.float32) if dtype == np.float64 else np.dtype(dtype)


def answered(dtype: Any) -> Any:
    """The dtype of targets on the device: classes are int32."""
    return np.dtype(np.int32) if np.issubdtype(dtype, np.integer) else stored(dtype)
