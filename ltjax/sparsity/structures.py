"""Structures: which layers' weights are ranked together when a round is pruned.

A structure is a pure function of the rates of all layers that are pruned, by leaf path: ``(rates) -> {group:
rate}``. Adding one takes a function, or a frozen dataclass with parameters and ``__call__``, and its
``@STRUCTURES.register`` line.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from ltjax.core.errors import UserError
from ltjax.core.registry import Registry, registry

Group: TypeAlias = tuple[str, ...]
"""Path names of the layers whose weights are ranked together."""

Structure: TypeAlias = Callable[[Mapping[str, float]], dict[Group, float]]

STRUCTURES: Registry[Callable[..., Any]] = registry("structure")


@STRUCTURES.register("layer")
def layer(rates: Mapping[str, float]) -> dict[Group, float]:
    """Each layer by itself (paper, section 2)."""
    return {(path,): rate for path, rate in rates.items()}


@STRUCTURES.register("global")
def together(rates: Mapping[str, float]) -> dict[Group, float]:
    """All prunable layers together, at one rate (paper, section 4).

    Raises:
        UserError: there are several rates.
    """
    firsts = {rate: path for path, rate in reversed(dict(rates).items())}
    if len(firsts) != 1:
        raise UserError(
            "prune.structure global ranks all layers together, so it needs one rate for every pruned layer, "
            f"not {' and '.join(f'{rate} for {path}' for rate, path in firsts.items())}."
        )
    return {tuple(rates): next(iter(rates.values()))}
