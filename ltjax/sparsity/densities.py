"""Densities: how many weights each layer keeps, in whole numbers, from sizes alone.

A function of densities is pure, ``(layers, kept) -> {path: number}``: ``layers`` are those that are pruned,
by path, and ``kept`` how many weights they keep in all. Adding one takes a function, or a frozen dataclass
with parameters and ``__call__``, and its ``@DENSITIES.register`` line.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple, TypeAlias

import numpy as np

from ltjax.core.errors import UserError, shown
from ltjax.core.registry import Registry, registry
from ltjax.settings.bounds import share


class Layer(NamedTuple):
    """A layer that is pruned: the shape of its weights, how many of them are alive, its rate and its kind."""

    shape: tuple[int, ...]
    alive: int
    rate: float
    kind: str = "fc"

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


@DENSITIES.register("smart_ratio")
@dataclass(frozen=True)
class SmartRatio:
    """Ever less towards the output: (L - l + 1)² + (L - l + 1) for layer l of L (Su et al. 2020).

    Layers are counted from the input: embeddings and convolutions, then all others, the output last, each of
    these by name. Those that would have more than all their weights keep all, and the others are solved for
    again; what they too have no room for is left in the output layer.
    """

    output: Annotated[float, share()] = 0.3
    """Share of the output layer's weights that stay, however many do in all."""
    steep: bool = False
    """Whether a layer's share is divided by l² too, as theirs is in VGG."""

    def __call__(self, layers: Mapping[str, Layer], kept: int) -> dict[str, int]:
        """How many weights each layer keeps.

        Raises:
            UserError: they are fewer than the output layer's share.
        """
        order = from_input(layers)
        fixed = {path: min(round(self.output * layer.size), layer.alive)
                 for path, layer in layers.items() if layer.kind == "output"}  # fmt: skip
        others = {path: self._ratio(place, len(order)) * layers[path].size
                  for place, path in enumerate(order, start=1) if path not in fixed}  # fmt: skip
        rest, room = kept - sum(fixed.values()), sum(layers[path].alive for path in others)
        if rest < 0:
            raise UserError(
                f"prune.densities smart_ratio leaves {sum(fixed.values())} weights in {' and '.join(fixed)}, "
                f"and {kept} are to stay in all; choose a smaller --prune.densities.output."
            )
        if rest > room:
            fixed = _spread(fixed, layers, kept - room)
        found = _spread(others, layers, min(rest, room)) | fixed
        return {path: found[path] for path in layers}

    def _ratio(self, place: int, last: int) -> float:
        left = last - place + 1
        return (left**2 + left) / (place**2 if self.steep else 1)


INPUTS = ("embedding", "conv", "shortcut")
"""Kinds of layers that come before others."""


def from_input(layers: Mapping[str, Layer]) -> list[str]:
    """Layers as they lie between input and output, as far as kinds and names tell; numbers as numbers.

    Example:
        >>> conv, fc = Layer((3, 3, 1, 2), 18, 0.2, "conv"), Layer((2, 2), 4, 0.2, "fc")
        >>> from_input({"fc1": fc, "stage10": conv, "stage2": conv})
        ['stage2', 'stage10', 'fc1']
    """

    def place(path: str) -> tuple[int, Iterable[str | int]]:
        kind = layers[path].kind
        words = [int(word) if word.isdigit() else word for word in re.split(r"([0-9]+)", path)]
        return 0 if kind in INPUTS else 2 if kind == "output" else 1, words

    return sorted(layers, key=place)


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
