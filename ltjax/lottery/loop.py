"""The round loop: train, prune, rewind, train again (paper, section 1). A generator; writes nothing.

Points of a sweep that differ only in values train as lanes of one program, others each by their own.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from operator import itemgetter
from typing import Any, TypeAlias

import jax
import numpy as np
import pandas as pd

from ltjax.core.trees import fingerprint, read_only, stack, take
from ltjax.core.types import Lane, Mask, Params, Start, Ticket
from ltjax.data import Dataset, Source, check_dataset, source_of, split
from ltjax.lanes import processes
from ltjax.lanes.box import Work
from ltjax.lanes.derivatives import Differentiated
from ltjax.lanes.history import curves, summarise
from ltjax.lanes.memory import Programs
from ltjax.lanes.program import LaneProgram, Trained
from ltjax.lanes.snapshots import Snapshots
from ltjax.lottery.resolving import Resolved, resolve
from ltjax.lottery.rewinding import rewind
from ltjax.lottery.search import Nothing, Outcome, Past, Search
from ltjax.models import Collections
from ltjax.settings.schema import Experiment
from ltjax.training.step import LaneStart, Training


@dataclass(frozen=True)
class Round:
    """What one round found: every lane trained in it, in the order of ``lanes``.

    ``masks``, ``trained`` (params) and ``collections`` (BatchNorm's statistics, or none) are NumPy
    pytrees with a leading lane axis; ``theta0`` holds the initial params of each trial, ``starts`` the
    dense network by trial and step, where a rewinding asked for it, ``rewound`` the ticket of each trial
    that has one, as arms were given it; none of these arrays can be written. ``given`` has the fingerprints
    of the masks that round 0 was given of another run, by trial. ``reads_trained`` says whether the rewinding
    or an arm reads what training left. The tables have the columns of ``ltjax.lanes.history``; ``point`` is
    the sweep's point. In a job of several processes ``trained`` and ``collections`` are of the lanes that
    this process holds (``held``); all else is of all lanes. ``ahead`` has the next round's mask of each trial
    for which it follows from these lanes. ``holders`` has the process that holds each lane, or ``DROPPED``;
    by default this one has all. Where training leaves lanes masks of their own, ``masks`` are
    these, and ``begun`` the round's, which the lanes had before.
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
    starts: Mapping[int, Mapping[int, Start]] = field(default_factory=dict)
    rewound: Mapping[int, Ticket] = field(default_factory=dict)
    reads_trained: bool = False
    given: Mapping[int, str] = field(default_factory=dict)
    begun: Mask | None = None

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

    def began(self, lane: Lane) -> Mask:
        """The mask of the round that one lane had before it was trained."""
        mask: Mask = take(self.masks if self.begun is None else self.begun, self.lanes.index(lane))
        return mask

    def ticket(self, trial: int) -> Ticket:
        """The ticket of a trial: what it was rewound to, θ₀ by default, under this round's mask."""
        ticket = self.rewound[trial]
        return ticket._replace(params=rewind(ticket.params, ticket.mask))


DROPPED = -1
"""In place of a holder: nobody has a lane's trained params any more."""

Part: TypeAlias = Sequence[tuple[str, Lane]]
"""Lanes that train together, each with its point (``""`` where nothing is swept)."""

Observe: TypeAlias = Callable[[int, Part, int, dict[str, np.ndarray]], None]
"""Called with round, lanes, step and the accuracies per split [lanes] there."""

Keeper: TypeAlias = Callable[[int, Part, Sequence[Part]], Snapshots]
"""Asked, with the round, for the snapshots of a part that is about to be trained, and of whom each lane of it
is trained for too."""


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
    source = source_given(dataset)
    resolved = resolve(experiment, source, only)
    dataset = resolved.task.load(resolved.experiment.data)
    pasts = past if isinstance(past, Mapping) else {"": past or Nothing()}
    return train_rounds(resolved, dataset, pasts, observe=observe, snapshots=snapshots)


def source_given(dataset: Dataset | None) -> Source | None:
    """Arrays that a program gave, as a source, once they are checked.

    Raises:
        UserError: they are no data set.
    """
    if dataset is None:
        return None
    check_dataset(dataset)
    return source_of(dataset)


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
        # points differ in how their networks begin, not in what they compute
        first, task = resolved.points[points[0]], resolved.tasks[points[0]]
        splits = split(dataset, first.data.validation, first.seed)
        self.train = first.train
        derivatives = Differentiated(task, splits.train, first.train.evaluate_batch)
        self.searches = {
            point: Search(
                resolved.points[point],
                pasts.get(point, Nothing()),
                resolved.tasks[point],
                resolved.rehearsals[point],
                resolved.only,
                derivatives,
            )
            for point in points
        }
        for search in self.searches.values():
            search.check_start()
        training = Training(
            task, first.train, splits.train.size, first.data.augment, first.evolve, first.scheme
        )
        self.programs = Programs(
            lambda lanes: LaneProgram(training, splits, first.train, first.compute, lanes), first.compute
        )

    def round(self, index: int) -> Iterator[Round]:
        """Train what a round lacks: lanes that start at a step together, those that wait for others last."""
        turns: dict[tuple[bool, int], list[tuple[str, Lane]]] = {}
        for point, search in self.searches.items():
            for lane in search.missing(index):
                turn = search.waits(index, lane), search.step(index, lane)
                turns.setdefault(turn, []).append((point, lane))
        for turn in sorted(turns):
            yield from self.lanes(index, turn[1], turns[turn])

    def lanes(self, index: int, step: int, lanes: Part) -> Iterator[Round]:
        """Train lanes of all points that start at a step together, or as many at once as memory holds."""
        alike = self.alike(index, lanes)
        waiting = list(alike)
        while waiting:
            point, lane = waiting[0]
            size, compiled = self.programs.expected(len(waiting))
            kept, expected = self.enter(index, waiting[:size], alike, step, compiled), size
            program, size = self.programs.of(len(waiting), self.searches[point].starts(index, [lane])[0])
            if kept:
                kept.box.compiled()
            if self.snapshots and size < expected:
                kept = self.snapshots(index, waiting[:size], [alike[each][1:] for each in waiting[:size]])
            shared = {each: alike[each] for each in waiting[:size]}
            yield from self.part(index, step, shared, program, kept)
            waiting = waiting[size:]

    def alike(self, index: int, lanes: Part) -> dict[tuple[str, Lane], list[tuple[str, Lane]]]:
        """Lanes that begin alike, and so end alike, by the first of them: points may share the dense run."""
        values = {point: search.values() for point, search in self.searches.items()}
        often = Counter((lane, values[point]) for point, lane in lanes)
        found: dict[Any, list[tuple[str, Lane]]] = {}
        for point, lane in lanes:
            alone = often[lane, values[point]] == 1
            start = (point, lane) if alone else digest(self.searches[point].starts(index, [lane])[0])
            found.setdefault(start, []).append((point, lane))
        return {each[0]: each for each in found.values()}

    def enter(
        self, index: int, part: Part, alike: Mapping[tuple[str, Lane], Part], step: int, compiled: bool
    ) -> Snapshots | None:
        """The snapshots of a part that is about to be trained, if their box has time for it."""
        kept = self.snapshots and self.snapshots(index, part, [alike[each][1:] for each in part])
        if kept:
            steps = self.train.steps - (kept.begun.step if kept.begun else step)
            work = Work(index, len(part), steps, min(steps, self.train.evaluate_every), compiled, step)
            kept.box.enter(work, tuple(self.searches))
        return kept

    def part(
        self, index: int, step: int, shared: Mapping[tuple[str, Lane], Part], program: LaneProgram,
        kept: Snapshots | None,
    ) -> Iterator[Round]:  # fmt: skip
        """Train some lanes together, each for all lanes that begin as it does; what was found, by point."""
        part = list(shared)
        starts = [start for point, own in by_point(part)
                  for start in self.searches[point].starts(index, own)]  # fmt: skip
        every = [(point, lane) for each in shared.values() for point, lane in each]
        captures = {at for point, lane in every for at in self.searches[point].captures(index, lane)}
        watch = self.observe
        trained = program.run(
            starts, watch and (lambda at, seen: watch(index, part, at, seen)), kept, step, captures
        )
        places = {each: place for place, first in enumerate(part) for each in shared[first]}
        for point, own in by_point(sorted(every, key=lambda each: list(self.searches).index(each[0]))):
            at = [places[point, lane] for lane in own]
            yield self.found(point, index, own, trained.lanes(at), [starts[place] for place in at])

    def found(
        self, point: str, index: int, lanes: Sequence[Lane], trained: Trained, began: Sequence[LaneStart]
    ) -> Round:
        """What a round found at one point."""
        search, history = self.searches[point], trained.history
        trials = sorted({lane.trial for lane in lanes})
        lane_masks = [take(trained.masks, place) for place in range(len(lanes))]
        result = Round(
            index, tuple(lanes), {trial: search.theta0(trial).params for trial in trials}, trained.masks,
            trained.params, trained.collections,
            summarise(lanes, index, history, lane_masks, search.task.kinds, search.final(began)),
            curves(lanes, index, history), point, trained.holders,
            starts=self.starts(search, index, lanes, trained),
            reads_trained=search.rehearsal.uses_trained,
            given={trial: fingerprint(search.first_mask(trial)) for trial in trials}
            if search.experiment.ticket and not index else {},
            begun=stack([start.mask for start in began]) if search.functions.own_masks else None,
        )  # fmt: skip
        for lane, holder in zip(lanes, trained.holders, strict=True):
            if search.needs(index, lane):
                search.keep(index, lane, everywhere(result, lane, holder))
        tickets = {trial: search.ticket(index, trial) for trial in trials if Lane("ticket", trial) in lanes}
        result = replace(result, ahead=search.ahead(index, lanes), rewound=tickets)
        arrays = ("theta0", "masks", "begun", "trained", "collections", "ahead", "starts", "rewound")
        return replace(result, **{name: read_only(getattr(result, name)) for name in arrays})

    def starts(
        self, search: Search, index: int, lanes: Sequence[Lane], trained: Trained
    ) -> dict[int, dict[int, Start]]:
        """The dense networks that were kept on the way, by trial and step, in every process."""
        found: dict[int, dict[int, Start]] = {}
        for place, (lane, holder) in enumerate(zip(lanes, trained.holders, strict=True)):
            if asked := search.captures(index, lane):
                here = list(trained.holders[:place]).count(holder)
                own = {at: told(trained.captured[at], here, holder) for at in asked}
                found[lane.trial] = search.keep_starts(lane.trial, own)
            if began := search.began(index, lane):
                found[lane.trial] = {**began, **found.get(lane.trial, {})}
        return found


def by_point(lanes: Part) -> Iterator[tuple[str, list[Lane]]]:
    """Lanes that lie together by their points."""
    for point, each in groupby(lanes, key=itemgetter(0)):
        yield point, [lane for _, lane in each]


def digest(start: LaneStart) -> bytes:
    """What is the same for lanes that begin alike, to the bit."""
    found = hashlib.sha256()
    plain = start._replace(course=start.course.with_keys(jax.random.key_data))
    for leaf in jax.tree.leaves(plain):
        values = np.asarray(leaf)
        found.update(f"{values.dtype}{values.shape}".encode() + values.tobytes())
    return found.digest()


def told(tree: Any, place: int, holder: int) -> Start:
    """The lane at a place of those that ``holder`` holds, in every process."""
    own = processes.index() == holder
    lane = jax.tree.map(lambda leaf: leaf[place] if own else np.zeros(leaf.shape[1:], leaf.dtype), tree)
    return Start(*processes.broadcast(lane, holder))


def everywhere(found: Round, lane: Lane, holder: int) -> Outcome:
    """What training left of a lane, in every process, since each prunes all tickets for itself."""
    if lane in found.held:
        _, trained, collections = found.lane(lane)
    else:  # only the shapes count
        trained, collections = jax.tree.map(
            lambda leaf: np.zeros(leaf.shape[1:], leaf.dtype), (found.trained, found.collections)
        )
    return Outcome(found.mask(lane), *processes.broadcast((trained, collections), holder))
