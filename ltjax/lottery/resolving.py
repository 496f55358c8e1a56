"""An experiment, resolved: its points, networks and lanes, made once and handed down to all who ask.

Only here is an experiment validated, its sweep spread into points and its points grouped by program.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import jax

from ltjax.core.errors import UserError, shown
from ltjax.core.keys import random_numbers
from ltjax.core.safetensors import load_start
from ltjax.core.types import Lane, Mask
from ltjax.data import Source
from ltjax.lottery.given import masks_given
from ltjax.lottery.own_masks import check_own_masks
from ltjax.lottery.rehearsal import Rehearsal, rehearse
from ltjax.lottery.search import lanes_of, start_step
from ltjax.lottery.validation import validate
from ltjax.models.convolution import form_here
from ltjax.settings import compatible, roles, sweeps
from ltjax.settings.schema import Experiment
from ltjax.training.task import Task


@dataclass(frozen=True)
class Resolved:
    """An experiment that can be run, and what follows from its settings before any data is read.

    ``points``, their ``tasks`` and ``rehearsals`` are by name, one under ``""`` where nothing is swept;
    ``source`` has the sizes of the data, where they were given; ``only`` are the trials to train, None
    for all.
    """

    experiment: Experiment
    source: Source | None
    points: Mapping[str, Experiment]
    tasks: Mapping[str, Task]
    rehearsals: Mapping[str, Rehearsal]
    only: Collection[int] | None = None

    @property
    def task(self) -> Task:
        """The task of the first point; all points have its data."""
        return next(iter(self.tasks.values()))

    @property
    def rounds(self) -> int:
        """The last round of any point."""
        return max(point.prune.rounds for point in self.points.values())

    def lanes(self, point: str, round: int) -> list[Lane]:
        """The lanes that a round trains at a point."""
        return lanes_of(self.points[point], round, self.only)

    def step(self, point: str, round: int, lane: Lane) -> int:
        """The step that a lane starts at."""
        return start_step(self.points[point], self.rehearsals[point], round, lane)

    def identity(self, point: str, round: int, lane: Lane) -> tuple[Any, ...]:
        """What lanes have in common that points are known to share before anything is trained."""
        if round:
            return point, round, lane
        experiment = self.points[point]
        values = tuple(roles.lane_values(experiment).items())
        begun = experiment.model, experiment.ticket
        return sweeps.program_key(experiment), begun, values, lane, self.step(point, 0, lane)

    def programs(self) -> list[list[str]]:
        """The points in groups, each of which trains as lanes of one program."""
        groups: dict[str, list[str]] = {}
        for name, point in self.points.items():
            groups.setdefault(sweeps.program_key(point), []).append(name)
        return list(groups.values())

    def trials(self, point: str) -> Collection[int]:
        """The trials to train at a point."""
        return self.only or range(self.points[point].trials)

    def given(self, point: str) -> dict[int, Mask]:
        """The masks that round 0 is given at a point, by trial; none where it is dense.

        Raises:
            UserError: they cannot be read, or are not of the network, or cannot be pruned as is asked.
        """
        functions = self.rehearsals[point].functions
        return masks_given(self.points[point], self.trials(point), self.tasks[point], functions)

    def check_start(self) -> None:
        """Check the files of ``model.start`` and the masks of ``ticket``, of which a run gets its own copies.

        Raises:
            UserError: one is missing or does not fit the network.
        """
        for name, point in self.points.items():
            self.given(name)
            for trial in self.trials(name) if point.model.start else ():
                load_start(str(point.model.start), trial, *self.tasks[name].shapes)


def resolve(
    experiment: Experiment, source: Source | None = None, only: Collection[int] | None = None
) -> Resolved:
    """Validate an experiment, and work out all that follows from its settings; no data is read.

    Args:
        experiment: what is to be run.
        source: the data's sizes, where they are not those of the data set that it names.
        only: the trials to train; by default all.

    Raises:
        UserError: the first thing that cannot be run, by its command-line name.
    """
    experiment = _numerics_here(compatible.checked(experiment))
    points = {name: _numerics_here(point) for name, point in sweeps.points(experiment).items()}
    tasks = validate(points, source)
    for trial in only or ():
        if not 0 <= trial < experiment.trials:
            raise UserError(f"--only must name trials from 0 to {experiment.trials - 1}, not {shown(trial)}.")
    rehearsals = {name: rehearse(point, tasks[name]) for name, point in points.items()}
    for name, point in points.items():
        check_own_masks(point, tasks[name], rehearsals[name])
    return Resolved(experiment, source, points, tasks, rehearsals, only)


def _numerics_here(experiment: Experiment) -> Experiment:
    """The experiment, with what its numerics are on this backend and under JAX's settings.

    Raises:
        UserError: they are others than it asks for, or than the run was begun with.
    """
    asked, x64 = experiment.numerics, bool(jax.config.jax_enable_x64)  # type: ignore[attr-defined]
    if asked.random_numbers != (drawn := random_numbers()):
        raise UserError(
            f"numerics.random_numbers is {shown(asked.random_numbers)}, and JAX draws by '{drawn}' here: "
            "leave its settings of random numbers as importing ltjax sets them, or begin another run."
        )
    if asked.x64 not in (None, x64):
        raise UserError(
            f"numerics.x64 is {asked.x64}, as asked or as the run was begun, and JAX's x64 is {x64} here: "
            f"set JAX_ENABLE_X64={int(asked.x64)} before the program starts, or begin another run."
        )
    here = replace(asked, convolution=form_here(asked.convolution), x64=x64)
    return replace(experiment, numerics=here)
