"""Pytrees seen as leaves by path name, such as ``fc1/kernel``."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def path_name(path: Any) -> str:
    """A leaf's name from JAX's key path: the keys joined by slashes."""
    return jax.tree_util.keystr(path, simple=True, separator="/")


def leaves_by_path(tree: Any) -> dict[str, Any]:
    """The leaves of a pytree by path name, in the tree's own order.

    Example:
        >>> leaves_by_path({"fc1": {"bias": 0, "kernel": 1}})
        {'fc1/bias': 0, 'fc1/kernel': 1}
    """
    return {path_name(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


def map_with_path(function: Callable[..., Any], tree: Any, *rest: Any) -> Any:
    """``jax.tree.map`` whose function also gets the leaf's path name, first."""
    return jax.tree.map_with_path(lambda path, *leaves: function(path_name(path), *leaves),
                                  tree, *rest)  # fmt: skip


def replace_leaves(tree: Any, leaves: Mapping[str, Any]) -> Any:
    """The tree with the leaves named in ``leaves`` replaced and all others as they were."""
    return map_with_path(lambda path, leaf: leaves.get(path, leaf), tree)


def stack(trees: Sequence[Any]) -> Any:
    """Trees of one shape as one tree of NumPy arrays with a new leading axis."""
    return jax.tree.map(lambda *leaves: np.stack([np.asarray(leaf) for leaf in leaves]), *trees)


def take(tree: Any, index: int) -> Any:
    """The tree at ``index`` of the leading axis: the inverse of ``stack``."""
    return jax.tree.map(lambda leaf: leaf[index], tree)


def keys_like(key: jax.Array, tree: Any) -> Any:
    """A key of its own for every leaf of a tree, by the leaf's place in it."""
    leaves, treedef = jax.tree.flatten(tree)
    return jax.tree.unflatten(treedef, list(jax.random.split(key, len(leaves))))


def read_only(tree: Any) -> Any:
    """The tree in containers of its own, its arrays as NumPy views that refuse to be written.

    Keys and what is not an array stay as they are.

    Example:
        >>> read_only({"bias": np.zeros(2)})["bias"][0] = 1
        Traceback (most recent call last):
        ValueError: assignment destination is read-only
    """
    return jax.tree.map(_read_only, tree)


def _read_only(leaf: Any) -> Any:
    is_key = isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    if is_key or not isinstance(leaf, jax.Array | np.ndarray):
        return leaf
    view = np.asarray(leaf).view()
    view.flags.writeable = False
    return view


def nested(leaves: Mapping[str, Any]) -> dict[str, Any]:
    """Leaves by path name as nested dictionaries: the inverse of ``leaves_by_path`` for such.

    Example:
        >>> nested({"fc1/bias": 0, "fc1/kernel": 1})
        {'fc1': {'bias': 0, 'kernel': 1}}
    """
    tree: dict[str, Any] = {}
    for path, leaf in leaves.items():
        *folders, last = path.split("/")
        node = tree
        for folder in folders:
            node = node.setdefault(folder, {})
        node[last] = leaf
    return tree


def fingerprint(tree: Any) -> str:
    """Tell a pytree of NumPy arrays by what they are: the names, shapes, dtypes and bytes of all leaves.

    Returns:
        32 hexadecimal digits. Byte order and the layout in memory count for nothing.

    Raises:
        TypeError: a leaf is no array of numbers or texts.

    Example:
        >>> fingerprint({"x": np.zeros(2)}) == fingerprint({"x": np.zeros(4)[::2]})
        True
    """
    found = hashlib.blake2b(digest_size=16)
    for name, leaf in leaves_by_path(tree).items():
        array = np.asarray(leaf)
        if array.dtype.hasobject:
            raise TypeError(f"{name} holds Python objects, not numbers")
        found.update(f"{name} {array.shape} {array.dtype.name};".encode())
        little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        found.update(np.ascontiguousarray(little).reshape(-1).view(np.uint8).data)
    return found.hexdigest()
