"""What an experiment must satisfy before anything is trained; each failure is one clear sentence."""

from collections.abc import Collection, Mapping

import numpy as np

from ltjax.core.choices import Choice
from ltjax.core.errors import UserError, shown
from ltjax.data import Source
from ltjax.lottery.arms import ARMS
from ltjax.models import MODELS, Network
from ltjax.settings.plain import check, check_choices
from ltjax.settings.schema import Experiment, Prune
from ltjax.sparsity import counts, masks, selection
from ltjax.sparsity.schedules import source as source_arm
from ltjax.sparsity.schedules import step_of, trains_dense
from ltjax.sparsity.structures import structure_of, together
from ltjax.training.task import Task, check_shapes
from ltjax.training.tasks import task_of

LANES = 1_000_000
"""Trainings of a run, all rounds and points together: each has a row in a table, and files."""

EVALUATIONS = 1_000_000
"""Of a lane: the device holds them all until its training is over."""

WEIGHTS = 2**31 - 1
"""Of a network: positions among them are int32."""


def validate(points: Mapping[str, Experiment], source: Source | None) -> dict[str, Task]:
    """Check the points of a configuration, before their data are loaded.

    Args:
        points: of the sweep, or the one experiment where nothing is swept; by name.
        source: the data's sizes, where they are not those of the data set that it names.

    Returns:
        The task of each point.

    Raises:
        UserError: the first thing that cannot be run, by its command-line name.
    """
    tasks: dict[str, Task] = {}
    tried: dict[tuple[Network, Choice, Choice], Task] = {}  # points that differ elsewhere share their network
    for name, point in points.items():
        _names(point)
        check(point)
        tasks[name] = task = task_of(point, source)
        if (task.network, point.loss, point.metric) not in tried:
            check_shapes(task)
            tried[task.network, point.loss, point.metric] = task
        _schedule(point)
        _kinds(point, task)
        _evaluations(point)
        _examples(point, task.data.train)
    _amount(points.values())
    return tasks


def _names(experiment: Experiment) -> None:
    for arm in experiment.arms:
        ARMS.find(arm)
    MODELS.find(experiment.model.name)
    check_choices(experiment)


def _evaluations(experiment: Experiment) -> None:
    train = experiment.train
    if train.batch % experiment.compute.data:
        raise UserError(
            f"train.batch must be a multiple of compute.data, {experiment.compute.data}, not {train.batch}."
        )
    if train.steps // train.evaluate_every > EVALUATIONS:
        raise UserError(
            f"train.steps {train.steps} at train.evaluate_every {train.evaluate_every} are more than "
            f"{EVALUATIONS} evaluations, the most that can be kept."
        )


def _amount(points: Collection[Experiment]) -> None:
    """The lanes of all rounds and points, counted without making them."""
    lanes = sum(
        each.trials * repeats * _rounds(each, arm) for each in points for arm, repeats in each.arms.items()
    )
    if lanes > LANES:
        raise UserError(
            f"trials, arms, prune.rounds and the sweep's points make {lanes} lanes; at most {LANES} can be."
        )


def _rounds(experiment: Experiment, arm: str) -> int:
    """The rounds that an arm is trained in, by number."""
    rounds, controls = experiment.prune.rounds, experiment.control_rounds
    if arm in ("ticket", source_arm(experiment.prune)) or controls is None:
        return rounds + 1
    return sum(round <= rounds for round in set(controls))


def _schedule(experiment: Experiment) -> None:
    prune = experiment.prune
    if not experiment.arms.get("ticket"):
        raise UserError("arms.ticket cannot be 0: the tickets' training finds every arm's masks.")
    own = [each for each in prune.rate_by_path if not each.endswith("=None")]
    if prune.schedule.name == "oneshot" and own:
        raise UserError(
            f"prune.rate_by_path {shown(own[0])} has no meaning under prune.schedule oneshot, whose "
            "fractions scale the rates of kinds; a path can only be left whole there, as in 'fc1/*=None'."
        )
    if not experiment.arms.get(arm := source_arm(prune)):
        raise UserError(
            f"prune.schedule {prune.schedule.name} needs --arms.{arm} 1: its training finds the masks."
        )
    if experiment.ticket and not _prunes_on(prune):
        raise UserError(
            f"ticket {experiment.ticket} is trained in round 0 and pruned on from there, which "
            f"prune.schedule {prune.schedule.name} does not do; leave out one of the two."
        )
    controls = experiment.control_rounds
    if controls and not 0 <= min(controls) <= prune.rounds:
        raise UserError(f"control_rounds must be rounds from 0 to {prune.rounds}, not {min(controls)}.")


def _prunes_on(prune: Prune) -> bool:
    """Whether masks follow from what a round before left, the first from round 0."""
    return trains_dense(prune) and all(step_of(prune, round).arm for round in range(1, prune.rounds + 1))


def _kinds(experiment: Experiment, task: Task) -> None:
    weights = sum(int(np.size(leaf)) for leaf in masks.counted(task.shapes[0], task.kinds).values())
    if weights > WEIGHTS:
        raise UserError(f"model.widths and .channels make {weights} weights; at most {WEIGHTS} can be.")
    prune = experiment.prune
    rates = selection.rates_by_path(task.kinds, prune.rates, prune.rate_by_path)
    if not rates:
        raise UserError(f"prune.rates leave nothing to prune in '{experiment.model.name}'.")
    structure, densities = structure_of(prune.structure, lambda: task.axes), prune.densities.name
    if densities != counts.BY_RATES and (together(structure) or hasattr(structure, "counts")):
        raise UserError(
            f"prune.densities {densities} has no meaning under prune.structure {prune.structure.name}, which "
            "says itself how many weights a layer keeps."
        )
    counts.surviving(task.shapes[0], prune, task.kinds, structure)


def _examples(experiment: Experiment, total: int) -> None:
    validation, batch = experiment.data.validation, experiment.train.batch
    if validation >= total:
        raise UserError(f"data.validation must be below {total}, all there is to train on, not {validation}.")
    if batch > total - validation:
        raise UserError(
            f"train.batch must be at most {total - validation}, the examples left to train on, not {batch}."
        )
