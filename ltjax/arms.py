"""Arms: what is trained in a round under a name, from the ticket of that trial and round.

An arm is a pure function ``(key, ticket, init) -> Ticket``: ``ticket`` holds θ₀ and the round's mask,
``init(key)`` draws fresh params. The key is the arm's own, for this trial, round and repeat. Adding an arm
takes a function and its ``@ARMS.register`` line; ``--arms.NAME 3`` then trains three repeats of it.
"""

from collections.abc import Callable
from typing import TypeAlias

import jax

from ltjax import masks
from ltjax.registry import Registry
from ltjax.types import Key, Mask, Params, Ticket

Arm: TypeAlias = Callable[[Key, Ticket, Callable[[Key], Params]], Ticket]

ARMS: Registry[Arm] = Registry("arm")


def rewind(theta0: Params, mask: Mask) -> Params:
    """What a ticket starts from: θ₀'s own bits where the mask is True, 0 elsewhere (paper, section 1)."""
    return masks.apply(mask, theta0)


@ARMS.register("ticket")
def ticket(key: Key, found: Ticket, init: Callable[[Key], Params]) -> Ticket:
    """The winning ticket: the mask on the original θ₀ (paper, section 2)."""
    return found


@ARMS.register("reinit")
def reinit(key: Key, found: Ticket, init: Callable[[Key], Params]) -> Ticket:
    """The ticket's mask on a fresh initialisation (paper, section 2, random reinitialisation)."""
    return Ticket(init(key), found.mask)


@ARMS.register("random")
def random(key: Key, found: Ticket, init: Callable[[Key], Params]) -> Ticket:
    """A random mask as dense in every layer as the ticket's, on fresh params (paper, Figures 1 and 14)."""
    return Ticket(init(jax.random.fold_in(key, 0)), masks.shuffle(jax.random.fold_in(key, 1), found.mask))
