"""A pair of pure functions as a network."""

from collections.abc import Callable
from functools import cache
from typing import Any

import jax

from ltjax.core.keys import named_key
from ltjax.core.trees import leaves_by_path, nested, replace_leaves
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

    @cache
    def theirs() -> Params:
        """Shapes in the containers that the functions have, such as lists."""
        return jax.eval_shape(make, jax.eval_shape(lambda: named_key(0)))

    def init(key: Key) -> tuple[Params, State]:
        # nested dictionaries, which is what files hold
        return nested(leaves_by_path(trainable(make(key)))), {}

    def apply(params: Params, state: State, batch: Any, train: bool, key: Key) -> tuple[Any, State]:
        keys = {name: key for name in names if name in KEYS}
        own = replace_leaves(theirs(), leaves_by_path(params))
        return in_float32(forward(own, batch, **flags(names, train), **keys)), state

    return Network(jax.jit(init), apply)
