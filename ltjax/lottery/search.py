"""The search for tickets in one experiment (one point of a sweep): its θ₀, masks and what lanes begin with.

Trains nothing itself: ``ltjax.lottery.loop`` asks it which lanes a round still lacks and what they begin
with, trains them, and hands back what training left.
"""

import contextlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Literal, NamedTuple, Protocol

import jax
import numpy as np

from ltjax.core.errors import UserError
from ltjax.core.found import Derivatives, Found
from ltjax.core.keys import named_key
from ltjax.core.safetensors import load_start
from ltjax.core.types import Key, Lane, Mask, Params, Start, State, Ticket
from ltjax.lanes.placement import on_cpu
from ltjax.lottery.given import Begun, masks_given
from ltjax.lottery.own_masks import layers_pruned, params_begun
from ltjax.lottery.pruning import pruned
from ltjax.lottery.rehearsal import Rehearsal, unranked
from ltjax.lottery.rewinding import original
from ltjax.models import Collections, Network
from ltjax.settings.roles import lane_values
from ltjax.settings.schema import Experiment
from ltjax.sparsity import masks, schedules
from ltjax.training.evolve import final_step, numbers_of
from ltjax.training.schemes import begun
from ltjax.training.step import Course, LaneStart
from ltjax.training.task import Task, shapes_of


class Outcome(NamedTuple):
    """A lane's mask, and its params and collections (BatchNorm's statistics, if any) after training."""

    mask: Mask
    trained: Params
    collections: Collections

    @property
    def start(self) -> Start:
        """What a network would start from that goes on from there."""
        return Start(self.trained, self.collections)


class Past(Begun, Protocol):
    """What was trained before, so that only what is missing is trained now."""

    def lanes(self, round: int) -> set[Lane]:
        """The lanes already trained in a round."""

    def theta0(self, trial: int) -> Params | None:
        """The initial params of a trial, if they were kept."""

    def starts(self, trial: int) -> Mapping[int, Start]:
        """The dense network of a trial by the steps at which it was kept."""

    def outcome(self, round: int, lane: Lane) -> Outcome:
        """What training left of a lane that is in ``lanes(round)``."""


class Nothing:
    """The past of a fresh run."""

    def lanes(self, round: int) -> set[Lane]:
        """None."""
        return set()

    def theta0(self, trial: int) -> None:
        """Not kept."""

    def starts(self, trial: int) -> Mapping[int, Start]:
        """None."""
        return {}

    def outcome(self, round: int, lane: Lane) -> Outcome:
        """There is none."""
        raise KeyError((round, lane))

    def given(self, trial: int) -> None:
        """None."""

    def ticket_mask(self, round: int, trial: int) -> None:
        """Not known."""


def lanes_of(experiment: Experiment, round: int, only: Collection[int] | None = None) -> list[Lane]:
    """Every lane of a round: all repeats of all arms of all trials (or of ``only`` some).

    The tickets, and the arm whose training finds the masks, are in every round; the other arms are controls.
    Beyond the experiment's last round there are none.
    """
    if round > experiment.prune.rounds or not (round or schedules.trains_dense(experiment.prune)):
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


def is_dense(experiment: Experiment, round: int, lane: Lane) -> bool:
    """Whether a lane trains round 0's network from step 0, for what comes after: rewinding and masks."""
    return not round and lane in {
        Lane(arm, lane.trial) for arm in ("ticket", schedules.source(experiment.prune))
    }


def start_step(experiment: Experiment, rehearsal: Rehearsal, round: int, lane: Lane) -> int:
    """The step that a lane starts at, which is known before anything is trained."""
    return 0 if is_dense(experiment, round, lane) else rehearsal.step(round, lane.arm)


class Search:
    """One walk through an experiment's rounds; remembers what the next rounds are pruned from.

    Args:
        experiment: what is searched; without a sweep.
        past: what was trained before.
        task: the experiment's.
        rehearsal: the experiment's functions, and what is known of them.
        only: the trials to train; by default all.
        derivatives: of the task's loss, where its data are loaded.
    """

    def __init__(
        self, experiment: Experiment, past: Past, task: Task, rehearsal: Rehearsal,
        only: Collection[int] | None = None, derivatives: Derivatives | None = None,
    ) -> None:  # fmt: skip
        self.experiment, self.past, self.task, self.only = experiment, past, task, only
        self.derivatives = derivatives
        self.network = task.network
        self.rehearsal, self.functions = rehearsal, rehearsal.functions
        self._theta0: dict[int, Start] = {}
        self._starts: dict[int, dict[int, Start]] = {}
        self._kept: dict[tuple[int, Lane], Outcome] = {}
        self._found: dict[tuple[int, int], Found] = {}
        self._rewound: dict[tuple[int, int], Ticket] = {}
        self._ahead: dict[tuple[int, int], Mask] = {}
        self._given: dict[int, Mask] = {}
        self.layers = layers_pruned(experiment, task)

    def check_start(self) -> None:
        """Check what all trials begin with, before anything is trained.

        Raises:
            UserError: a file or run that it comes from is missing, or is not what it was.
        """
        trials = self.only or range(self.experiment.trials)
        for trial in trials if self.experiment.model.start is not None else ():
            self.theta0(trial)
        self._give(trials)

    def missing(self, round: int) -> list[Lane]:
        """The lanes of a round that are still to be trained."""
        done = self.past.lanes(round)
        return [lane for lane in lanes_of(self.experiment, round, self.only) if lane not in done]

    def step(self, round: int, lane: Lane) -> int:
        """The step that a lane starts at."""
        return start_step(self.experiment, self.rehearsal, round, lane)

    def waits(self, round: int, lane: Lane) -> bool:
        """Whether a lane may start from what another of its round is still to leave: the dense network."""
        dense = is_dense(self.experiment, round, lane)
        return not round and not dense and bool(self.functions.captures)

    def captures(self, round: int, lane: Lane) -> tuple[int, ...]:
        """The steps at which a lane's params and state are to be kept."""
        dense = not round and lane == Lane("ticket", lane.trial)
        return tuple(self.functions.captures) if dense else ()

    def starts(self, round: int, lanes: Sequence[Lane]) -> list[LaneStart]:
        """What lanes begin with: their arms' draws from what was found for their trials."""
        # a round may be asked for in several turns, and is pruned once
        self._found = {at: found for at, found in self._found.items() if at[1] == round}
        self._rewound = {at: ticket for at, ticket in self._rewound.items() if at[1] == round}
        with on_cpu():
            return [self._start(lane, round) for lane in lanes]

    def rewound(self, round: int, trial: int) -> Ticket:
        """The ticket of a trial in a round, as it is rewound: what its arms are given."""
        if (trial, round) not in self._rewound:
            key = named_key(self.experiment.seed, "rewind", trial, round)
            self._rewound[trial, round] = self.functions.rewound(self._found_in(round, trial), key)
        return self._rewound[trial, round]

    def ticket(self, round: int, trial: int) -> Ticket:
        """The ticket of a trial in a round: as it is rewound, and in round 0 at θ₀."""
        return self.rewound(round, trial) if round else original(self._found_in(round, trial))

    def final(self, starts: Sequence[LaneStart]) -> list[int]:
        """The steps from which lanes that begin so have the density that they end with."""
        evolve, steps = self.experiment.evolve, self.experiment.train.steps
        return [final_step(evolve, steps, start.course.numbers) for start in starts]

    def values(self) -> tuple[tuple[str, Any], ...]:
        """The settings that are arguments of its lanes."""
        return tuple(sorted(lane_values(self.experiment).items()))

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

    def keep_starts(self, trial: int, captured: Mapping[int, Start]) -> dict[int, Start]:
        """Remember the dense network at the steps that the rewinding asked for, as far as it wants it."""
        kept = {step: self.functions.captured(step, start) for step, start in captured.items()}
        self._starts[trial] = kept
        self._found.pop((trial, 0), None)  # controls of round 0 may begin there
        return kept

    def began(self, round: int, lane: Lane) -> dict[int, Start]:
        """How a trial begins, where that cannot be drawn again: params and statistics of a file."""
        dense = not round and lane == Lane("ticket", lane.trial)
        start = self.theta0(lane.trial) if dense and self.experiment.model.start else None
        return {0: start} if start and jax.tree.leaves(start.state) else {}

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

    def theta0(self, trial: int) -> Start:
        """How a trial begins: with the θ₀ kept, else given (``model.start``), else drawn from the seed."""
        if trial not in self._theta0:
            kept, starts = self.past.theta0(trial), self.past.starts(trial)
            state = starts[0].state if 0 in starts else None
            self._theta0[trial] = begin(self.experiment, self.network, trial, kept, state)
        return self._theta0[trial]

    def first_mask(self, trial: int) -> Mask:
        """The mask of round 0: dense, unless another run's is given."""
        if self.experiment.ticket is None:
            return masks.dense(self.theta0(trial).params)
        if trial not in self._given:
            self._give([trial])
        return self._given[trial]

    def _give(self, trials: Collection[int]) -> None:
        self._given |= masks_given(self.experiment, trials, self.task, self.functions, self.past)

    def _start(self, lane: Lane, round: int) -> LaneStart:
        experiment, seed = self.experiment, self.experiment.seed
        identity = (lane.trial, round, lane.arm, lane.repeat)
        drawn = identity if experiment.train.redraw else (*identity[:3], 0)
        found = self._found_in(round, lane.trial)
        dense = is_dense(experiment, round, lane)
        ticket = original(found) if dense else self.rewound(round, lane.trial)
        own = self.functions.drawn(
            lane.arm, named_key(seed, "arm", *drawn), found, ticket, lambda key: self.network.init(key)[0]
        )
        if own.step != self.step(round, lane):
            raise UserError(
                f"the arm {lane.arm} starts at step {own.step} in round {round}, and started at step "
                f"{self.step(round, lane)} when it was tried: where an arm starts must not depend on weights."
            )
        state = found.theta0.state if own.state is None else own.state
        values = lane_values(experiment)
        if own.rate is not None:
            values["train.learning_rate"] = own.rate
        shared = named_key(seed, "train", *identity[:3], 0)
        course = Course(
            named_key(seed, "train", *identity), shared,
            {name: as_number(value) for name, value in values.items()}, own.hold,
            numbers_of(experiment.evolve, experiment.train.steps, own.mask, self.layers, own.step),
        )  # fmt: skip
        key = named_key(seed, "scheme", *drawn)
        learned = begun(experiment.scheme, own.params, own.mask, self.layers, key)
        params = params_begun(experiment, own)
        start = LaneStart(params, state, own.mask, course, own.pruned, learned)
        return start._replace(**{
            name: jax.tree.map(np.asarray, jax.device_get(getattr(start, name)))
            for name in ("params", "collections", "mask", "pruned", "learned")
        })  # fmt: skip

    def _found_in(self, round: int, trial: int) -> Found:
        """What is known of a trial when a round begins."""
        if (trial, round) not in self._found:
            self._found[trial, round] = self._find(trial, round)
        return self._found[trial, round]

    def _find(self, trial: int, round: int) -> Found:
        theta0, key = self.theta0(trial), named_key(self.experiment.seed, "found", trial, round)
        starts = self._starts_of(trial)
        if round == 0:
            found = self._known(theta0, self.first_mask(trial), key, 0, starts, None)
            return replace(found, reverse=unranked if self.experiment.ticket else None)
        known = self.past.ticket_mask(round, trial)
        mask = self._ahead.pop((trial, round), None) if known is None else known
        if mask is None:
            mask = self._prune(trial, round)
        step = schedules.step_of(self.experiment.prune, round)
        # what is remembered is held from now on: it is forgotten once a part of this round has been trained
        kept = self._kept.get((step.before, Lane(step.arm, trial))) if step.arm else None
        left = kept.start if kept else lambda: self._left(trial, round).start
        found = self._known(theta0, mask, key, round, starts, left if step.arm else None)
        return replace(found, reverse=partial(self._prune, trial, round, -1, kept))

    def _known(
        self, theta0: Start, mask: Mask, key: Key, round: int, starts: Mapping[int, Start],
        left: Start | Callable[[], Start] | None,
    ) -> Found:  # fmt: skip
        return Found(
            theta0, mask, key, round, self.functions.steps, starts, left, self.task, self.derivatives,
            shuffle=self.functions.shuffled,
        )  # fmt: skip

    def _starts_of(self, trial: int) -> dict[int, Start]:
        """The dense network of a trial by the steps at which it was kept, θ₀ among them."""
        if trial not in self._starts:
            self._starts[trial] = dict(self.past.starts(trial))
        trained = Lane("ticket", trial) in self.past.lanes(0)
        if trained and (lost := set(self.functions.captures) - set(self._starts[trial])):
            raise UserError(
                f"the dense network of trial {trial} at step {min(lost)} is lost, to which its tickets are "
                "rewound; choose another --workdir, or remove what was trained in round 0 to train it again."
            )
        return {0: self.theta0(trial), **self._starts[trial]}

    def _prune(
        self, trial: int, round: int, sign: Literal[1, -1] = 1, left: Outcome | None = None
    ) -> Mask:  # fmt: skip
        """The mask of a round, from what its schedule prunes; by the reverse of scores where sign is -1."""
        left = left or self._left(trial, round)
        key = named_key(self.experiment.seed, "prune", trial, round)
        theta0, starts = self.theta0(trial), self._starts_of(trial)
        found = self._known(theta0, left.mask, key, round, starts, left.start)
        return pruned(self.experiment, self.functions, found, self.task.kinds, sign)

    def _left(self, trial: int, round: int) -> Outcome:
        """What training left of the lane that a round's mask is made from."""
        step = schedules.step_of(self.experiment.prune, round)
        if step.arm is None:
            theta0 = self.theta0(trial)
            return Outcome(masks.dense(theta0.params), *theta0)
        kept = self._kept.get((step.before, lane := Lane(step.arm, trial)))
        return self.past.outcome(step.before, lane) if kept is None else kept


def begin(
    experiment: Experiment, network: Network, trial: int, theta0: Params | None = None,
    state: State | None = None,
) -> Start:  # fmt: skip
    """How a trial begins: params and state drawn from the seed, or given by a file.

    Args:
        experiment: the file of its ``model.start``, if it names one, has the params.
        network: the experiment's.
        trial: the trial.
        theta0: the params, where they are known.
        state: the state, where it is known, as of a network that was trained before.

    Raises:
        UserError: the file is missing or does not fit the network.
    """
    if theta0 is not None and (state is not None or not shapes_of(network)[1]):
        return Start(theta0, state or {})
    with on_cpu():
        drawn = Start(*jax.device_get(network.init(named_key(experiment.seed, "init", trial))))
    if theta0 is not None:
        return drawn._replace(params=theta0)
    file = experiment.model.start
    if file is None:
        return drawn
    params, own = load_start(file, trial, *drawn)
    return Start(params, drawn.state if own is None else own)


def as_number(value: float) -> Any:
    """A lane's value as the device has it."""
    return np.float32(value) if isinstance(value, float) else np.int32(value)
