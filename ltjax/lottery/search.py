"""The search for tickets in one experiment (one point of a sweep): its θ₀, masks and what lanes begin with.

Trains nothing itself: ``ltjax.lottery.loop`` asks it which lanes a round still lacks and what they begin
with, trains them, and hands back what training left.
"""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp

from ltjax.core.keys import named_key
from ltjax.core.safetensors import load_start
from ltjax.core.types import Lane, Mask, Params
from ltjax.lottery.arms import ARMS, Found
from ltjax.lottery.rewinding import rewind
from ltjax.models import Collections, Network
from ltjax.settings.schema import Experiment
from ltjax.sparsity import masks, schedules, selection
from ltjax.sparsity.scores import SCORES
from ltjax.training.step import LaneStart


class Outcome(NamedTuple):
    """A lane's mask, and its params and collections (BatchNorm's statistics, if any) after training."""

    mask: Mask
    trained: Params
    collections: Collections


class Past(Protocol):
    """What was trained before, so that only what is missing is trained now."""

    def lanes(self, round: int) -> set[Lane]:
        """The lanes already trained in a round."""

    def theta0(self, trial: int) -> Params | None:
        """The initial params of a trial, if they were kept."""

    def outcome(self, round: int, lane: Lane) -> Outcome:
        """What training left of a lane that is in ``lanes(round)``."""


class Nothing:
    """The past of a fresh run."""

    def lanes(self, round: int) -> set[Lane]:
        """None."""
        return set()

    def theta0(self, trial: int) -> None:
        """Not kept."""

    def outcome(self, round: int, lane: Lane) -> Outcome:
        """There is none."""
        raise KeyError((round, lane))


def lanes_of(experiment: Experiment, round: int, only: Collection[int] | None = None) -> list[Lane]:
    """Every lane of a round: all repeats of all arms of all trials (or of ``only`` some).

    The tickets, and the arm whose training finds the masks, are in every round; the other arms are controls.
    Beyond the experiment's last round there are none.
    """
    if round > experiment.prune.rounds:
        return []
    always, controls = {"ticket", schedules.source(experiment.prune)}, experiment.control_rounds
    return [
        Lane(arm, trial, repeat)
        for arm, repeats in sorted(experiment.arms.items())
        if arm in always or controls is None or round in controls
        for trial in range(experiment.trials)
        if only is None or trial in only
        for repeat in range(repeats)
    ]


class Search:
    """One walk through an experiment's rounds; remembers what the next rounds are pruned from.

    Args:
        experiment: what is searched; without a sweep.
        past: what was trained before.
        network: the experiment's.
        only: the trials to train; by default all.
    """

    def __init__(
        self, experiment: Experiment, past: Past, network: Network, only: Collection[int] | None = None
    ) -> None:
        self.experiment, self.past, self.network, self.only = experiment, past, network, only
        self._theta0: dict[int, Params] = {}
        self._kept: dict[tuple[int, Lane], Outcome] = {}
        self._found: dict[tuple[int, int], Found] = {}
        if experiment.model.start is not None:  # a file that is missing is told before anything is trained
            for trial in only or range(experiment.trials):
                self.theta0(trial)

    def missing(self, round: int) -> list[Lane]:
        """The lanes of a round that are still to be trained."""
        done = self.past.lanes(round)
        return [lane for lane in lanes_of(self.experiment, round, self.only) if lane not in done]

    def starts(self, round: int, lanes: Sequence[Lane]) -> list[LaneStart]:
        """What lanes begin with: their arms' draws from what was found for their trials."""
        # a round may be asked for in several turns, and is pruned once
        self._found = {at: found for at, found in self._found.items() if at[1] == round}
        for trial in sorted({lane.trial for lane in lanes}):
            if (trial, round) not in self._found:
                self._found[trial, round] = self._find(trial, round)
        return [self._start(lane, round, self._found[lane.trial, round]) for lane in lanes]

    def needs(self, round: int, lane: Lane) -> bool:
        """Whether a later round is pruned from what training leaves of a lane."""
        return lane == Lane(schedules.source(self.experiment.prune), lane.trial) and round in self._before(
            round
        )

    def keep(self, round: int, lane: Lane, outcome: Outcome) -> None:
        """Remember what training left of a lane that is needed."""
        self._kept[round, lane] = outcome
        self._kept = {at: kept for at, kept in self._kept.items() if at[0] in self._before(round)}

    def _before(self, round: int) -> set[int]:
        """The rounds that those after ``round`` are pruned from."""
        prune = self.experiment.prune
        return {schedules.step_of(prune, each).before for each in range(round + 1, prune.rounds + 1)}

    def theta0(self, trial: int) -> Params:
        """θ₀ of a trial: the kept one, else the one given (``model.start``), else drawn from the seed."""
        if trial not in self._theta0:
            kept, start = self.past.theta0(trial), self.experiment.model.start
            if kept is None:
                key = named_key(self.experiment.seed, "init", trial)
                kept = jax.device_get(self.network.init(key)[0])
                kept = kept if start is None else load_start(start, trial, kept)
            self._theta0[trial] = kept
        return self._theta0[trial]

    def _start(self, lane: Lane, round: int, found: Found) -> LaneStart:
        seed = self.experiment.seed
        identity = (lane.trial, round, lane.arm, lane.repeat)
        params, mask = ARMS.find(lane.arm)(
            named_key(seed, "arm", *identity), found, lambda key: self.network.init(key)[0]
        )
        params, mask = jax.device_get((rewind(params, mask), mask))
        # what is not a parameter (BatchNorm's statistics) begins afresh in every round
        _, collections = self.network.init(named_key(seed, "init", lane.trial))
        train = self.experiment.train
        return LaneStart(
            params, collections, mask, named_key(seed, "train", *identity),
            jnp.float32(train.learning_rate), jnp.int32(train.warmup),
        )  # fmt: skip

    def _find(self, trial: int, round: int) -> Found:
        theta0 = self.theta0(trial)
        if round == 0:
            return Found(theta0, masks.dense(theta0))
        step = schedules.step_of(self.experiment.prune, round)
        before = self._outcome(step.before, Lane(step.arm, trial))
        if Lane("ticket", trial) in self.past.lanes(round):
            mask = self.past.outcome(round, Lane("ticket", trial)).mask
        else:
            mask = prune_once(self.experiment, theta0, before, trial, round)
        return Found(theta0, mask, before.trained)

    def _outcome(self, round: int, lane: Lane) -> Outcome:
        kept = self._kept.get((round, lane))
        return self.past.outcome(round, lane) if kept is None else kept


def prune_once(experiment: Experiment, theta0: Params, before: Outcome, trial: int, round: int) -> Mask:
    """The mask of a round, from what training left of the lane that its schedule prunes."""
    key = named_key(experiment.seed, "prune", trial, round)
    scores: Any = SCORES.find(experiment.prune.score)(before.trained, theta0, key)
    rates = selection.rates_by_path(theta0, schedules.step_of(experiment.prune, round).rates)
    return selection.prune(jax.device_get(scores), before.mask, rates, experiment.prune.scope)
