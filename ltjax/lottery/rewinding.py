"""Rewinding: what a lane starts from once its mask is known (paper, section 1)."""

from ltjax.core.types import Mask, Params
from ltjax.sparsity import masks


def rewind(theta0: Params, mask: Mask) -> Params:
    """What a ticket starts from: θ₀'s own bits where the mask is True, 0 elsewhere (paper, section 1)."""
    return masks.apply(mask, theta0)
