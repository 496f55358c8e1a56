"""The search for tickets in one experiment (one point of a sweep): its θ₀, masks and what lanes begin with.

Trains nothing itself: ``ltjax.lottery.loop`` asks it which lanes a round still lacks and what they begin
with, trains them, and hands back what training left.
"""

import contextlib
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp

from ltjax.core.keys import named_key
from ltjax.core.safetensors import load_start
from ltjax.core.types import Lane, Mask, Params
from ltjax.lanes.placement import on_cpu
from ltjax.lottery.arms import ARMS, Found
from ltjax.lottery.rewinding import rewind
from ltjax.models import Collections, Network
from ltjax.settings.roles import lane_values
from ltjax.settings.schema import Experiment
from ltjax.sparsity import masks, schedules, selection
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

    def ticket_mask(self, round: int, trial: int) -> Mask | None:
        """The mask of a trial's tickets in a round, trained or still to be trained, if it is known."""


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

    def ticket_mask(self, round: int, trial: int) -> None:
        """Not known."""


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
        self._ahead: dict[tuple[int, int], Mask] = {}
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
        with on_cpu():
            for trial in sorted({lane.trial for lane in lanes}):
                if (trial, round) not in self._found:
                    self._found[trial, round] = self._find(trial, round)
            return [self._start(lane, round, self._found[lane.trial, round]) for lane in lanes]

    def needs(self, round: int, lane: Lane) -> bool:
        """Whether a later round is pruned from what training leaves of a lane."""
        prune = self.experiment.prune
        return lane == Lane(schedules.source(prune), lane.trial) and bool(schedules.after(prune, round))

    def keep(self, round: int, lane: Lane, outcome: Outcome) -> None:
        """Remember what training left of a lane that is needed."""
        prune = self.experiment.prune
        self._kept[round, lane] = outcome
        self._kept = {
            at: kept for at, kept in self._kept.items()
            if any(later > round for later in schedules.after(prune, at[0]))
        }  # fmt: skip

    def ahead(self, round: int, lanes: Sequence[Lane]) -> dict[int, Mask]:
        """The next round's masks, by trial: of those whose mask follows from what training left of ``lanes``.

        Where several rounds follow from one, as in one-shot pruning, none is made ahead of its time.
        """
        trials = [lane.trial for lane in lanes if self.needs(round, lane)]
        if schedules.after(self.experiment.prune, round) != [round + 1]:
            return {}
        for trial in trials:
            # weights that cannot be ranked, or an error in a user's criterion, are told when that begins
            with contextlib.suppress(Exception):
                self._ahead[trial, round + 1] = self._prune(trial, round + 1)
        found = {trial: self._ahead.get((trial, round + 1)) for trial in trials}
        return {trial: mask for trial, mask in found.items() if mask is not None}

    def theta0(self, trial: int) -> Params:
        """θ₀ of a trial: the kept one, else the one given (``model.start``), else drawn from the seed."""
        if trial not in self._theta0:
            kept = self.past.theta0(trial)
            drawn = draw_theta0(self.experiment, self.network, trial) if kept is None else kept
            self._theta0[trial] = drawn
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
        own = {name: jnp.float32(value) if isinstance(value, float) else jnp.int32(value)
               for name, value in lane_values(self.experiment).items()}  # fmt: skip
        return LaneStart(params, collections, mask, named_key(seed, "train", *identity), own)

    def _find(self, trial: int, round: int) -> Found:
        theta0 = self.theta0(trial)
        if round == 0:
            return Found(theta0, masks.dense(theta0))
        known = self.past.ticket_mask(round, trial)
        mask = self._ahead.pop((trial, round), None) if known is None else known
        if mask is None:
            mask = self._prune(trial, round)
        step = schedules.step_of(self.experiment.prune, round)
        # what is remembered is given at once: it is forgotten once a part of this round has been trained
        left = self._kept.get((step.before, Lane(step.arm, trial)))
        return Found(theta0, mask, left.trained if left else lambda: self._left(trial, round).trained)

    def _prune(self, trial: int, round: int) -> Mask:
        """The mask of a round, from what its schedule prunes."""
        return prune_once(self.experiment, self.theta0(trial), self._left(trial, round), trial, round)

    def _left(self, trial: int, round: int) -> Outcome:
        """What training left of the lane that a round's mask is made from."""
        step = schedules.step_of(self.experiment.prune, round)
        return self._outcome(step.before, Lane(step.arm, trial))

    def _outcome(self, round: int, lane: Lane) -> Outcome:
        kept = self._kept.get((round, lane))
        return self.past.outcome(round, lane) if kept is None else kept


def draw_theta0(experiment: Experiment, network: Network, trial: int) -> Params:
    """θ₀ of a trial, drawn from the seed or read from the file that ``model.start`` names.

    Raises:
        UserError: the file is missing or does not fit the network.
    """
    start = experiment.model.start
    with on_cpu():
        drawn = jax.device_get(network.init(named_key(experiment.seed, "init", trial))[0])
    return drawn if start is None else load_start(start, trial, drawn)


def prune_once(experiment: Experiment, theta0: Params, before: Outcome, trial: int, round: int) -> Mask:
    """The mask of a round, from what training left of the lane that its schedule prunes."""
    with on_cpu():
        key = named_key(experiment.seed, "prune", trial, round)
        scores: Any = experiment.prune.criterion.make()(before.trained, theta0, key)
    rates = selection.rates_by_path(theta0, schedules.step_of(experiment.prune, round).rates)
    return selection.prune(jax.device_get(scores), before.mask, rates, experiment.prune.structure.make())
