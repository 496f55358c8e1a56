"""Conv-2, Conv-4 and Conv-6: what the paper says of each, and claims that are made of all three.

Rounds stand for the paper's sizes. Conv-6 is matched by round alone: the paper's own sizes fit no network of
the shape that it describes, so ours have up to half a point more weights left.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial, update_wrapper
from typing import TypeAlias

from ltjax.claims.kinds import Measured, claim


@dataclass(frozen=True)
class Net:
    """The paper's numbers for one network (section 3, Figures 5 and 6), each where it says it is."""

    key: str
    name: str
    speed: float
    """Times sooner than dense at best, in the round ``fast``."""
    fast: int
    fast_size: str
    gain: float
    """Points above dense at best, in the round ``high``."""
    high: int
    high_size: str
    above: int
    """The last round of more than 2% remaining: until there tickets are above dense."""
    small: int
    """The round nearest to 4.5% remaining: small, and still above dense."""
    dropout: float
    """Points that dropout adds to the dense network."""
    more: float
    """Points that pruning adds to those."""
    steady: bool
    """Whether reinitialised tickets are at first as accurate as dense."""

    @property
    def until(self) -> int:
        """The last round judged of those above 2%: two rounds before, where means cross a level slowly."""
        return self.above - 2


NETS = (
    Net("conv2", "Conv-2", 3.5, 11, "8.8%", 3.4, 14, "4.6%", 17, 14, 2.1, 2.3, True),
    Net("conv4", "Conv-4", 3.5, 12, "9.2%", 3.5, 11, "11.1%", 20, 16, 3.0, 4.6, True),
    Net("conv6", "Conv-6", 2.5, 10, "15.1%", 3.3, 7, "26.4%", 21, 17, 2.4, 4.7, False),
)

MeasureNet: TypeAlias = Callable[..., Measured]
"""Measures a claim: ``(study, net)`` to ``Measured``."""


def claim_each(
    id: str, *, figure: str, paper: str, measured: str, tolerance: str, quantity: str,
    nets: Sequence[Net] = NETS,
) -> Callable[[MeasureNet], MeasureNet]:  # fmt: skip
    """A decorator that enters a function from a study and a network as a claim per network: ``C1-conv2`` …

    Each is judged when its own network's runs are there. Words may name what is in ``Net``: ``{net.speed}``.
    """

    def enter(measure: MeasureNet) -> MeasureNet:
        for net in nets:
            judged = update_wrapper(partial(measure, net=net), measure)
            claim(
                f"{id}-{net.key}", network=net.key, figure=figure, paper=paper.format(net=net),
                measured=measured.format(net=net), tolerance=tolerance.format(net=net),
                quantity=quantity.format(net=net),
            )(judged)  # fmt: skip
        return measure

    return enter
