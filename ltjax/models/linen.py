"""A Linen module as a network."""

import contextlib
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.errors import InvalidRngError

from ltjax.core.types import Key, Params, State
from ltjax.models import convolution
from ltjax.models.calling import arguments_of, flags
from ltjax.models.network import Inputs, Network, in_float32, one_example, trainable

STATISTICS = "batch_stats"
"""The collection that is state as it is."""


SLASH = ("/", "|")
"""What stands in names for a slash, which parts the names of a path: some wrappers of Flax's have it."""


def linen_network(module: nn.Module, inputs: Inputs, form: convolution.Form) -> Network:
    """The network of a module: params are its ``params``, unboxed, and state is all else that it keeps.

    Random numbers that are not called ``dropout`` come from keys of their own, folded from the lane's.

    Args:
        module: its ``__call__`` takes the inputs, and perhaps says in an argument whether it trains.
        inputs: shapes of one example.
        form: how its convolutions are computed.

    Raises:
        UserError: it takes other arguments; by ``init``, it has no params.

    Example:
        >>> network = linen_network(nn.Dense(3), jax.ShapeDtypeStruct((5,), jnp.float32), "direct")
        >>> params, state = network.init(jax.random.key(0))
        >>> params["kernel"].shape, state
        ((5, 3), {})
    """
    names = arguments_of(module, positional=1)

    def init(key: Key) -> tuple[Params, State]:
        with _own_convolutions(form):
            variables = dict(module.init(key, one_example(inputs), **flags(names, train=False)))
            params = variables.pop("params", {})
            state = _kept(module, params, variables, inputs, flags(names, train=True))
        return trainable(_renamed(nn.meta.unbox(params), *SLASH)), _renamed(nn.meta.unbox(state), *SLASH)

    def apply(params: Params, state: State, batch: Any, train: bool, key: Key) -> tuple[Any, State]:
        with _own_convolutions(form):
            own = _renamed({"params": params, **state}, *SLASH[::-1])
            mutable = list(state) if train else []
            outputs, updated = _applied(module, own, batch, mutable, key, flags(names, train))
        return in_float32(outputs), {**state, **_renamed(updated, *SLASH)}

    return Network(jax.jit(init), apply)


def _applied(
    module: nn.Module, variables: dict[str, Any], batch: Any, mutable: list[str], key: Key,
    said: dict[str, Any],
) -> tuple[Any, Any]:  # fmt: skip
    """A forward pass, with a key for every kind of random number that the module turns out to ask for."""
    rngs = {"dropout": key}
    while True:
        try:
            return module.apply(variables, batch, mutable=mutable, rngs=rngs, **said)
        except InvalidRngError as error:
            asked = re.search(r'PRNG for "(.+?)"', str(error))
            name = asked[1] if asked else "params"
            if name in rngs:
                raise
            rngs[name] = jax.random.fold_in(key, zlib.crc32(name.encode()))


def _kept(
    module: nn.Module, params: Params, variables: dict[str, Any], inputs: Inputs, said: dict[str, Any]
) -> dict[str, Any]:
    """The collections that a forward pass in training leaves in their shapes; what is sown may grow."""
    others = [name for name in variables if name != STATISTICS]
    if not others:
        return variables
    batch = jax.tree.map(lambda leaf: jnp.concatenate([leaf, leaf]), one_example(inputs))
    everything = {"params": params, **variables}
    _, updated = jax.eval_shape(
        lambda: _applied(module, everything, batch, list(variables), jax.random.key(0), said)
    )
    return {
        name: kept
        for name, kept in variables.items()
        if name == STATISTICS or _shapes(kept) == _shapes(updated.get(name, kept))
    }


def _renamed(tree: Any, one: str, other: str) -> Any:
    """Nested dictionaries with a letter of their keys replaced."""
    if not isinstance(tree, Mapping):
        return tree
    return {key.replace(one, other): _renamed(each, one, other) for key, each in tree.items()}


def _shapes(tree: Any) -> Any:
    leaves, structure = jax.tree.flatten(tree)
    return structure, [(leaf.shape, leaf.dtype) for leaf in leaves]


@contextlib.contextmanager
def _own_convolutions(form: convolution.Form) -> Iterator[None]:
    """Every ``nn.Conv`` inside that names no arithmetic of its own has ltjax's, in that form."""
    with convolution.computed(form), nn.intercept_methods(_convolve):
        yield


def _convolve(
    call: Callable[..., Any], arguments: tuple[Any, ...], named: dict[str, Any],
    context: nn.module.InterceptorContext,
) -> Any:  # fmt: skip
    layer = context.module
    if not isinstance(layer, nn.Conv) or layer.conv_general_dilated or layer.conv_general_dilated_cls:
        return call(*arguments, **named)
    # modules are frozen, and a clone would have another scope
    object.__setattr__(layer, "conv_general_dilated", convolution.conv_general_dilated)
    try:
        return call(*arguments, **named)
    finally:
        object.__setattr__(layer, "conv_general_dilated", None)
