"""The round loop: train, prune, rewind, train again (paper, section 1). A generator; writes nothing.

Points of a sweep that differ only in values train as lanes of one program, others each by their own.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from operator import itemgetter
from typing import TypeAlias

import jax
import numpy as np
import pandas as pd

from ltjax.core.trees import stack, take
from ltjax.core.types import Lane, Mask, Params, Ticket
from ltjax.data import Dataset, check_dataset, load_dataset, source_of, split
from ltjax.lanes import processes
from ltjax.lanes.box import Work
from ltjax.lanes.history import curves, summarise
from ltjax.lanes.memory import Programs
from ltjax.lanes.program import LaneProgram, Trained
from ltjax.lanes.snapshots import Snapshots
from ltjax.lottery.resolving import Resolved, resolve
from ltjax.lottery.rewinding import rewind
from ltjax.lottery.search import Nothing, Outcome, Past, Search
from ltjax.models import Collections
from ltjax.settings.schema import Experiment
from ltjax.training.step import Training


@dataclass(frozen=True)
class Round:
    """What one round found: every lane trained in it, in the order of ``lanes``.

    ``masks``, ``trained`` (params) and ``collections`` (BatchNorm's statistics, or none) are NumPy pytrees
    with a leading lane axis; ``theta0`` holds the initial params of each trial; the tables have the columns
    of ``ltjax.lanes.history``; ``point`` is the sweep's point. In a job of several processes ``trained`` and
    ``collections`` are of the lanes that this process holds (``held``); all else is of all lanes. ``ahead``
    has the next round's mask of each trial for which it follows from these lanes. ``holders`` has the process
    that holds each lane, or ``DROPPED``; by default this one has all.
    """

    index: int
    lanes: tuple[Lane, ...]
    theta0: Mapping[int, Params]
    masks: Mask
    trained: Params
    collections: Collections
    summary: pd.DataFrame
    curves: pd.DataFrame
    point: str = ""
    holders: Sequence[int] | None = None
    ahead: Mapping[int, Mask] = field(default_factory=dict)

    @property
    def held(self) -> list[Lane]:
        """The lanes whose trained params are here: in a job of one process, all that it has trained."""
        own = processes.index()
        holders = self.holders or [own] * len(self.lanes)
        return [lane for lane, holder in zip(self.lanes, holders, strict=True) if holder == own]

    def lane(self, lane: Lane) -> Outcome:
        """The mask of one lane that is held here, and its params after training."""
        at = self.held.index(lane)
        return Outcome(self.mask(lane), *(take(tree, at) for tree in (self.trained, self.collections)))

    def mask(self, lane: Lane) -> Mask:
        """The mask of one lane."""
        mask: Mask = take(self.masks, self.lanes.index(lane))
        return mask

    def ticket(self, trial: int) -> Ticket:
        """The ticket of a trial: θ₀ under this round's mask."""
        mask = self.mask(Lane("ticket", trial))
        return Ticket(rewind(self.theta0[trial], mask), mask)


DROPPED = -1
"""In place of a holder: nobody has a lane's trained params any more."""

Part: TypeAlias = Sequence[tuple[str, Lane]]
"""Lanes that train together, each with its point (``""`` where nothing is swept)."""

Observe: TypeAlias = Callable[[int, Part, int, dict[str, np.ndarray]], None]
"""Called with round, lanes, step and the accuracies per split [lanes] there."""

Keeper: TypeAlias = Callable[[int, Part], Snapshots]
"""Asked, with the round, for the snapshots of a part that is about to be trained."""


def find_tickets(
    experiment: Experiment,
    *,
    past: Past | Mapping[str, Past] | None = None,
    observe: Observe | None = None,
    snapshots: Keeper | None = None,
    dataset: Dataset | None = None,
    only: Collection[int] | None = None,
) -> Iterator[Round]:
    """Find winning tickets by magnitude pruning, round after round.

    Args:
        experiment: what to run; a sweep runs all of its points, and its rounds say of which they are.
        past: what was trained before (of a sweep, by point); only missing lanes are trained and yielded.
        observe: told of every evaluation while lanes train.
        snapshots: where parts in the middle of their training are kept, and continue from; where their box
            has no time for more, ``ltjax.lanes.box.Ended`` is raised, and what was yielded stands.
        dataset: used in place of the one that the experiment names.
        only: the trials to train; by default all.

    Yields:
        A ``Round`` for each round, and point, in which something was missing; several where not all of its
        lanes fit the devices' memory at once.

    Raises:
        UserError: the experiment cannot be run; before anything is trained.
    """
    if dataset is not None:
        check_dataset(dataset)
    resolved = resolve(experiment, dataset and source_of(dataset), only)
    dataset = dataset or load_dataset(resolved.experiment.data)
    pasts = past if isinstance(past, Mapping) else {"": past or Nothing()}
    return train_rounds(resolved, dataset, pasts, observe=observe, snapshots=snapshots)


def train_rounds(
    resolved: Resolved, dataset: Dataset, pasts: Mapping[str, Past], *, observe: Observe | None = None,
    snapshots: Keeper | None = None,
) -> Iterator[Round]:  # fmt: skip
    """``find_tickets`` of an experiment that is resolved already, with its data and what was trained before.

    Raises:
        UserError: not even one lane fits the devices' memory.
    """
    walks = [_Walk(resolved, group, pasts, observe, snapshots, dataset) for group in resolved.programs()]
    rounds = range(resolved.rounds + 1)
    return (found for index in rounds for walk in walks for found in walk.round(index))


class _Walk:
    """The rounds of points that train as lanes of one program."""

    def __init__(
        self, resolved: Resolved, points: Sequence[str], pasts: Mapping[str, Past],
        observe: Observe | None, snapshots: Keeper | None, dataset: Dataset,
    ) -> None:  # fmt: skip
        self.observe, self.snapshots = observe, snapshots
        self.searches = {
            point: Search(
                resolved.points[point], pasts.get(point, Nothing()), resolved.networks[point], resolved.only
            )
            for point in points
        }
        # points differ in how their networks begin, not in what they compute
        first, network = resolved.points[points[0]], resolved.networks[points[0]]
        splits = split(dataset, first.data.validation, first.seed)
        self.train = first.train
        training = Training(network, first.train, len(splits.train.labels), first.data.augment)
        self.programs = Programs(
            lambda lanes: LaneProgram(training, splits, first.train, first.compute, lanes), first.compute
        )

    def round(self, index: int) -> Iterator[Round]:
        """Train what a round lacks: the lanes of all points together, or as many at once as memory holds."""
        waiting = [(point, lane) for point, search in self.searches.items() for lane in search.missing(index)]
        while waiting:
            point, lane = waiting[0]
            size, compiled = self.programs.expected(len(waiting))
            kept, expected = self.enter(index, waiting[:size], compiled), size
            program, size = self.programs.of(len(waiting), self.searches[point].starts(index, [lane])[0])
            if kept:
                kept.box.compiled()
            if self.snapshots and size < expected:
                kept = self.snapshots(index, waiting[:size])
            yield from self.part(index, waiting[:size], program, kept)
            waiting = waiting[size:]

    def enter(self, index: int, part: Part, compiled: bool) -> Snapshots | None:
        """The snapshots of a part that is about to be trained, if their box has time for it."""
        kept = self.snapshots and self.snapshots(index, part)
        if kept:
            steps = self.train.steps - (kept.begun.step if kept.begun else 0)
            work = Work(index, len(part), steps, min(steps, self.train.evaluate_every), compiled)
            kept.box.enter(work, tuple(self.searches))
        return kept

    def part(self, index: int, part: Part, program: LaneProgram, kept: Snapshots | None) -> Iterator[Round]:
        """Train some lanes of a round together; what was found, by point."""
        lanes = {point: [lane for _, lane in each] for point, each in groupby(part, key=itemgetter(0))}
        starts = [start for point in lanes for start in self.searches[point].starts(index, lanes[point])]
        watch = self.observe
        trained = program.run(
            starts,
            watch and (lambda step, seen: watch(index, part, step, seen)),
            kept,
        )
        lane_masks = [start.mask for start in starts]
        first = 0
        for point, own in lanes.items():
            chosen = slice(first, first := first + len(own))
            yield self.found(point, index, own, lane_masks[chosen], trained.lanes(chosen))

    def found(
        self, point: str, index: int, lanes: Sequence[Lane], lane_masks: Sequence[Mask], trained: Trained
    ) -> Round:
        """What a round found at one point."""
        search, history = self.searches[point], trained.history
        theta0 = {trial: search.theta0(trial) for trial in sorted({lane.trial for lane in lanes})}
        result = Round(
            index, tuple(lanes), theta0, stack(lane_masks), trained.params, trained.collections,
            summarise(lanes, index, history, lane_masks), curves(lanes, index, history), point,
            trained.holders,
        )  # fmt: skip
        for lane, holder in zip(lanes, trained.holders, strict=True):
            if search.needs(index, lane):
                search.keep(index, lane, everywhere(result, lane, holder))
        return replace(result, ahead=search.ahead(index, lanes))


def everywhere(found: Round, lane: Lane, holder: int) -> Outcome:
    """What training left of a lane, in every process, since each prunes all tickets for itself."""
    if lane in found.held:
        _, trained, collections = found.lane(lane)
    else:  # only the shapes count
        trained, collections = jax.tree.map(
            lambda leaf: np.zeros(leaf.shape[1:], leaf.dtype), (found.trained, found.collections)
        )
    return Outcome(found.mask(lane), *processes.broadcast((trained, collections), holder))
