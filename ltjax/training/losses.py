"""Losses by name: what training minimises, of each example.

A loss is a pure function ``(outputs, targets) -> [batch]`` whose mean over examples training
minimises, or ``-> ([batch], [batch])``: sums and what they are divided by, whose quotient is
minimised. Adding one takes a function, or a frozen dataclass with parameters and ``__call__``, and its
``@LOSSES.register`` line.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
import optax

from ltjax.core.errors import UserError
from ltjax.core.registry import Registry, registry
from ltjax.settings.bounds import BELOW_1, MANY, NOT_NEGATIVE, Bound

Loss: TypeAlias = Callable[[Any, Any], Any]

LOSSES: Registry[Callable[..., Any]] = registry("loss")

AUTO = "auto"
"""The loss, or the metric, that the task itself has."""


@LOSSES.register(AUTO)
def auto(outputs: Any, targets: Any) -> Any:
    """The task's own."""
    raise UserError("auto stands for the task's own loss or metric, and the task has none.")


@LOSSES.register("cross_entropy")
@dataclass(frozen=True)
class CrossEntropy:
    """Cross-entropy of softmax over classes; targets are whole numbers, logits [batch, classes]."""

    smoothing: Annotated[float, BELOW_1] = 0.0
    """Share of each target that is spread over all classes alike."""
    class_weights: Annotated[tuple[float, ...], Bound(NOT_NEGATIVE.flaw, most=MANY)] = ()
    """What an example of each class counts, in the mean too; by default all count 1."""

    def __call__(self, outputs: jax.Array, targets: jax.Array) -> Any:
        """The loss of each example; with weights, weighted losses and weights, as PyTorch has them."""
        targets = jnp.maximum(targets, 0)
        losses = optax.softmax_cross_entropy_with_integer_labels(outputs, targets)
        spread = -jax.nn.log_softmax(outputs) if self.smoothing else None
        if not self.class_weights:
            return losses if spread is None else self._smoothed(losses, spread)
        by_class = jnp.asarray(self.class_weights, outputs.dtype)
        losses = losses * by_class[targets]
        return losses if spread is None else self._smoothed(losses, spread * by_class[None]), by_class[
            targets
        ]

    def _smoothed(self, losses: jax.Array, spread: jax.Array) -> jax.Array:
        return (1 - self.smoothing) * losses + self.smoothing * spread.mean(axis=-1)

    def check(self, outputs: Any, targets: Any) -> None:
        """Check that there is an output for every class, and a weight, if any.

        Args:
            outputs: their shape [batch, classes].
            targets: of the training split.

        Raises:
            UserError: there is not.
        """
        check_classes(outputs, targets)
        if self.class_weights and len(self.class_weights) != outputs.shape[-1]:
            raise UserError(
                f"loss.class_weights must be {outputs.shape[-1]} numbers, an output of the network each, "
                f"not {len(self.class_weights)}."
            )


IGNORED = -1
"""The target of a token that does not count."""


@LOSSES.register("token_cross_entropy")
def token_cross_entropy(outputs: jax.Array, targets: jax.Array) -> Any:
    """Cross-entropy per token: logits [batch, tokens, classes], targets [batch, tokens]; -1 does not count.

    The mean is over tokens, not over examples.
    """
    real = targets != IGNORED
    losses = optax.softmax_cross_entropy_with_integer_labels(outputs, jnp.maximum(targets, 0))
    axes = tuple(range(1, targets.ndim))
    return jnp.where(real, losses, 0).sum(axis=axes), real.sum(axis=axes, dtype=jnp.float32)


@LOSSES.register("squared_error")
def squared_error(outputs: jax.Array, targets: jax.Array) -> jax.Array:
    """The square of the difference, averaged over the numbers of an example."""
    return jnp.square(differences(outputs, targets)).mean(axis=-1)


def differences(outputs: jax.Array, targets: jax.Array) -> jax.Array:
    """outputs - targets, flat [batch, numbers]; one number may lack its axis."""
    outputs, targets = outputs.reshape(len(outputs), -1), targets.reshape(len(targets), -1)
    return outputs - targets.astype(outputs.dtype)


def check_classes(outputs: Any, targets: Any) -> None:
    """Check that whole-number targets all have an output.

    Raises:
        UserError: one has not.
    """
    targets = np.asarray(targets)
    if targets.dtype.kind not in "iu":
        raise UserError(f"cross-entropy needs classes, whole numbers, as targets, not {targets.dtype}.")
    if (most := int(targets.max())) >= outputs.shape[-1] or targets.min() < IGNORED:
        raise UserError(
            f"the network has {outputs.shape[-1]} outputs, and the targets go from {int(targets.min())} to "
            f"{most}: each class, from 0 on, needs an output."
        )
