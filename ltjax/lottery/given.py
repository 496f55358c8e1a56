"""The masks that round 0 is given: of another run's tickets, in place of the dense network (``ticket``)."""

from collections.abc import Collection
from typing import Protocol

import jax
import numpy as np

from ltjax.core import given
from ltjax.core.errors import UserError, sentence
from ltjax.core.trees import fingerprint
from ltjax.core.types import Mask
from ltjax.lottery.rehearsal import Functions
from ltjax.settings.schema import Experiment
from ltjax.sparsity import counts, masks
from ltjax.training.task import Task


class Begun(Protocol):
    """What is known of how trials began, where they were trained before."""

    def given(self, trial: int) -> str | None:
        """The fingerprint of the mask that a trial's round 0 was given, if it was."""

    def ticket_mask(self, round: int, trial: int) -> Mask | None:
        """The mask of a trial's tickets in a round, trained or still to be trained, if it is known."""


def masks_given(
    experiment: Experiment, trials: Collection[int], task: Task, functions: Functions,
    past: Begun | None = None,
) -> dict[int, Mask]:  # fmt: skip
    """The masks of round 0, by trial; none where the experiment names no ticket of another run.

    Args:
        experiment: its ``ticket`` says whose.
        trials: the trials.
        task: whose network they are to be masks of.
        functions: the experiment's, by which later rounds are pruned.
        past: what was trained before: it will do where the other run is gone.

    Raises:
        UserError: they cannot be read, are of another network or not those of before, or cannot be pruned on
            as is asked.
    """
    named = experiment.ticket
    if named is None:
        return {}
    found = _read(named, trials, past)
    for trial, mask in found.items():
        masks.check(mask, task.shapes[0], f"ticket {named}")
        if past and past.given(trial) not in (None, fingerprint(mask)):
            raise UserError(
                f"ticket {named} has another mask than trial {trial} began with here; put that run back as "
                "it was, or choose another --workdir."
            )
        _check_pruning(experiment, mask, task, functions)
    return found


def _read(named: str, trials: Collection[int], past: Begun | None) -> dict[int, Mask]:
    """The masks as the other run has them; where it is gone, as the trials began."""
    try:
        return given.read(named, trials)
    except UserError as error:
        kept = {trial: past.ticket_mask(0, trial) for trial in trials} if past else {}
        found = {trial: mask for trial, mask in kept.items() if mask is not None}
        if len(found) < len(trials):
            raise UserError(sentence(f"the masks of ticket {named} cannot be read: {error}")) from error
        return found


def _check_pruning(experiment: Experiment, mask: Mask, task: Task, functions: Functions) -> None:
    """Check that a mask has as many weights as later rounds keep, where the structure keeps them."""
    structure = functions.structure[1]
    counts.surviving(task.shapes[0], experiment.prune, task.kinds, structure, mask)
    if experiment.prune.rounds:
        scores = jax.tree.map(lambda leaf: np.arange(leaf.size).reshape(leaf.shape), task.shapes[0])
        kept = counts.kept_of(experiment.prune, 1, task.kinds, mask, structure=structure)
        functions.selected(scores, mask, kept)
