"""Rewinding: what a lane starts from once its mask is known (paper, section 1)."""

from collections.abc import Callable
from typing import Any

from ltjax.core.registry import Registry, registry
from ltjax.core.types import Mask, Params, Ticket
from ltjax.sparsity import masks


def rewind(theta0: Params, mask: Mask) -> Params:
    """What a ticket starts from: θ₀'s own bits where the mask is True, 0 elsewhere (paper, section 1)."""
    return masks.apply(mask, theta0)


REWINDINGS: Registry[Callable[..., Any]] = registry("rewinding")


@REWINDINGS.register("original")
def original(found: Any) -> Ticket:
    """Survivors begin again at θ₀, at step 0 (paper, section 1)."""
    return Ticket(found.params, found.mask)
