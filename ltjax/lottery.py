"""The round loop: train, prune, rewind, train again (paper, section 1). A generator; writes nothing."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np
import pandas as pd

from ltjax import masks, pruning
from ltjax.arms import ARMS
from ltjax.config import Experiment
from ltjax.data import Dataset, load_dataset, source_of, split
from ltjax.keys import named_key
from ltjax.lanes import LaneProgram
from ltjax.models import Network, make_network
from ltjax.scores import SCORES
from ltjax.tables import curves, summarise
from ltjax.training import LaneStart, make_training
from ltjax.trees import stack, take
from ltjax.types import Lane, Mask, Params, Ticket
from ltjax.validation import validate


@dataclass(frozen=True)
class Round:
    """What one round found: every lane trained in it, in the order of ``lanes``.

    ``masks`` and ``trained`` are NumPy pytrees with a leading lane axis; ``theta0`` holds the initial params
    of each trial; the tables have the columns of ``ltjax.tables``.
    """

    index: int
    lanes: tuple[Lane, ...]
    theta0: Mapping[int, Params]
    masks: Mask
    trained: Params
    summary: pd.DataFrame
    curves: pd.DataFrame

    def lane(self, lane: Lane) -> "Outcome":
        """The mask of one lane and its params after training."""
        at = self.lanes.index(lane)
        return Outcome(take(self.masks, at), take(self.trained, at))

    def ticket(self, trial: int) -> Ticket:
        """The ticket of a trial: θ₀ under this round's mask."""
        mask = self.lane(Lane("ticket", trial)).mask
        return Ticket(masks.apply(mask, self.theta0[trial]), mask)


class Outcome(NamedTuple):
    """A lane's mask, and its params after training."""

    mask: Mask
    trained: Params


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


Observe = Callable[[int, Sequence[Lane], int, dict[str, np.ndarray]], None]
"""Called with round, lanes, step and the accuracies per split [lanes] there."""


def lanes_of(experiment: Experiment) -> list[Lane]:
    """Every lane of a round: all repeats of all arms of all trials."""
    return [
        Lane(arm, trial, repeat)
        for arm, repeats in sorted(experiment.arms.items())
        for trial in range(experiment.trials)
        for repeat in range(repeats)
    ]


def find_tickets(
    experiment: Experiment,
    *,
    past: Past | None = None,
    observe: Observe | None = None,
    dataset: Dataset | None = None,
) -> Iterator[Round]:
    """Find winning tickets by iterative magnitude pruning, round after round.

    Args:
        experiment: what to run.
        past: what was trained before; only missing lanes are trained and yielded.
        observe: told of every evaluation while lanes train.
        dataset: used in place of the one that the experiment names.

    Yields:
        A ``Round`` for each round in which something was missing.

    Raises:
        UserError: the experiment cannot be run; before anything is trained.
    """
    validate(experiment, dataset and source_of(dataset))
    dataset = dataset or load_dataset(experiment.data)
    return _Search(experiment, past or Nothing(), observe, dataset).rounds()


class _Search:
    """One walk through the rounds; remembers each trial's last ticket outcome."""

    def __init__(self, experiment: Experiment, past: Past, observe: Observe | None, dataset: Dataset) -> None:
        self.experiment, self.past, self.observe = experiment, past, observe
        self.network: Network = make_network(
            experiment.model, dataset.train_images.shape[1:], dataset.classes
        )
        self.splits = split(dataset, experiment.data.validation, experiment.seed)
        self.training = make_training(self.network, experiment.train, len(self.splits.train.labels))
        self.programs: dict[int, LaneProgram] = {}
        self.theta0: dict[int, Params] = {}
        self.latest: dict[int, tuple[int, Outcome]] = {}

    def rounds(self) -> Iterator[Round]:
        """Train what is missing, round after round."""
        for index in range(self.experiment.prune.rounds + 1):
            done = self.past.lanes(index)
            missing = tuple(lane for lane in lanes_of(self.experiment) if lane not in done)
            if missing:
                yield self.train(index, missing)

    def train(self, index: int, lanes: tuple[Lane, ...]) -> Round:
        """Train lanes of a round from scratch and table what happened."""
        found = {trial: self.find(trial, index) for trial in sorted({lane.trial for lane in lanes})}
        starts = [self.start(lane, index, found[lane.trial]) for lane in lanes]
        program = self.program(len(lanes))
        watch = self.observe
        trained, history = program.run(starts, watch and (lambda step, seen: watch(index, lanes, step, seen)))
        lane_masks = [jax.device_get(start.mask) for start in starts]
        result = Round(
            index, lanes, {trial: ticket.params for trial, ticket in found.items()},
            stack(lane_masks), trained,
            summarise(lanes, index, history, lane_masks), curves(lanes, index, history),
        )  # fmt: skip
        for lane in lanes:
            if lane == Lane("ticket", lane.trial):
                self.latest[lane.trial] = index, result.lane(lane)
        return result

    def program(self, lanes: int) -> LaneProgram:
        """The program for that many lanes; rounds of one size share one."""
        if lanes not in self.programs:
            self.programs[lanes] = LaneProgram(
                self.training, self.splits, self.experiment.train, self.experiment.compute, lanes
            )
        return self.programs[lanes]

    def start(self, lane: Lane, index: int, found: Ticket) -> LaneStart:
        """What a lane begins with: its arm's draw from the ticket of its trial."""
        seed = self.experiment.seed
        identity = (lane.trial, index, lane.arm, lane.repeat)
        params, mask = ARMS.find(lane.arm)(
            named_key(seed, "arm", *identity), found, lambda key: self.network.init(key)[0]
        )
        # what is not a parameter (BatchNorm's statistics) begins afresh in every round
        _, collections = self.network.init(named_key(seed, "init", lane.trial))
        return LaneStart(params, collections, mask, named_key(seed, "train", *identity))

    def find(self, trial: int, index: int) -> Ticket:
        """θ₀ (unmasked) and the round's mask of a trial."""
        return Ticket(self.initial(trial), self.mask(trial, index))

    def initial(self, trial: int) -> Params:
        """θ₀ of a trial: the kept one, else drawn from the seed."""
        if trial not in self.theta0:
            kept = self.past.theta0(trial)
            key = named_key(self.experiment.seed, "init", trial)
            self.theta0[trial] = jax.device_get(self.network.init(key)[0]) if kept is None else kept
        return self.theta0[trial]

    def mask(self, trial: int, index: int) -> Mask:
        """The mask of a trial's ticket in a round, pruned from the round before."""
        ticket = Lane("ticket", trial)
        if index == 0:
            return masks.dense(self.initial(trial))
        if ticket in self.past.lanes(index):
            return self.past.outcome(index, ticket).mask
        at, before = self.latest.get(trial, (None, None))
        if before is None or at != index - 1:
            before = self.past.outcome(index - 1, ticket)
        return prune_once(self.experiment, self.initial(trial), before, trial, index)


def prune_once(experiment: Experiment, theta0: Params, before: Outcome, trial: int, index: int) -> Mask:
    """The mask of round ``index``, from what the round before left of the ticket."""
    key = named_key(experiment.seed, "prune", trial, index)
    scores: Any = SCORES.find(experiment.prune.score)(before.trained, theta0, key)
    rates = pruning.rates_by_path(theta0, experiment.prune.rates)
    scope = pruning.prune if experiment.prune.scope == "layer" else pruning.prune_globally
    return scope(jax.device_get(scores), before.mask, rates)
