"""Schedules: whose trained weights decide the mask of a round, and at which rates.

A schedule is a pure function ``(Prune, round) -> Step``. Adding one takes a function, or a frozen
dataclass with parameters and ``__call__``, and its ``@SCHEDULES.register`` line. Pruning before any training
is not a schedule but a criterion, ``initial``.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any, NamedTuple, TypeAlias

import numpy as np

from ltjax.core.registry import Registry, registry
from ltjax.core.types import Params
from ltjax.settings.bounds import ROUNDS, share
from ltjax.settings.fields import LONGER
from ltjax.settings.schema import Prune, Rates
from ltjax.sparsity import masks, selection
from ltjax.sparsity.structures import Group


class Step(NamedTuple):
    """How a round's mask is made: from the mask and the trained weights of ``arm`` in round ``before``."""

    arm: str
    before: int
    rates: Rates


Schedule: TypeAlias = Callable[[Prune, int], Step]

SCHEDULES: Registry[Callable[..., Any]] = registry("schedule")


@SCHEDULES.register("iterative")
def iterative(prune: Prune, round: int) -> Step:
    """Train, prune, rewind, again: from the ticket of the round before (paper, section 1, Strategy 1)."""
    return Step("ticket", round - 1, prune.rates)


@SCHEDULES.register("oneshot")
@dataclass(frozen=True)
class OneShot:
    """All sizes at once from the dense network, by the fraction of each round (paper, Figure 4c).

    The fraction is the rate of the layers pruned most; the others' rates keep their proportion to it (the
    output layer's half, in the paper).
    """

    fractions: Annotated[tuple[float, ...], share(values=ROUNDS), LONGER] = ()
    """The fc rate of rounds 1, 2, … by which the dense network is pruned at once."""

    def __call__(self, prune: Prune, round: int) -> Step:
        """The step of a round."""
        rates = {kind: rate for kind, rate in asdict(prune.rates).items() if rate is not None}
        fraction, most = self.fractions[round - 1], max(rates.values())
        scaled = {kind: fraction * (rate / most) for kind, rate in rates.items()}
        return Step("ticket", 0, replace(prune.rates, **scaled))


@SCHEDULES.register("continued")
def continued(prune: Prune, round: int) -> Step:
    """Weights are never rewound between rounds, only to be measured (paper, Appendix B, Strategy 2)."""
    return Step("continued", round - 1, prune.rates)


def step_of(prune: Prune, round: int) -> Step:
    """How the mask of a round, from 1 on, is made."""
    step: Step = prune.schedule.make()(prune, round)
    return step


def source(prune: Prune) -> str:
    """The arm whose training finds the masks; it is trained in every round, once for every trial."""
    return step_of(prune, 1).arm if prune.rounds else "ticket"


def after(prune: Prune, round: int) -> list[int]:
    """The rounds whose masks are made from what training leaves in a round.

    The round beyond the last one is among them, where the schedule knows it: a run may be given more rounds.
    """
    longer = replace(prune, rounds=prune.rounds + 1)

    def before(later: int) -> int | None:
        try:
            return step_of(longer, later).before
        except Exception:
            if later <= prune.rounds:
                raise
            return None  # it was not asked for: one-shot pruning, say, has no fraction for it

    return [later for later in range(round + 1, longer.rounds + 1) if before(later) == round]


def rates_of(prune: Prune, round: int, kinds: Mapping[str, str]) -> dict[str, float]:
    """The rate of every layer that a round prunes, by path name.

    Args:
        prune: the settings.
        round: from 1 on.
        kinds: the kind of each leaf that counts, by path.
    """
    step = step_of(selection.of_kinds(prune, kinds), round)
    return selection.rates_by_path(kinds, step.rates, prune.rate_by_path)


def surviving(params: Params, prune: Prune, kinds: Mapping[str, str]) -> list[int]:
    """The surviving weights of rounds 0 to ``prune.rounds``, untrained (paper, Figure 2's rates)."""
    return [sum(each.values()) for each in surviving_by_group(params, prune, kinds)]


def surviving_by_group(params: Params, prune: Prune, kinds: Mapping[str, str]) -> list[dict[Group, int]]:
    """The surviving weights of every group of layers in rounds 0 to ``prune.rounds``, untrained.

    Layers that are never pruned are groups of their own. How many of a group each of its layers keeps is not
    known before training, where several are ranked together.

    Args:
        params: arrays, or their shapes.
        prune: the settings.
        kinds: the kind of each leaf that counts, by path.
    """
    sizes = {path: int(np.size(leaf)) for path, leaf in masks.counted(params, kinds).items()}
    gone: list[dict[Group, int]] = [{}]  # by round
    for round in range(1, prune.rounds + 1):
        gone.append(dict(gone[step_of(prune, round).before]))
        for group, rate in prune.structure.make()(rates_of(prune, round, kinds)).items():
            before = gone[round].get(group, 0)
            alive = sum(sizes[path] for path in group) - before
            gone[round][group] = before + selection.removed(rate, alive)
    groups = list(dict.fromkeys(group for each in gone for group in each))
    groups += [(path,) for path in sizes if not any(path in group for group in groups)]
    return [
        {group: sum(sizes[path] for path in group) - each.get(group, 0) for group in groups} for each in gone
    ]
