"""Arms: what is trained in a round under a name, from what was found for that trial and round.

An arm is a pure function ``(key, found, ticket, init) -> Ticket``: ``ticket`` is the rewound ticket, of which
an arm changes a field, and so goes with every rewinding; ``found`` holds θ₀, the round's mask and what the
round before left; ``init(key)`` draws fresh params. The key is the arm's own, for this trial, round and
repeat. Adding an arm takes a function and its ``@ARMS.register`` line; ``--arms.NAME 3`` then trains three
repeats of it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from ltjax.core.found import Found
from ltjax.core.registry import Registry
from ltjax.core.trees import keys_like, leaves_by_path, map_with_path
from ltjax.core.types import Key, Mask, Params, Ticket
from ltjax.sparsity import masks

Init: TypeAlias = Callable[[Key], Params]
"""Draws fresh params."""

Arm: TypeAlias = Callable[[Key, Found, Ticket, Init], Ticket]

ARMS: Registry[Arm] = Registry("arm")


def in_order(arms: Iterable[str]) -> list[str]:
    """Tickets first, then the other arms as they are registered; those that are not, last and by name.

    Example:
        >>> in_order(["mine", "random", "reinit", "ticket"])
        ['ticket', 'reinit', 'random', 'mine']
    """
    known = {arm: at for at, arm in enumerate(ARMS)}
    return sorted(arms, key=lambda arm: (arm != "ticket", known.get(arm, len(known)), arm))


@ARMS.register("ticket")
def ticket(key: Key, found: Found, ticket: Ticket, init: Init) -> Ticket:
    """The winning ticket: the mask on the params it is rewound to, θ₀ by default (paper, section 2)."""
    return ticket


@ARMS.register("reinit")
def reinit(key: Key, found: Found, ticket: Ticket, init: Init) -> Ticket:
    """The ticket's mask on a fresh initialisation (paper, section 2, random reinitialisation)."""
    return Ticket(init(key), ticket.mask)


@ARMS.register("random")
def random(key: Key, found: Found, ticket: Ticket, init: Init) -> Ticket:
    """A random mask as dense in every layer as the ticket's, on fresh params (paper, Figures 1 and 14)."""
    return Ticket(init(jax.random.fold_in(key, 0)), _shuffled(jax.random.fold_in(key, 1), found, ticket))


@ARMS.register("shuffle")
def shuffle(key: Key, found: Found, ticket: Ticket, init: Init) -> Ticket:
    """The ticket's mask shuffled within each layer, params kept: is it structure? (Frankle et al. 2021)"""
    return ticket._replace(mask=_shuffled(key, found, ticket))


def _shuffled(key: Key, found: Found, ticket: Ticket) -> Mask:
    return (found.shuffle or masks.shuffle)(key, ticket.mask)


@ARMS.register("resample")
def resample(key: Key, found: Found, ticket: Ticket, init: Init) -> Ticket:
    """Each layer's survivors redrawn, with replacement, from their own values (paper, Figure 17)."""
    return _redrawn(key, ticket, lambda key, own: jax.random.choice(key, own, own.shape))


@ARMS.register("reshuffle")
def reshuffle(key: Key, found: Found, ticket: Ticket, init: Init) -> Ticket:
    """Each layer's survivors, their values dealt out anew among its places (Zhou et al. 2019)."""
    return _redrawn(key, ticket, jax.random.permutation)


def _redrawn(key: Key, ticket: Ticket, draw: Callable[[Key, np.ndarray], jax.Array]) -> Ticket:
    """The ticket with other values for each layer's survivors, drawn from their own."""

    def of_layer(key: Key, params: np.ndarray, mask: np.ndarray) -> np.ndarray:
        own = np.asarray(params)[np.asarray(mask)]
        values = np.zeros_like(params)
        values[np.asarray(mask)] = draw(key, own) if own.size else own
        return values

    keys = keys_like(key, ticket.params)
    return ticket._replace(params=jax.tree.map(of_layer, keys, ticket.params, ticket.mask))


@ARMS.register("constant_sign")
def constant_sign(key: Key, found: Found, ticket: Ticket, init: Init) -> Ticket:
    """Every weight as large as its layer's spread at θ₀, with its own sign: is that enough? (Zhou 2019)"""
    theta0 = leaves_by_path(found.theta0.params)

    def of_sign(path: str, params: np.ndarray) -> np.ndarray:
        counts = path in found.task.kinds
        return np.asarray(np.std(theta0[path]) * np.sign(params), params.dtype) if counts else params

    return ticket._replace(params=map_with_path(of_sign, ticket.params))


@ARMS.register("invert")
def invert(key: Key, found: Found, ticket: Ticket, init: Init) -> Ticket:
    """As many weights as the ticket, of the lowest scores and not the highest (Frankle et al. 2021)."""
    return ticket if found.reverse is None else ticket._replace(mask=found.reverse())


@ARMS.register("continued")
def continued(key: Key, found: Found, ticket: Ticket, init: Init) -> Ticket:
    """The trained weights themselves, pruned and trained on, not rewound (paper, Appendix B, Strategy 2).

    It is the rewinding ``learning_rate`` in whole, beside whatever the tickets do; state begins afresh.
    """
    start = found.trained or found.theta0
    return Ticket(start.params, ticket.mask)


@dataclass(frozen=True)
class Noise:
    """The ticket's params with Gaussian noise, in units of its layer's initial spread (paper, Figure 25)."""

    scale: float = 1.0
    """Standard deviations of the layer's θ₀."""

    def __call__(self, key: Key, found: Found, ticket: Ticket, init: Init) -> Ticket:
        """params + N(0, (scale · σ)²), σ the standard deviation of that layer's θ₀."""

        def noised(key: Key, params: np.ndarray, theta0: np.ndarray) -> np.ndarray:
            spread = self.scale * np.std(theta0)  # 0 for biases, which begin at 0
            return np.asarray(params + spread * jax.random.normal(key, theta0.shape, jnp.float32))

        theta0 = found.theta0.params
        keys = keys_like(key, theta0)
        return ticket._replace(params=jax.tree.map(noised, keys, ticket.params, theta0))


NOISE = {"noise_0.5": 0.5, "noise": 1.0, "noise_2": 2.0, "noise_3": 3.0}
"""The levels of noise that have arms, in units of a layer's initial standard deviation."""

for _name, _scale in NOISE.items():
    ARMS.register(_name)(Noise(_scale))
