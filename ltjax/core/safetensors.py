"""Safetensors: trees of arrays in a file that other tools read and write. The only user of safetensors.

A nested dictionary is flat in the file, its leaves named by path: ``fc1/kernel``. The format is data and
nothing else, so a file of a stranger's can be read and is never run.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from ltjax.core.errors import UserError
from ltjax.core.files import write_whole
from ltjax.core.trees import leaves_by_path, map_with_path
from ltjax.core.types import Params, State

METADATA = "__metadata__"
"""The one name that the format keeps to itself."""


def save_tensors(path: Path, tree: Any, metadata: Mapping[str, str]) -> None:
    """Write a nested dictionary of arrays and some words about it, whole or not at all.

    A key that is empty or has a slash would come back as another tree, so it is refused; a dictionary
    without leaves leaves no trace. Every dtype of NumPy's that the format has is kept, bool included.

    Raises:
        ValueError: a key cannot be part of a name.
        OSError: the file could not be written; what was there before stands.
    """
    leaves = _named(tree)
    # the format is the arrays' memory itself, which must lie in C order
    flat = {name: np.asarray(leaf, order="C") for name, leaf in leaves.items()}
    # safetensors 0.8.0 writes a header that it cannot read where there are neither tensors nor words
    content = save(flat, dict(metadata) or None)
    write_whole(path, lambda file: file.write(content))


def _named(tree: Any) -> dict[str, Any]:
    """The leaves by name; refuses what the names could not bring back."""
    for path, _ in jax.tree_util.tree_leaves_with_path(tree):
        for step in path:
            key = getattr(step, "key", None)
            if not isinstance(key, str) or not key or "/" in key or key == METADATA:
                raise ValueError(f"{step} cannot be part of a tensor's name: keys are words without a slash.")
    return leaves_by_path(tree)


def load_tensors(path: Path) -> dict[str, Any]:
    """The nested dictionary of NumPy arrays in a safetensors file.

    Raises:
        UserError: there is no such file, or it is damaged, something else, or has names that clash.
    """
    tree: dict[str, Any] = {}
    for name, leaf in sorted(_read(path).items()):  # so that "a" comes before "a/b", which it clashes with
        *folders, last = name.split("/")
        node: Any = tree
        for folder in folders:
            node = node.setdefault(folder, {}) if isinstance(node, dict) else None
        if not isinstance(node, dict):
            raise UserError(f"'{path}' names both a tensor and a group of tensors on the way to '{name}'.")
        node[last] = leaf
    return tree


def metadata(path: Path) -> dict[str, str]:
    """The words that a safetensors file has about itself; none where it has none, or is no such file."""
    try:
        with safe_open(path, framework="np") as file:
            return dict(file.metadata() or {})
    except (OSError, SafetensorError):
        return {}


def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        with safe_open(path, framework="np") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError as error:
        raise UserError(f"there is no file '{path}'.") from error
    except OSError as error:
        raise UserError(f"'{path}' cannot be read ({error}).") from error
    except SafetensorError as error:
        raise UserError(f"'{path}' is no safetensors file, or a damaged one ({error}).") from error
    except AttributeError as error:  # of an eight-bit float, which NumPy has no name for
        raise UserError(f"'{path}' holds tensors of a type that NumPy lacks ({error}).") from error


def load_params(path: Path, like: Params) -> Params:
    """The params in a safetensors file, in the shape and dtype of ``like``, a network's own.

    Any float dtype will do; every name and shape must be the network's, and every value finite.

    Args:
        path: the file.
        like: arrays, or their ``jax.ShapeDtypeStruct``.

    Raises:
        UserError: the file cannot be read or does not fit; the message names the first tensor that does not.
    """
    found = leaves_by_path(load_tensors(path))
    if wrong := misfit(found, leaves_by_path(like)):
        raise UserError(f"the params in '{path}' do not fit the network: {wrong}.")
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is told below
        params = map_with_path(lambda name, leaf: found[name].astype(leaf.dtype), like)
    for name, leaf in leaves_by_path(params).items():
        if not np.isfinite(leaf).all():
            raise UserError(f"'{name}' in '{path}' has values that are not finite in {leaf.dtype}.")
    return params


def misfit(found: Mapping[str, Any], needed: Mapping[str, Any]) -> str:
    """The first difference between params by name and those needed, in words; empty where they fit.

    Names and shapes must agree; floats must be of a float dtype, and all else of the dtype that is needed.
    """
    for name, leaf in needed.items():
        if name not in found:
            return f"it lacks '{name}', {_described(leaf)}; it has: {', '.join(found) or 'nothing'}"
    for name, leaf in found.items():
        if name not in needed:
            return f"it has '{name}', {_described(leaf)}, beyond what is needed: {', '.join(needed)}"
        if leaf.shape != needed[name].shape or not _converts(leaf, needed[name]):
            return f"'{name}' is {_described(leaf)} and must be {_described(needed[name])}"
    return ""


def _converts(leaf: Any, needed: Any) -> bool:
    """Whether numbers are of a dtype that can be taken for the one that is needed."""
    floats = jnp.issubdtype(needed.dtype, jnp.floating)
    return bool(jnp.issubdtype(leaf.dtype, jnp.floating) if floats else leaf.dtype == needed.dtype)


def _described(leaf: Any) -> str:
    return f"{leaf.dtype} {list(leaf.shape)}"


STATISTICS = "collections.safetensors"
"""The file of what a network carries beside its params, in the folder of the params' own."""


class Given(NamedTuple):
    """The files that a trial begins with: of its params, and of what the network carries beside them."""

    params: Path
    state: Path | None

    def __str__(self) -> str:
        return f"'{self.params}'" + (f" and '{self.state}'" if self.state else "")


def start_files(template: str, trial: int) -> Given:
    """The files of a trial: ``template`` is the path of that of params, ``{trial}`` in it the trial.

    Beside the params lies what the network carries, where the file tells so; of a file that ltjax did not
    write, ``STATISTICS`` is it. The initial params that an export writes lie beside trained statistics,
    which are not theirs.
    """
    path = Path(template.replace("{trial}", str(trial)))
    known = metadata(path)
    beside = path.parent / known.get("collections", STATISTICS)
    own = "collections" in known or "ltjax" not in known
    return Given(path, beside if own and beside.exists() else None)


def load_start(template: str, trial: int, params: Params, state: State) -> tuple[Params, State | None]:
    """The params that a trial begins with, and what the network carries beside them if that is given.

    Args:
        template: as ``start_files``'s.
        trial: the trial.
        params: the network's own, arrays or shapes.
        state: what the network carries.

    Raises:
        UserError: as ``load_params``.
    """
    files = start_files(template, trial)
    own = load_params(files.state, state) if files.state and state else None
    return load_params(files.params, params), own
