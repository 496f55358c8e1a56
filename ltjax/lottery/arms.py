"""Arms: what is trained in a round under a name, from what was found for that trial and round.

An arm is a pure function ``(key, found, init) -> Ticket``: ``found`` holds θ₀, the round's mask and what the
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

from ltjax.core.registry import Registry
from ltjax.core.trees import keys_like
from ltjax.core.types import Key, Mask, Params, Ticket
from ltjax.sparsity import masks


@dataclass(frozen=True)
class Found:
    """What an arm begins from: a trial's θ₀ (unmasked), the round's mask, and what the mask was made from.

    Args:
        params: θ₀.
        mask: the round's.
        left: trained weights, or what reads them; None in round 0.
    """

    params: Params
    mask: Mask
    left: Params | Callable[[], Params] | None = None

    @property
    def trained(self) -> Params | None:
        """The weights that the mask was made from, as training left them; None in round 0.

        They are of the round before, or of the dense network under one-shot pruning. A run that does not keep
        all params keeps these for arms that say ``@uses_trained``.

        Raises:
            UserError: a run that is continued did not keep them.
        """
        return self.left() if callable(self.left) else self.left


Init: TypeAlias = Callable[[Key], Params]

Arm: TypeAlias = Callable[[Key, Found, Init], Ticket]

ARMS: Registry[Arm] = Registry("arm")


def in_order(arms: Iterable[str]) -> list[str]:
    """Tickets first, then the other arms as they are registered; those that are not, last and by name.

    Example:
        >>> in_order(["mine", "random", "reinit", "ticket"])
        ['ticket', 'reinit', 'random', 'mine']
    """
    known = {arm: at for at, arm in enumerate(ARMS)}
    return sorted(arms, key=lambda arm: (arm != "ticket", known.get(arm, len(known)), arm))


def uses_trained(arm: Arm) -> Arm:
    """Mark an arm that reads ``found.trained``, so that runs keep those weights from round to round."""
    _USE_TRAINED.add(arm)
    return arm


_USE_TRAINED: set[Arm] = set()


def any_uses_trained(names: Iterable[str]) -> bool:
    """Whether an arm of these names reads ``found.trained``."""
    return any(ARMS.find(name) in _USE_TRAINED for name in names)


@ARMS.register("ticket")
def ticket(key: Key, found: Found, init: Init) -> Ticket:
    """The winning ticket: the mask on the original θ₀ (paper, section 2)."""
    return Ticket(found.params, found.mask)


@ARMS.register("reinit")
def reinit(key: Key, found: Found, init: Init) -> Ticket:
    """The ticket's mask on a fresh initialisation (paper, section 2, random reinitialisation)."""
    return Ticket(init(key), found.mask)


@ARMS.register("random")
def random(key: Key, found: Found, init: Init) -> Ticket:
    """A random mask as dense in every layer as the ticket's, on fresh params (paper, Figures 1 and 14)."""
    return Ticket(init(jax.random.fold_in(key, 0)), masks.shuffle(jax.random.fold_in(key, 1), found.mask))


@ARMS.register("shuffle")
def shuffle(key: Key, found: Found, init: Init) -> Ticket:
    """The ticket's mask shuffled within each layer, θ₀ kept: is it the structure? (Frankle et al. 2021)"""
    return Ticket(found.params, masks.shuffle(key, found.mask))


@ARMS.register("resample")
def resample(key: Key, found: Found, init: Init) -> Ticket:
    """Each layer's survivors redrawn, with replacement, from their own initial values (paper, Figure 17)."""

    def redrawn(key: Key, theta0: np.ndarray, mask: np.ndarray) -> np.ndarray:
        own = np.asarray(theta0)[np.asarray(mask)]
        drawn = np.zeros_like(theta0)
        drawn[np.asarray(mask)] = jax.random.choice(key, own, own.shape) if own.size else own
        return drawn

    keys = keys_like(key, found.params)
    return Ticket(jax.tree.map(redrawn, keys, found.params, found.mask), found.mask)


@ARMS.register("continued")
@uses_trained
def continued(key: Key, found: Found, init: Init) -> Ticket:
    """The trained weights themselves, pruned and trained on, not rewound (paper, Appendix B, Strategy 2)."""
    trained = found.trained
    return Ticket(found.params if trained is None else trained, found.mask)


def noisy(scale: float) -> Arm:
    """The arm whose params are θ₀ + N(0, (scale · σ)²), σ the standard deviation of that layer's θ₀."""

    def noise(key: Key, found: Found, init: Init) -> Ticket:
        def noised(key: Key, theta0: np.ndarray) -> np.ndarray:
            spread = scale * np.std(theta0)  # 0 for biases, which begin at 0
            return np.asarray(theta0 + spread * jax.random.normal(key, theta0.shape, jnp.float32))

        return Ticket(jax.tree.map(noised, keys_like(key, found.params), found.params), found.mask)

    noise.__doc__ = f"θ₀ with Gaussian noise of {scale:g} times its layer's spread (paper, Figure 25)."
    return noise


NOISE = {"noise_0.5": 0.5, "noise": 1.0, "noise_2": 2.0, "noise_3": 3.0}
"""The levels of noise that have arms, in units of a layer's initial standard deviation."""

for _name, _scale in NOISE.items():
    ARMS.register(_name)(noisy(_scale))
