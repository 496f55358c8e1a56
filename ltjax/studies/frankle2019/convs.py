"""Claims that are made of all three of Conv-2, Conv-4 and Conv-6."""

from collections.abc import Callable, Sequence
from functools import partial, update_wrapper
from typing import TypeAlias

from ltjax.claims.kinds import Measured, claim
from ltjax.studies.frankle2019.facts import CONVS, Conv

MeasureNet: TypeAlias = Callable[..., Measured]
"""Measures a claim: ``(study, net)`` to ``Measured``."""


def claim_each(
    id: str, *, figure: str, paper: str, measured: str, tolerance: str, quantity: str,
    nets: Sequence[Conv] = CONVS,
) -> Callable[[MeasureNet], MeasureNet]:  # fmt: skip
    """A decorator that enters a function from a study and a network as a claim per network: ``C1-conv2`` …

    Each is judged when its own network's runs are there. Words may name what is in
    ``facts.Conv``: ``{net.speed}``.
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
