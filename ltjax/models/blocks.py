"""Layers whose kernels have a kind by what the layer is: attention and recurrent cells, of Linen and NNX."""

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

import flax.linen as nn
from flax import nnx

BLOCKS: dict[str, tuple[type, ...]] = {
    "attention": (nn.MultiHeadDotProductAttention, nnx.MultiHeadAttention),
    "recurrent": (nn.recurrent.RNNCellBase, nnx.RNNCellBase),
}
"""The classes of such layers, by kind."""

_NOTED: ContextVar[dict[str, str] | None] = ContextVar("noted", default=None)


@contextlib.contextmanager
def noted() -> Iterator[dict[str, str]]:
    """The kinds of such layers by their path, filled while a network is traced inside.

    Example:
        >>> with noted() as blocks:
        ...     note("decoder/cell", nn.GRUCell(3))
        >>> blocks
        {'decoder/cell': 'recurrent'}
    """
    found: dict[str, str] = {}
    token = _NOTED.set(found)
    try:
        with nn.intercept_methods(_intercept):
            yield found
    finally:
        _NOTED.reset(token)


def note(path: str, layer: Any) -> None:
    """Note what a layer is, where somebody asks."""
    found = _NOTED.get()
    if found is None:
        return
    for kind, classes in BLOCKS.items():
        if isinstance(layer, classes):
            found[path] = kind


def _intercept(
    call: Callable[..., Any], arguments: tuple[Any, ...], named: dict[str, Any],
    context: nn.module.InterceptorContext,
) -> Any:  # fmt: skip
    if context.module.scope is not None:  # a cell outside a network may be asked for its first carry
        note("/".join(context.module.path), context.module)
    return call(*arguments, **named)
