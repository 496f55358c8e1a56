"""Lanes of finished runs, as an analysis is given them: what they began with and what training left."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp

from ltjax.analysis.evaluation import SPLITS, Evaluation, compiled, evaluation_of
from ltjax.core.errors import UserError, unknown
from ltjax.core.found import Options
from ltjax.core.keys import named_key
from ltjax.core.types import Key, Lane, Mask, Params, Start
from ltjax.data import Dataset, Examples, Splits
from ltjax.data import split as splits_of
from ltjax.lanes import history
from ltjax.lanes.derivatives import Differentiated
from ltjax.lanes.measuring import Measured
from ltjax.lottery.layers import Layer, layers
from ltjax.lottery.search import begin
from ltjax.runs import learned, parts
from ltjax.runs.folder import Run
from ltjax.settings.schema import Experiment
from ltjax.training.evolve import begun
from ltjax.training.task import Task
from ltjax.training.tasks import task_of


class Examined:
    """A run that is asked about, and what is made once for all of its lanes.

    Args:
        run: its folder, opened.
        name: what tables call it, where several runs are asked about together.
        load: loads its data, where they are not what its task loads.
    """

    def __init__(self, run: Run, name: str = "", load: Callable[[], Dataset] | None = None) -> None:
        self.run, self.name, self._load = run, name, load
        self.experiment: Experiment = run.experiment
        self.dropped: set[tuple[int, Lane]] = set()
        """Lanes that were asked for their trained params, which were not kept."""

    @cached_property
    def task(self) -> Task:
        """What the run learns."""
        return task_of(self.experiment)

    @cached_property
    def splits(self) -> Splits:
        """Its data."""
        dataset = self._load() if self._load else self.task.load(self.experiment.data)
        return splits_of(dataset, self.experiment.data.validation, self.experiment.seed)

    @cached_property
    def measured(self) -> Measured:
        """What evaluates its networks."""
        return compiled(self.task, self.experiment.train, self.experiment.compute)

    @cached_property
    def derivatives(self) -> Differentiated:
        """What differentiates its loss."""
        return Differentiated(self.task, self.splits.train, self.experiment.train.evaluate_batch)

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The leaves of its network's params; of a run that does not tell them, from its task."""
        known = learned.read(self.run.folder, history.metric_in(self.run.summary())).layers
        return known or tuple(layers(self.task, self.experiment.prune))

    def row(self, round: int, lane: Lane) -> Mapping[str, Any]:
        """A lane's row of the table."""
        rows = (row for _, note in self.run.parts[round] for row in note["rows"])
        return next(row for row in rows if Lane(row["arm"], row["trial"], row["repeat"]) == lane)

    def kept(self, round: int) -> set[Lane]:
        """The lanes of a round whose trained params were kept."""
        return {lane for _, note in self.run.parts.get(round, []) for lane in parts.kept(note)}

    def lanes(self, round: int) -> list["FinishedLane"]:
        """The lanes of a round: by arm, trial and repeat."""
        return [FinishedLane(self, round, lane) for lane in sorted(self.run.lanes(round))]


class FinishedLane:
    """A lane that was trained: who it is, what it is like, and what can be asked of its network.

    Arrays are read when they are asked for.
    """

    def __init__(self, of: Examined, round: int, lane: Lane) -> None:
        self._of, self.round, self.lane = of, round, lane

    def __repr__(self) -> str:
        """Who it is.

        Example:
            >>> FinishedLane(None, 7, Lane("ticket", 0))
            FinishedLane(round 7, ticket 0.0)
        """
        of = f"{self._of.name}, " if self._of and self._of.name else ""
        return f"FinishedLane({of}round {self.round}, {self.lane})"

    @property
    def arm(self) -> str:
        """Its arm."""
        return self.lane.arm

    @property
    def trial(self) -> int:
        """Its trial."""
        return self.lane.trial

    @property
    def repeat(self) -> int:
        """Which repeat of its arm it is."""
        return self.lane.repeat

    @property
    def run(self) -> str:
        """The name of its run; empty where one run alone is asked about."""
        return self._of.name

    @property
    def experiment(self) -> Experiment:
        """Its run's, of one point where the run is swept."""
        return self._of.experiment

    @property
    def task(self) -> Task:
        """What it learned.

        Raises:
            UserError: the task, network or data are the user's own, and not registered here.
        """
        return self._of.task

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The leaves of its params: path, shape, kind and rate."""
        return self._of.layers

    @property
    def row(self) -> Mapping[str, Any]:
        """Its row of ``summary.csv``."""
        return self._of.row(self.round, self.lane)

    @property
    def percent_remaining(self) -> float:
        """How much of its weights the mask leaves, in per cent."""
        return float(self.row["percent_remaining"])

    @property
    def kept(self) -> bool:
        """Whether its trained params were kept."""
        kept = self.lane in self._of.kept(self.round)
        if not kept:
            self._of.dropped.add((self.round, self.lane))
        return kept

    @property
    def before(self) -> "FinishedLane | None":
        """The same arm, trial and repeat a round earlier; None where it was not trained."""
        return self.at(self.round - 1)

    def at(self, round: int) -> "FinishedLane | None":
        """The same arm, trial and repeat in another round; None where it was not trained."""
        return FinishedLane(self._of, round, self.lane) if self.lane in self._of.run.lanes(round) else None

    @property
    def identity(self) -> dict[str, Any]:
        """Who it is, as columns of a table; with the run's name where several are asked about."""
        own = {"arm": self.arm, "trial": self.trial, "repeat": self.repeat}
        return {"run": self.run, **own} if self.run else own

    @property
    def mask(self) -> Mask:
        """Its mask."""
        return self._of.run.mask(self.round, self.lane)

    @property
    def began(self) -> Mask:
        """The mask that it began with: where masks do not change while lanes train, its mask."""
        paths = [layer.path for layer in self.layers if layer.rate is not None]
        mask = self._of.run.began(self.round, self.lane)
        return jax.device_get(begun(self.experiment.evolve, mask, paths))

    @property
    def trained(self) -> Start:
        """What training left: effective weights and state.

        Raises:
            UserError: they were not kept.
        """
        return self._of.run.outcome(self.round, self.lane).start

    @property
    def initial(self) -> Params:
        """The params that its trial began with, θ₀, unmasked.

        Raises:
            UserError: they are lost.
        """
        params = self._of.run.theta0(self.trial)
        if params is None:
            raise UserError(f"'{self._of.run.folder}' lacks the initial params of trial {self.trial}.")
        return params

    @property
    def theta0(self) -> Start:
        """How its trial began: θ₀, and the state beside it.

        Raises:
            UserError: it is lost, or the network is the user's own and not registered here.
        """
        starts = self._of.run.starts(self.trial)
        state = starts[0].state if 0 in starts else None
        return begin(self.experiment, self.task.network, self.trial, self.initial, state)

    def measure(self, starts: Sequence[Start], split: str = "test") -> list[Evaluation]:
        """Loss and metric of any params of its network on a whole split, all in one program.

        Raises:
            UserError: there is no such split.
        """
        examples = self.examples(split)
        tallies = self._of.measured.tallies(starts, examples)
        return [evaluation_of(self.task, tally, examples.size) for tally in tallies]

    def refreshed(self, starts: Sequence[Start]) -> list[Start]:
        """Params with the state that one pass in training mode over the training split leaves."""
        return self._of.measured.refreshed(starts, self._of.splits.train)

    def gradient(self, at: Start, examples: int | None = None, *, train: bool = False) -> Params:
        """The gradient of the mean training loss by all weights, as ``Found.gradient`` has it."""
        return self._of.derivatives.here(at, self.mask, None, self._key, Options(examples, train))

    def hvp(self, at: Start, vector: Params, examples: int | None = None, *, train: bool = False) -> Params:
        """The product of the loss's Hessian by all weights with a vector, as ``Found.hvp`` has it."""
        return self._of.derivatives.here(at, self.mask, vector, self._key, Options(examples, train))

    @property
    def _key(self) -> Key:
        """For what is drawn: the examples."""
        return named_key(self.experiment.seed, "analysis", self.trial, self.round)

    def examples(self, split: str, first: int | None = None) -> Examples:
        """The examples of a split, or only the first ones.

        Raises:
            UserError: there is no such split.
        """
        if split not in SPLITS:
            raise unknown("split", split, SPLITS)
        found: Examples = getattr(self._of.splits, split)
        return found if first is None else found.take(jnp.arange(min(first, found.size)))
