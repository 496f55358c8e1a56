"""The kind of every param of a network, by what the network does with it."""

from functools import cache
from typing import Any

import jax

from ltjax.core.errors import unknown
from ltjax.core.keys import named_key
from ltjax.core.trees import leaves_by_path
from ltjax.models import convolution
from ltjax.models.blocks import noted
from ltjax.models.network import Inputs, Network, shapes_like
from ltjax.models.uses import uses

OUTPUT = "output"
"""What a layer is called that is the output layer, wherever it is computed."""

SHORTCUT = "shortcut"
"""What the name of a layer begins with that is a shortcut."""

NEVER_LAST = ("attention", "recurrent", "embedding")
"""Kinds that are not the output by being used last."""


def kinds(network: Network, inputs: Inputs, output: str | None = None) -> dict[str, str | None]:
    """The kind of every leaf of a network's params, by path name.

    A leaf of two axes or more that is multiplied by what depends on the inputs is ``fc``, or ``conv`` where
    it is convolved, ``embedding`` where the inputs say what is looked up in it, ``recurrent`` in a loop over
    time or a recurrent cell, and ``attention`` in Flax's attention. A layer whose name begins with
    ``shortcut`` is one. ``output`` is the layer of that name, else the kernel that is used last, unless it is
    of attention, recurrent or an embedding. None is what is neither pruned nor counted: biases, scales, what
    is only added, and what the network does not use.

    Args:
        network: as ``models.network`` makes it.
        inputs: of one example, as ``models.network`` takes them.
        output: the path of the output layer or of its leaf, in place of the above.

    Raises:
        UserError: ``output`` names nothing that has a kind; the message has the nearest path.

    Example:
        >>> import flax.linen as nn
        >>> from ltjax.models import network
        >>> layers = nn.Sequential([nn.Dense(4), nn.relu, nn.Dense(3)])
        >>> found = kinds(network(layers, (5,)), (5,))
        >>> found["layers_0/kernel"], found["layers_0/bias"], found["layers_2/kernel"]
        ('fc', None, 'output')
    """
    leaves, structure = jax.tree.flatten(shapes_like(inputs))
    found, last = _traced(network, structure, tuple(leaves))
    return {**found, **dict.fromkeys(_output(found, last, output), OUTPUT)}


@cache
def _traced(
    network: Network, structure: Any, leaves: tuple[Any, ...]
) -> tuple[dict[str, str | None], tuple[str, ...]]:
    """The kinds of params but for the output's, and the paths of what is used last."""
    key = jax.eval_shape(lambda: named_key(0))
    params, state = jax.eval_shape(network.init, key)
    batch = [jax.ShapeDtypeStruct((2, *leaf.shape), leaf.dtype) for leaf in leaves]

    def forward(params: Any, batch: Any, state: Any, key: Any) -> Any:
        return network.apply(params, state, batch, True, key)

    with convolution.automatic(), noted() as blocks:
        traced = jax.make_jaxpr(forward)(params, jax.tree.unflatten(structure, batch), state, key)
    shapes = leaves_by_path(params)
    paths = list(shapes)
    found: dict[str, str | None] = dict.fromkeys(paths)
    last: tuple[str, ...] = ()
    for use in uses(traced.jaxpr, len(paths), len(batch)):
        used = tuple(paths[leaf] for leaf in use.leaves if shapes[paths[leaf]].ndim > 1)
        last = used or last
        # what is looked up anywhere is an embedding, be it multiplied elsewhere
        found |= {path: use.kind for path in used if found[path] != "embedding"}
    found |= {path: _refined(path, kind, blocks) for path, kind in found.items() if kind}
    return found, last


def _refined(path: str, kind: str, blocks: dict[str, str]) -> str:
    """The kind of a leaf that is used, by what its layers are and are called."""
    layer = _layer(path)
    if layer.startswith(SHORTCUT):
        return SHORTCUT
    if kind == "embedding":
        return kind
    parts = path.split("/")
    above = ("/".join(parts[:depth]) for depth in range(len(parts), 0, -1))
    return next((blocks[each] for each in above if each in blocks), kind)


def _layer(path: str) -> str:
    """The name of the layer of a leaf; of a leaf that has none, its own."""
    return path.split("/")[-2:][0]


def _output(found: dict[str, str | None], last: tuple[str, ...], output: str | None) -> list[str]:
    """The paths of the output layer's kernels."""
    used = [path for path, kind in found.items() if kind]
    if output is not None:
        if named := [path for path in used if path == output or path.startswith(f"{output}/")]:
            return named
        layers = {path.rpartition("/")[0] for path in used if "/" in path}
        raise unknown("layer or param that could be the output,", output, {*used, *layers})
    if named := [path for path in used if _layer(path) == OUTPUT]:
        return named
    return [path for path in last if found[path] not in (*NEVER_LAST, SHORTCUT)]
