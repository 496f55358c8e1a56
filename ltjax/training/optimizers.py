"""Optimizers by name, from Optax.

An optimizer is called with the learning rate of a step, which is traced: ``(rate) ->
optax.GradientTransformation``. Adding one takes a function, or a frozen dataclass with parameters and
``__call__``, and its ``@OPTIMIZERS.register`` line.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

import optax

from ltjax.core.registry import Registry, registry
from ltjax.settings.bounds import BELOW_1
from ltjax.settings.schema import Train

Optimizer: TypeAlias = Callable[[Any], optax.GradientTransformation]

OPTIMIZERS: Registry[Callable[..., Any]] = registry("optimizer")


@OPTIMIZERS.register("adam")
def adam(rate: Any) -> optax.GradientTransformation:
    """Adam with Optax's betas (0.9, 0.999) and eps (1e-8); the paper states only its learning rate."""
    return optax.adam(rate)


@OPTIMIZERS.register("sgd")
def sgd(rate: Any) -> optax.GradientTransformation:
    """Plain stochastic gradient descent."""
    return optax.sgd(rate)


@OPTIMIZERS.register("momentum")
@dataclass(frozen=True)
class Momentum:
    """Stochastic gradient descent with momentum."""

    momentum: Annotated[float, BELOW_1] = 0.9
    """Share of the last update that is added to the next."""

    def __call__(self, rate: Any) -> optax.GradientTransformation:
        """The optimizer at a learning rate."""
        return optax.sgd(rate, momentum=self.momentum)


def make_optimizer(train: Train) -> optax.GradientTransformation:
    """The optimizer of a configuration; weight decay is added to the gradients, before all else.

    Raises:
        UserError: there is none of that name.
    """
    optimizer = train.optimizer.make()(train.learning_rate)
    if not train.weight_decay:
        return optimizer
    return optax.chain(optax.add_decayed_weights(train.weight_decay), optimizer)
