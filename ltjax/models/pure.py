"""A pair of pure functions as a network."""

from collections.abc import Callable
from typing import Any

import jax

from ltjax.core.types import Key, Params, State
from ltjax.models.calling import arguments_of, flags
from ltjax.models.network import Network, in_float32, trainable

KEYS = ("key", "rng")
"""What an argument is called that takes a random key."""


def pure_network(make: Callable[[Key], Params], forward: Callable[..., Any]) -> Network:
    """The network of ``init(key) -> params`` and ``apply(params, inputs) -> outputs``; it has no state.

    Args:
        make: draws the params.
        forward: the forward pass; it may take ``train`` and ``key`` too.

    Raises:
        UserError: a function takes other arguments; by ``init``, there are no params.

    Example:
        >>> network = pure_network(lambda key: {"w": jax.random.normal(key, (3, 2))}, lambda p, x: x @ p["w"])
        >>> params, state = network.init(jax.random.key(0))
        >>> network.apply(params, state, jax.numpy.ones((5, 3)), True, jax.random.key(1))[0].shape
        (5, 2)
    """
    arguments_of(make, positional=1)
    names = arguments_of(forward, positional=2, given=KEYS)

    def init(key: Key) -> tuple[Params, State]:
        return trainable(make(key)), {}

    def apply(params: Params, state: State, batch: Any, train: bool, key: Key) -> tuple[Any, State]:
        keys = {name: key for name in names if name in KEYS}
        return in_float32(forward(params, batch, **flags(names, train), **keys)), state

    return Network(jax.jit(init), apply)
