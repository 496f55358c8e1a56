"""Optimizers by name, from Optax.

Adding one takes a function ``(Train) -> optax.GradientTransformation`` and its ``@OPTIMIZERS.register`` line.
"""

from collections.abc import Callable

import optax

from ltjax.config import Train
from ltjax.registry import Registry

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
    """The optimizer of a configuration.

    Raises:
        UserError: there is none of that name.
    """
    return OPTIMIZERS.find(train.optimizer)(train)
