"""The round loop: train, prune, rewind, train again (paper, section 1). A generator; writes nothing.

Points of a sweep that differ only in values train as lanes of one program, others each by their own.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import jax
import numpy as np
import pandas as pd

from ltjax import masks, sweeps
from ltjax.augmentations import AUGMENTATIONS
from ltjax.config import Experiment
from ltjax.data import Dataset, check_dataset, load_dataset, source_of, split
from ltjax.lanes import LaneProgram, Trained
from ltjax.models import make_network
from ltjax.search import Nothing, Outcome, Past, Search
from ltjax.tables import curves, summarise
from ltjax.training import Training
from ltjax.trees import stack, take
from ltjax.types import Lane, Mask, Params, Ticket
from ltjax.validation import validate


@dataclass(frozen=True)
class Round:
    """What one round found: every lane trained in it, in the order of ``lanes``.

    ``masks`` and ``trained`` are NumPy pytrees with a leading lane axis; ``theta0`` holds the initial params
    of each trial; the tables have the columns of ``ltjax.tables``; ``point`` is the sweep's point.
    """

    index: int
    lanes: tuple[Lane, ...]
    theta0: Mapping[int, Params]
    masks: Mask
    trained: Params
    summary: pd.DataFrame
    curves: pd.DataFrame
    point: str = ""

    def lane(self, lane: Lane) -> Outcome:
        """The mask of one lane and its params after training."""
        at = self.lanes.index(lane)
        return Outcome(take(self.masks, at), take(self.trained, at))

    def ticket(self, trial: int) -> Ticket:
        """The ticket of a trial: θ₀ under this round's mask."""
        mask = self.lane(Lane("ticket", trial)).mask
        return Ticket(masks.apply(mask, self.theta0[trial]), mask)


Observe = Callable[[int, Sequence[Lane], int, dict[str, np.ndarray]], None]
"""Called with round, lanes, step and the accuracies per split [lanes] there."""


def find_tickets(
    experiment: Experiment,
    *,
    past: Past | Mapping[str, Past] | None = None,
    observe: Observe | None = None,
    dataset: Dataset | None = None,
    only: Collection[int] | None = None,
) -> Iterator[Round]:
    """Find winning tickets by magnitude pruning, round after round.

    Args:
        experiment: what to run; a sweep runs all of its points, and its rounds say of which they are.
        past: what was trained before (of a sweep, by point); only missing lanes are trained and yielded.
        observe: told of every evaluation while lanes train.
        dataset: used in place of the one that the experiment names.
        only: the trials to train; by default all.

    Yields:
        A ``Round`` for each round, and point, in which something was missing.

    Raises:
        UserError: the experiment cannot be run; before anything is trained.
    """
    if dataset is not None:
        check_dataset(dataset)
    validate(experiment, dataset and source_of(dataset))
    dataset = dataset or load_dataset(experiment.data)
    pasts = past if isinstance(past, Mapping) else {"": past or Nothing()}
    points = sweeps.points(experiment)
    groups: dict[str, dict[str, Experiment]] = {}
    for point, each in points.items():
        groups.setdefault(sweeps.program_key(each), {})[point] = each
    walks = [_Walk(group, pasts, observe, dataset, only) for group in groups.values()]
    last = max(each.prune.rounds for each in points.values())
    return (found for index in range(last + 1) for walk in walks for found in walk.round(index))


class _Walk:
    """The rounds of points that train as lanes of one program."""

    def __init__(
        self, points: Mapping[str, Experiment], pasts: Mapping[str, Past], observe: Observe | None,
        dataset: Dataset, only: Collection[int] | None,
    ) -> None:  # fmt: skip
        first, self.observe = next(iter(points.values())), observe
        self.train, self.compute = first.train, first.compute
        self.splits = split(dataset, first.data.validation, first.seed)
        networks = {
            point: make_network(each.model, dataset.train_images.shape[1:], dataset.classes)
            for point, each in points.items()
        }
        self.searches = {
            point: Search(each, pasts.get(point, Nothing()), networks[point], only)
            for point, each in points.items()
        }
        # points differ in how their networks begin, not in what they compute
        augment = AUGMENTATIONS.find(first.data.augment)
        self.training = Training(
            next(iter(networks.values())), self.train, len(self.splits.train.labels), augment
        )
        self.programs: dict[int, LaneProgram] = {}

    def round(self, index: int) -> Iterator[Round]:
        """Train what a round lacks, of all points together."""
        missing = {point: lanes for point, search in self.searches.items()
                   if (lanes := search.missing(index))}  # fmt: skip
        starts = [start for point, lanes in missing.items()
                  for start in self.searches[point].starts(index, lanes)]  # fmt: skip
        if not starts:
            return
        everyone, watch = [lane for lanes in missing.values() for lane in lanes], self.observe
        trained = self.program(len(starts)).run(
            starts, watch and (lambda step, seen: watch(index, everyone, step, seen))
        )
        lane_masks = [jax.device_get(start.mask) for start in starts]
        first = 0
        for point, lanes in missing.items():
            chosen = slice(first, first := first + len(lanes))
            yield self.table(point, index, lanes, lane_masks[chosen], trained.lanes(chosen))

    def program(self, lanes: int) -> LaneProgram:
        """The program for that many lanes; rounds of one size share one."""
        if lanes not in self.programs:
            self.programs[lanes] = LaneProgram(self.training, self.splits, self.train, self.compute, lanes)
        return self.programs[lanes]

    def table(
        self, point: str, index: int, lanes: Sequence[Lane], lane_masks: Sequence[Mask], trained: Trained
    ) -> Round:
        """What a round found at one point."""
        search, history = self.searches[point], trained.history
        theta0 = {trial: search.theta0(trial) for trial in sorted({lane.trial for lane in lanes})}
        result = Round(
            index, tuple(lanes), theta0, stack(lane_masks), trained.params,
            summarise(lanes, index, history, lane_masks), curves(lanes, index, history), point,
        )  # fmt: skip
        for lane in lanes:
            search.keep(index, lane, result.lane(lane))
        return result
