"""What a claim, a measurement and a verdict are, and the registry that claims are entered in."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from ltjax.analysis.results import Study
from ltjax.core.registry import Registry, definition_of

Status = Literal["reproduced", "not reproduced", "not run"]


class Measured(NamedTuple):
    """What runs say of a claim.

    ``ours`` tells the means over trials in words; ``minimum`` and ``maximum`` are over ``trials`` trials, of
    the claim's ``quantity``; ``holds`` says whether what the claim asks is met within its tolerance.
    """

    ours: str
    minimum: float
    maximum: float
    trials: int
    holds: bool


Measure = Callable[[Study], Measured]
"""Measures a claim; raises ``ltjax.analysis.results.Absent`` where the runs lack what it needs."""


@dataclass(frozen=True)
class Claim:
    """One claim of the paper and how it is judged here: the words are data, the judging is ``measure``.

    ``paper`` is what the paper says, with its number; ``measured`` how it is measured here; ``tolerance``
    what still counts as the paper's, and why; ``quantity`` what least and greatest over trials are given of;
    ``network`` the model it is about, empty for several of them or one's own.
    """

    id: str
    figure: str
    paper: str
    measured: str
    tolerance: str
    quantity: str
    measure: Measure
    network: str = ""


@dataclass(frozen=True)
class Verdict:
    """A claim judged from runs; ``missing`` and ``command`` are for those that could not be."""

    claim: Claim
    status: Status
    ours: str = ""
    minimum: float = float("nan")
    maximum: float = float("nan")
    trials: int = 0
    missing: str = ""
    command: str = ""


CLAIMS: Registry[Claim] = Registry("claim")


def claim(
    id: str,
    *,
    figure: str,
    paper: str,
    measured: str,
    tolerance: str,
    quantity: str,
    network: str = "",
    replace: bool = False,
) -> Callable[[Measure], Measure]:
    """A decorator that enters a function from a study to ``Measured`` as a claim; see ``Claim``.

    Raises:
        UserError: by the decorator, where ``id`` exists already and ``replace`` is False.
    """

    def enter(measure: Measure) -> Measure:
        made = Claim(id, figure, paper, measured, tolerance, quantity, measure, network)
        CLAIMS.enter(id, made, definition_of(measure), replace=replace)
        return measure

    return enter
