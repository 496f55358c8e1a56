"""What masks that change while lanes train ask of an experiment, before anything is trained."""

from collections.abc import Collection

import jax
import numpy as np

from ltjax.core.errors import UserError
from ltjax.core.types import Params, Ticket
from ltjax.lottery.rehearsal import Rehearsal
from ltjax.lottery.rewinding import rewind
from ltjax.settings.schema import Experiment
from ltjax.sparsity import selection
from ltjax.sparsity.schedules import step_of
from ltjax.training.evolve import attempt, numbers_of, steps_of
from ltjax.training.task import Task


def layers_pruned(experiment: Experiment, task: Task) -> list[str]:
    """The paths of the layers that rounds prune, whose masks may change."""
    prune = experiment.prune
    return sorted(selection.rates_by_path(task.kinds, prune.rates, prune.rate_by_path))


def params_begun(experiment: Experiment, ticket: Ticket) -> Params:
    """The params that a lane begins with: under its mask, unless an evolve begins with more weights."""
    whole = hasattr(experiment.evolve.make(), "begin")
    return ticket.params if whole else rewind(ticket.params, ticket.mask)


def check_evolve(experiment: Experiment, task: Task, rehearsal: Rehearsal) -> None:
    """Check that masks can change as an experiment asks.

    Raises:
        UserError: its rounds, structure, arms or evolve do not go with masks that change; or the evolve
            failed when it was tried.
    """
    evolve, prune = experiment.evolve, experiment.prune
    if not steps_of(evolve, experiment.train.steps):
        return
    if any(step_of(prune, round).arm for round in range(1, prune.rounds + 1)):
        raise UserError(
            f"evolve {evolve.name} needs masks that read no trained weights: choose --prune.schedule at_init "
            "with --prune.schedule.densities, the density of each round."
        )
    structure = rehearsal.functions.structure[1]
    if hasattr(structure, "counts") or hasattr(structure, "shuffle"):
        raise UserError(
            f"evolve {evolve.name} would not keep the pattern of prune.structure {prune.structure.name}; "
            "choose layer or global."
        )
    attempt(evolve, experiment.train.steps)
    _check_starts(experiment, task, [rehearsal.step(1, arm) for arm in experiment.arms])


def _check_starts(experiment: Experiment, task: Task, starts: Collection[int]) -> None:
    """Check the numbers of every start step, for a mask that is as sparse as can be."""
    sparse = jax.tree.map(lambda leaf: np.zeros(leaf.shape, bool), task.shapes[0])
    for start in set(starts) if experiment.prune.rounds else ():
        layers = layers_pruned(experiment, task)
        numbers_of(experiment.evolve, experiment.train.steps, sparse, layers, start)
