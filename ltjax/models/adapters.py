"""Networks of configurations, and of what a user has: a Linen module, an NNX class, or two functions."""

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any, TypeAlias

import flax.linen as nn
import jax
from flax import nnx

from ltjax.core.errors import UserError, shown
from ltjax.models import convolution
from ltjax.models.linen import linen_network
from ltjax.models.network import MODELS, Inputs, Network, shapes_like
from ltjax.models.nnx import nnx_network
from ltjax.models.pure import pure_network
from ltjax.settings.schema import Model

Module: TypeAlias = Any
"""A Linen module, an NNX class or function of ``rngs``, a ``Network``, or a pair of pure functions."""


class _Same:
    """An object as a cache's key: equal to nothing but itself."""

    def __init__(self, each: Any) -> None:
        self.each = each

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.each is self.each

    def __hash__(self) -> int:
        return id(self.each)


def network(module: Module, inputs: Inputs, form: convolution.Form = "direct") -> Network:
    """The network of what a user has; the same one for the same module, inputs and form.

    Args:
        module: a Linen module whose ``__call__`` takes the inputs as one argument and may have another
            that says whether it trains (``train``, ``deterministic``, …); an NNX class, or a function of
            ``rngs`` that makes an NNX module; a ``Network``, which stays as it is; or a pair of functions,
            ``init(key) -> params`` and ``apply(params, inputs) -> outputs``, the latter perhaps with
            arguments ``train`` and ``key``.
        inputs: a pytree of one example's ``jax.ShapeDtypeStruct``, without the axis of the batch; or the
            shape alone, of float32.
        form: how its convolutions are computed.

    Raises:
        UserError: the module is none of these, has no params, or is called by other arguments.

    Example:
        >>> made = network(nn.Dense(3), (5,))
        >>> params, state = made.init(jax.random.key(0))
        >>> made.apply(params, state, jax.numpy.ones((2, 5)), True, jax.random.key(1))[0].shape
        (2, 3)
    """
    if isinstance(module, Network):
        return module
    leaves, structure = jax.tree.flatten(shapes_like(inputs))
    parts = module if isinstance(module, tuple) else (module,)
    return _network(tuple(map(_Same, parts)), structure, tuple(leaves), form)


@cache
def _network(
    parts: tuple[_Same, ...], structure: Any, leaves: tuple[Any, ...], form: convolution.Form
) -> Network:
    """Made once, so that all who ask for a network share what JAX has traced and compiled of it."""
    given = [each.each for each in parts]
    if len(given) == 2 and all(map(callable, given)):
        return pure_network(*given)
    (module,) = given if len(given) == 1 else (tuple(given),)
    if isinstance(module, nn.Module):
        return linen_network(module, jax.tree.unflatten(structure, leaves), form)
    if callable(module) and not _is_made(module):
        return nnx_network(module, form)
    raise UserError(_refused(module))


def _is_made(module: Any) -> bool:
    """Whether something that can be called is not a function of rngs: a Linen class, or an NNX module."""
    return isinstance(module, nnx.Module) or (inspect.isclass(module) and issubclass(module, nn.Module))


def _refused(module: Any) -> str:
    if inspect.isclass(module):
        return f"a Linen module is given as an instance, such as {module.__name__}(), and not as its class."
    if isinstance(module, nnx.Module):
        name = type(module).__name__
        return (
            f"an NNX module is given as its class or as a function, such as lambda rngs: {name}(rngs=rngs), "
            "so that every trial draws its own."
        )
    return (
        "a network is a Linen module, an NNX class or a function of rngs, or a pair of functions (init, "
        f"apply), and not {shown(module)}."
    )


def make_network(model: Model, inputs: Inputs, classes: int, form: convolution.Form = "direct") -> Network:
    """The network of a configuration.

    Args:
        model: says which network, and of which sizes.
        inputs: of one example, such as an image [height, width, channels], as ``network`` takes them.
        classes: logits.
        form: how its convolutions are computed.

    Raises:
        UserError: no such model or initializer, or sizes that cannot be.
    """
    for name in ("widths", "channels"):
        if min(getattr(model, name) or (), default=1) < 1:
            raise UserError(f"model.{name} must be at least 1 each, not {getattr(model, name)}.")
    if not 0 <= model.dropout < 1:
        raise UserError(f"model.dropout must lie in [0, 1), not {model.dropout}.")
    return network(_module(MODELS.find(model.name), model, classes), inputs, form)


@cache
def _module(make: Callable[[Model, int], nn.Module], model: Model, classes: int) -> nn.Module:
    return make(model, classes)
