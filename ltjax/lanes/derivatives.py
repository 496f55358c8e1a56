"""Gradients of a task's loss, and products with its Hessian, over any number of training examples."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ltjax.core.found import Options
from ltjax.core.types import Key, Mask, Params, Start
from ltjax.data import Examples
from ltjax.lanes import processes
from ltjax.sparsity import masks
from ltjax.training.step import sum_real
from ltjax.training.task import Task, made


class Differentiated:
    """The mean loss of a task over training examples, which can be differentiated at any params.

    Args:
        task: whose loss it is.
        data: the training split.
        batch: the most examples that are computed at once.
    """

    def __init__(self, task: Task, data: Examples, batch: int) -> None:
        self.task, self.data, self.batch = task, data, batch
        self._compiled = jax.jit(self._summed, static_argnames=("train", "temperature"))

    def gradient(self, at: Start, mask: Mask, key: Key, options: Options) -> Params:
        """As ``Found.gradient``."""
        return self._over(at, mask, None, key, options)

    def hvp(self, at: Start, mask: Mask, vector: Params, key: Key, options: Options) -> Params:
        """As ``Found.hvp``."""
        return self._over(at, mask, vector, key, options)

    def _over(self, at: Start, mask: Mask, vector: Params | None, key: Key, options: Options) -> Params:
        """The first process computes; the others are told."""
        if processes.index():
            found = jax.tree.map(lambda leaf: np.zeros(np.shape(leaf), np.float32), at.params)
        else:
            found = self.here(at, mask, vector, key, options)
        return processes.broadcast(found, 0)

    def here(self, at: Start, mask: Mask, vector: Params | None, key: Key, options: Options) -> Params:
        """The gradient, or the Hessian's product with a vector, by this process's first device alone."""
        positions = drawn(key, self.data.targets, options.examples, self.data.size)
        weights = masks.apply(mask, at.params)
        with jax.default_device(jax.local_devices()[0]):
            return jax.device_get(self._compiled(
                weights, at.state, vector, self.data.take(jnp.asarray(positions)), key,
                train=options.train, temperature=options.temperature,
            ))  # fmt: skip

    def _summed(
        self, weights: Params, state: Any, vector: Params | None, chosen: Examples, key: Key, *, train: bool,
        temperature: float,
    ) -> Params:  # fmt: skip
        """Summed over batches, one after the other, and divided by what the loss is the mean of."""
        loss = made(self.task.loss)

        def of_batch(weights: Params, batch: Examples, key: Key) -> tuple[jax.Array, jax.Array]:
            outputs, _ = self.task.network.apply(weights, state, batch.values(), train, key)
            outputs = jax.tree.map(lambda leaf: leaf / temperature, outputs)
            losses = loss(outputs, batch.targets)
            losses, counted = losses if isinstance(losses, tuple) else (losses, jnp.ones_like(losses))
            return sum_real(losses, batch.real), sum_real(counted, batch.real)

        def derived(batch: Examples, key: Key) -> tuple[Params, jax.Array]:
            gradient = jax.grad(of_batch, has_aux=True)
            if vector is None:
                return gradient(weights, batch, key)
            along = jax.tree.map(lambda leaf, weight: jnp.asarray(leaf, weight.dtype), vector, weights)
            _, product, counted = jax.jvp(
                lambda weights: gradient(weights, batch, key), (weights,), (along,), has_aux=True
            )
            return product, counted

        batches = chosen.batches(self.batch)
        keys = jax.random.split(key, len(batches.real))
        first = jax.eval_shape(derived, *jax.tree.map(lambda leaf: leaf[0], (batches, keys)))
        nothing = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), first)

        def add(total: Any, item: Any) -> tuple[Any, None]:
            return jax.tree.map(jnp.add, total, derived(*item)), None

        (total, counted), _ = jax.lax.scan(add, nothing, (batches, keys))
        whole = jnp.where(counted > 0, counted, 1)
        return jax.tree.map(lambda leaf: leaf.astype(jnp.float32) / whole, total)


def drawn(key: Key, targets: Any, number: int | None, size: int) -> np.ndarray:
    """The positions of some examples, drawn without replacement.

    Args:
        key: for the draw.
        targets: of all examples; where they are classes [examples], equally many of each are drawn, or one
            less.
        number: how many; None for all, in their order.
        size: how many there are.

    Example:
        >>> classes = np.array([0, 0, 0, 0, 1, 1])
        >>> classes[drawn(jax.random.key(0), classes, 4, 6)].tolist()
        [0, 0, 1, 1]
    """
    if number is None or number >= size:
        return np.arange(size)
    order = np.asarray(jax.random.permutation(key, size))
    leaf = np.asarray(jax.tree.leaves(targets)[0])
    if leaf.ndim == 1 and np.issubdtype(leaf.dtype, np.integer):
        classes = leaf[order]
        turn = np.zeros(size, int)  # of an example among those of its class
        for each in np.unique(classes):
            turn[classes == each] = np.arange(np.count_nonzero(classes == each))
        order = order[np.argsort(turn, kind="stable")]
    return np.sort(order[:number])
