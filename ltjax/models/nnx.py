"""An NNX module as a network: split and merged at each call."""

import zlib
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from ltjax.core.errors import UserError
from ltjax.core.keys import named_key
from ltjax.core.trees import nested
from ltjax.core.types import Key, Params, State
from ltjax.models import convolution
from ltjax.models.blocks import note
from ltjax.models.calling import arguments_of, flags, takes
from ltjax.models.network import Network, in_float32, trainable

Make: TypeAlias = Callable[..., nnx.Module]
"""Makes a module, given ``rngs``."""

Path: TypeAlias = tuple[Any, ...]


def nnx_network(make: Make, form: convolution.Form) -> Network:
    """The network of an NNX class, or of a function of ``rngs`` that makes a module.

    Params are its ``nnx.Param`` as nested dicts; state is every other variable and array but those of random
    numbers, which begin afresh from the lane's key at each call and are not kept.

    Args:
        make: called as ``make(rngs=…)``, or with the rngs by position where it has no such argument.
        form: how its convolutions are computed.

    Raises:
        UserError: what is made is not a module or is called by other arguments; by ``init``, it has no
            params.

    Example:
        >>> network = nnx_network(lambda rngs: nnx.BatchNorm(3, rngs=rngs), "direct")
        >>> params, state = network.init(jax.random.key(0))
        >>> sorted(params), sorted(state)
        (['bias', 'scale'], ['mean', 'var'])
    """
    graph, variables, names = _pattern(make)
    params, drawn, kept = _sorted(variables)

    def init(key: Key) -> tuple[Params, State]:
        module = _made(make, key)
        return trainable(_read(module, params)), _read(module, kept)

    def apply(given: Params, state: State, batch: Any, train: bool, key: Key) -> tuple[Any, State]:
        values = _of(given, params) | _of(state, kept) | {
            path: _drawn(variables[path], path, key) for path in drawn
        }  # fmt: skip
        module = nnx.merge(graph, _state(variables, values))
        module.train() if train else module.eval()
        _notice(module)
        named: dict[str, Any] = {**flags(names, train)}
        if "rngs" in names:
            named["rngs"] = nnx.Rngs(jax.random.fold_in(key, zlib.crc32(b"rngs")))
        with convolution.computed(form):
            outputs = module(batch, **named)
        return in_float32(outputs), _read(module, kept) if train else state

    return Network(jax.jit(init), apply)


def _made(make: Make, key: Key) -> nnx.Module:
    """A module, drawn by a key.

    Raises:
        UserError: the function needs other arguments, or makes something else.
    """
    by_name = takes(make, "rngs")
    arguments_of(make, positional=0 if by_name else 1, given=("rngs",))
    module = make(rngs=nnx.Rngs(key)) if by_name else make(nnx.Rngs(key))
    if not isinstance(module, nnx.Module):
        raise UserError(
            "a network as a function of rngs must return an NNX module, and returned a "
            f"{type(module).__name__}."
        )
    return module


def _pattern(make: Make) -> tuple[Any, dict[Path, Any], tuple[str, ...]]:
    """A module's graph, its variables with shapes for values by path, and what else its call takes."""
    found: list[Any] = []

    def split(key: Key) -> nnx.State[Any, Any]:
        module = _made(make, key)
        _declare_arrays(module)
        graph, state = nnx.split(module)
        found.extend((graph, arguments_of(module, positional=1, given=("rngs",))))
        return state

    state = jax.eval_shape(split, jax.eval_shape(lambda: named_key(0)))
    graph, names = found
    return graph, dict(nnx.to_flat_state(state)), names


def _declare_arrays(module: nnx.Module) -> None:
    """Have arrays that are not variables seen as arrays: under a trace, NNX takes them for constants."""
    nodes = [node for _, node in nnx.iter_graph(module) if isinstance(node, nnx.Pytree)]
    for node in nodes:
        for name, value in list(vars(node).items()):
            if isinstance(value, jax.core.Tracer):
                setattr(node, name, nnx.data(value))


def _sorted(variables: dict[Path, Any]) -> tuple[list[Path], list[Path], list[Path]]:
    """The paths of params, of random numbers, and of what else is kept."""
    params = [path for path, each in variables.items() if isinstance(each, nnx.Param)]
    drawn = [path for path, each in variables.items() if isinstance(each, nnx.RngState)]
    passing = [path for path, each in variables.items() if isinstance(each, nnx.Intermediate)]
    rest = [path for path in variables if path not in {*params, *drawn, *passing}]
    return params, drawn, rest


def _name(path: Path) -> str:
    return "/".join(map(str, path))


def _read(module: nnx.Module, paths: Iterable[Path]) -> dict[str, Any]:
    """What lies at paths, as nested dicts."""
    _declare_arrays(module)
    found = dict(nnx.to_flat_state(nnx.state(module)))
    return nested({_name(path): _value(found[path]) for path in paths})


def _value(node: Any) -> Any:
    return node.get_value() if isinstance(node, nnx.Variable) else node


def _of(tree: Any, paths: Iterable[Path]) -> dict[Path, Any]:
    """The values of nested dicts by path: the inverse of ``_read``."""
    found = {}
    for path in paths:
        node = tree
        for key in path:
            node = node[str(key)]
        found[path] = node
    return found


def _drawn(variable: Any, path: Path, key: Key) -> jax.Array:
    """What a stream of random numbers begins with: a key of its own, or a count of 0."""
    shape = variable.get_value()
    if isinstance(variable, nnx.RngKey):
        own = jax.random.fold_in(key, zlib.crc32(_name(path).encode()))
        return jax.random.split(own, shape.shape) if shape.shape else own
    return jnp.zeros(shape.shape, shape.dtype)


def _state(variables: dict[Path, Any], values: dict[Path, Any]) -> nnx.State[Any, Any]:
    """NNX's state of a module, with those values in its variables."""
    return nnx.from_flat_state(
        (path, each.replace(values[path]) if isinstance(each, nnx.Variable) else values[path])
        for path, each in variables.items()
        if path in values
    )


def _notice(module: nnx.Module) -> None:
    """Tell what the layers of a module are, and give its convolutions ltjax's arithmetic."""
    for path, layer in nnx.iter_modules(module):
        note(_name(path), layer)
        if isinstance(layer, nnx.Conv) and layer.conv_general_dilated is lax.conv_general_dilated:
            layer.conv_general_dilated = convolution.conv_general_dilated
