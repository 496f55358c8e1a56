"""Schedules: whose trained weights decide the mask of a round, and at which rates or which density.

A schedule is a pure function ``(Prune, round) -> Step``. Adding one takes a function, or a frozen
dataclass with parameters and ``__call__``, and its ``@SCHEDULES.register`` line. ``dense``, if it has that,
says whether round 0 is trained.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any, NamedTuple, TypeAlias

from ltjax.core.errors import UserError
from ltjax.core.registry import Registry, registry
from ltjax.settings.bounds import ROUNDS, share, whole
from ltjax.settings.fields import LONGER
from ltjax.settings.schema import Prune, Rates


class Step(NamedTuple):
    """How a round's mask is made: from the mask and the trained weights of ``arm`` in round ``before``.

    Without an arm it is made from θ₀ and the dense mask. ``density`` is the share of all weights that count
    which it keeps, where the rates do not say how many; it is reached in ``steps`` equal factors.
    """

    arm: str | None
    before: int
    rates: Rates
    density: float | None = None
    steps: int | None = 1


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
        fraction = _of_round(self.fractions, prune, round, "fractions", "0.2 0.5 0.8")
        most = max(rates.values())
        scaled = {kind: fraction * (rate / most) for kind, rate in rates.items()}
        return Step("ticket", 0, replace(prune.rates, **scaled))


@SCHEDULES.register("continued")
def continued(prune: Prune, round: int) -> Step:
    """Weights are never rewound between rounds, only to be measured (paper, Appendix B, Strategy 2)."""
    return Step("continued", round - 1, prune.rates)


@SCHEDULES.register("at_init")
@dataclass(frozen=True)
class AtInit:
    """Before any training, from θ₀ alone: round r has the mask of the r-th density (Lee et al. 2019, …)."""

    densities: Annotated[tuple[float, ...], share(values=ROUNDS), LONGER] = ()
    """The share of all weights that rounds 1, 2, … keep, each of the dense network."""
    steps: Annotated[int | None, whole(1, 10_000)] = None
    """In how many steps a mask is made, each with scores of its own; by default as the criterion says."""
    dense: bool = True
    """Whether round 0 trains the dense network."""

    def __call__(self, prune: Prune, round: int) -> Step:
        """The step of a round."""
        density = _of_round(self.densities, prune, round, "densities", "0.2 0.05 0.02")
        return Step(None, 0, prune.rates, density, self.steps)


def _of_round(values: Sequence[float], prune: Prune, round: int, name: str, example: str) -> float:
    """The value of a round, of the schedule's parameter of that name; ``example`` is of three.

    Raises:
        UserError: there are too few.
    """
    if round > len(values):
        raise UserError(
            f"prune.rounds {prune.rounds} needs as many prune.schedule.{name}, not {len(values)}; three "
            f"would be --prune.rounds 3 --prune.schedule.{name} {example}."
        )
    return values[round - 1]


def step_of(prune: Prune, round: int) -> Step:
    """How the mask of a round, from 1 on, is made.

    Raises:
        UserError: the schedule is a user's, and failed.
    """
    schedule = prune.schedule.make()
    with SCHEDULES.guarded(prune.schedule.name):
        step: Step = schedule(prune, round)
    return step


def source(prune: Prune) -> str:
    """The arm whose training finds the masks; it is trained in every round, once for every trial."""
    return (step_of(prune, 1).arm if prune.rounds else None) or "ticket"


def trains_dense(prune: Prune) -> bool:
    """Whether round 0 is trained."""
    return bool(getattr(prune.schedule.make(), "dense", True))


def after(prune: Prune, round: int) -> list[int]:
    """The rounds whose masks are made from what training leaves in a round.

    The round beyond the last one is among them, where the schedule knows it: a run may be given more rounds.
    """
    longer = replace(prune, rounds=prune.rounds + 1)

    def before(later: int) -> int | None:
        try:
            step = step_of(longer, later)
            return None if step.arm is None else step.before
        except Exception:
            if later <= prune.rounds:
                raise
            return None  # it was not asked for: one-shot pruning, say, has no fraction for it

    return [later for later in range(round + 1, longer.rounds + 1) if before(later) == round]
