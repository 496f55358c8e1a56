"""Optimizers by name, from Optax, and how their learning rate goes.

Adding one takes a function ``(Train) -> optax.GradientTransformation`` and its ``@OPTIMIZERS.register`` line.
"""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import optax

from ltjax.core.registry import Registry
from ltjax.settings.schema import Train

OPTIMIZERS: Registry[Callable[[Train], optax.GradientTransformation]] = Registry("optimizer")


@OPTIMIZERS.register("adam")
def adam(train: Train) -> optax.GradientTransformation:
    """Adam with Optax's betas (0.9, 0.999) and eps (1e-8); the paper states only its learning rate."""
    return optax.adam(train.learning_rate)


@OPTIMIZERS.register("sgd")
def sgd(train: Train) -> optax.GradientTransformation:
    """Plain stochastic gradient descent."""
    return optax.sgd(train.learning_rate)


@OPTIMIZERS.register("momentum")
def momentum(train: Train) -> optax.GradientTransformation:
    """Stochastic gradient descent with ``train.momentum``."""
    return optax.sgd(train.learning_rate, momentum=train.momentum)


def make_optimizer(train: Train) -> optax.GradientTransformation:
    """The optimizer of a configuration; weight decay is added to the gradients, before all else.

    Raises:
        UserError: there is none of that name.
    """
    optimizer = OPTIMIZERS.find(train.optimizer)(train)
    if not train.weight_decay:
        return optimizer
    return optax.chain(optax.add_decayed_weights(train.weight_decay), optimizer)


def scheduled(rate: Any, warmup: Any, drops: tuple[int, ...], step: Any) -> Any:
    """The learning rate of a step (paper, section 4): a linear rise, then a tenth from each drop on.

    Args:
        rate: what it rises to.
        warmup: steps of the rise; the last of them is the first at the whole rate. 0 for none.
        drops: steps from which on it is a tenth of what it was.
        step: counted from 0.

    Example:
        >>> [round(float(scheduled(0.4, 4, (6,), step)), 3) for step in range(7)]
        [0.1, 0.2, 0.3, 0.4, 0.4, 0.4, 0.04]
    """
    rate = rate * jnp.minimum((step + 1) / jnp.maximum(warmup, 1), 1)
    for drop in drops:
        rate = jnp.where(step >= drop, rate / 10, rate)
    return rate
