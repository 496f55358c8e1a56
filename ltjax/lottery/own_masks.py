"""What masks that change or are learned while lanes train ask of an experiment, before it trains."""

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
from ltjax.training import schemes
from ltjax.training.evolve import attempt, numbers_of, steps_of
from ltjax.training.schemes import learns
from ltjax.training.task import Task


def layers_pruned(experiment: Experiment, task: Task) -> list[str]:
    """The paths of the layers that rounds prune, whose masks may change."""
    prune = experiment.prune
    return sorted(selection.rates_by_path(task.kinds, prune.rates, prune.rate_by_path))


def params_begun(experiment: Experiment, ticket: Ticket) -> Params:
    """The params that a lane begins with: under its mask, unless more weights than it keeps can come."""
    whole = hasattr(experiment.evolve.make(), "begin") or learns(experiment.scheme)
    return ticket.params if whole else rewind(ticket.params, ticket.mask)


def check_own_masks(experiment: Experiment, task: Task, rehearsal: Rehearsal) -> None:
    """Check that masks can change, or be learned, as an experiment asks.

    Raises:
        UserError: its rounds, structure, arms, evolve and scheme do not go together; or the evolve or scheme
            failed when it was tried.
    """
    evolve, scheme = experiment.evolve, experiment.scheme
    evolves = bool(steps_of(evolve, experiment.train.steps))
    if evolves:
        _check_rounds(experiment, rehearsal, f"evolve {evolve.name}")
        attempt(evolve, experiment.train.steps)
        _check_starts(experiment, task, [rehearsal.step(1, arm) for arm in experiment.arms])
    if learns(scheme):
        if evolves:
            raise UserError(
                f"scheme {scheme.name} trains no weights by which evolve {evolve.name} could choose; leave "
                "out one of the two."
            )
        _check_rounds(experiment, rehearsal, f"scheme {scheme.name}")
        if rehearsal.functions.captures:
            raise UserError(
                f"scheme {scheme.name} trains no weights that prune.rewind {experiment.prune.rewind.name} "
                "could go back to; choose --prune.rewind original."
            )
        schemes.attempt(scheme)


def _check_rounds(experiment: Experiment, rehearsal: Rehearsal, whose: str) -> None:
    """Check that rounds are pruned as masks can be that change or are learned."""
    prune, structure = experiment.prune, rehearsal.functions.structure[1]
    if any(step_of(prune, round).arm for round in range(1, prune.rounds + 1)):
        raise UserError(
            f"{whose} needs masks that read no trained weights: choose --prune.schedule at_init with "
            "--prune.schedule.densities, the density of each round; or, where masks find for themselves how "
            "many weights they keep, --prune.rounds 0."
        )
    if hasattr(structure, "counts") or hasattr(structure, "shuffle"):
        raise UserError(
            f"{whose} would not keep the pattern of prune.structure {prune.structure.name}; choose layer or "
            "global."
        )


def _check_starts(experiment: Experiment, task: Task, starts: Collection[int]) -> None:
    """Check the numbers of every start step, for a mask that is as sparse as can be."""
    sparse = jax.tree.map(lambda leaf: np.zeros(leaf.shape, bool), task.shapes[0])
    for start in set(starts) if experiment.prune.rounds else ():
        layers = layers_pruned(experiment, task)
        numbers_of(experiment.evolve, experiment.train.steps, sparse, layers, start)
