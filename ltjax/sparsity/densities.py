"""Densities: how many weights each layer keeps, in whole numbers, from sizes alone.

A function of densities is pure, ``(layers, kept) -> {path: number}``: ``layers`` are those that are pruned,
by path, and ``kept`` how many weights they keep in all. Adding one takes a function, or a frozen dataclass
with parameters and ``__call__``, and its ``@DENSITIES.register`` line.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from ltjax.core.errors import UserError, shown
from ltjax.core.registry import Registry, registry


class Layer(NamedTuple):
    """A layer that is pruned: the shape of its weights, how many of them are alive, and its rate."""

    shape: tuple[int, ...]
    alive: int
    rate: float

    @property
    def size(self) -> int:
        """All its weights."""
        return int(np.prod(self.shape, dtype=int))


Densities: TypeAlias = Callable[[Mapping[str, Layer], int], Mapping[str, int]]

DENSITIES: Registry[Callable[..., Any]] = registry("densities")


@DENSITIES.register("rates")
def rates(layers: Mapping[str, Layer], kept: int) -> dict[str, int]:
    """As the rates say: what goes of a layer is in proportion to its rate (the paper's, section 2)."""
    gone = sum(layer.alive for layer in layers.values()) - kept
    return {
        path: layers[path].alive - number
        for path, number in spread(
            {path: layer.rate * layer.alive for path, layer in layers.items()},
            {path: layer.alive for path, layer in layers.items()},
            gone,
        ).items()
    }


@DENSITIES.register("uniform")
def uniform(layers: Mapping[str, Layer], kept: int) -> dict[str, int]:
    """The same share of every layer."""
    return _spread({path: float(layer.size) for path, layer in layers.items()}, layers, kept)


@DENSITIES.register("erk")
def erk(layers: Mapping[str, Layer], kept: int) -> dict[str, int]:
    """Erdős–Rényi-Kernel: density goes by the sum of a kernel's axes over their product (Evci et al. 2020).

    Layers that would have more than all their weights keep all, and the others are solved for again.
    """
    return _spread({path: float(sum(layer.shape)) for path, layer in layers.items()}, layers, kept)


@DENSITIES.register("balanced")
def balanced(layers: Mapping[str, Layer], kept: int) -> dict[str, int]:
    """As many weights in every layer, and of one that is smaller than that all."""
    return _spread(dict.fromkeys(layers, 1.0), layers, kept)


def _spread(shares: Mapping[str, float], layers: Mapping[str, Layer], kept: int) -> dict[str, int]:
    return spread(shares, {path: layer.alive for path, layer in layers.items()}, kept)


def spread(shares: Mapping[str, float], most: Mapping[str, int], total: int) -> dict[str, int]:
    """A total in proportion to shares, in whole numbers, none more than its ``most``.

    Where one would be more, it is that, and the others are solved for again. What rounding leaves goes to the
    greatest remainders, the first of equal ones.

    Example:
        >>> spread({"a": 1, "b": 1, "c": 2}, {"a": 1, "b": 9, "c": 9}, 10)
        {'a': 1, 'b': 3, 'c': 6}
    """
    full: set[str] = set()
    while True:
        left = total - sum(most[path] for path in full)
        whole = sum(share for path, share in shares.items() if path not in full)
        exact = {path: float(most[path]) if path in full else left * share / whole if whole else 0.0
                 for path, share in shares.items()}  # fmt: skip
        beyond = {path for path, number in exact.items() if path not in full and number > most[path]}
        if not beyond:
            break
        full |= beyond
    found = {path: int(number) for path, number in exact.items()}
    order = sorted((path for path in shares if path not in full), key=lambda path: found[path] - exact[path])
    for path in order[: total - sum(found.values())]:
        found[path] += 1
    return found


def checked(found: Any, name: str, layers: Mapping[str, Layer], kept: int) -> dict[str, int]:
    """What densities gave, once it is known to be whole numbers of these layers that make ``kept``.

    Raises:
        UserError: it is not.
    """
    whose = f"the densities {shown(name)}"
    if not isinstance(found, Mapping) or set(found) != set(layers):
        raise UserError(
            f"{whose} must give a number for each layer ({', '.join(layers)}), not {shown(found)}."
        )
    for path, number in found.items():
        if not isinstance(number, int | np.integer) or not 0 <= number <= layers[path].alive:
            raise UserError(
                f"{whose} must keep a whole number from 0 to {layers[path].alive} of {path}, not "
                f"{shown(number)}."
            )
    if (total := sum(found.values())) != kept:
        raise UserError(f"{whose} keep {total} weights in all, where {kept} are asked for.")
    return {path: int(number) for path, number in found.items()}
