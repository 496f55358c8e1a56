"""Tickets, and what training left, of a run's folder: as arrays for any use."""

from collections.abc import Collection
from pathlib import Path

import jax
import numpy as np

from ltjax.core.errors import UserError
from ltjax.core.given import READERS
from ltjax.core.types import Lane, Mask, Params, Ticket
from ltjax.lottery.rewinding import rewind
from ltjax.models import Collections
from ltjax.runs import paths
from ltjax.runs.folder import Run
from ltjax.settings import sweeps


def load_ticket(folder: str | Path, *, trial: int, round: int) -> Ticket:
    """A ticket of a run: ``.params`` are what it was rewound to, θ₀ by default, under ``.mask``, the round's.

    ``.step`` is where its training starts, ``.state`` what the network carries beside its params there.

    Raises:
        UserError: the run has none such.
    """
    ticket = Run(Path(folder)).ticket(round, trial)
    return ticket._replace(params=_to_numpy(rewind(ticket.params, ticket.mask)))


def load_trained(
    folder: str | Path, *, round: int, arm: str = "ticket", trial: int = 0, repeat: int = 0
) -> Params:
    """The params of a lane after training, pruned weights at exactly 0 or at the values that they were given.

    Raises:
        UserError: the run has none such.
    """
    return Run(Path(folder)).outcome(round, Lane(arm, trial, repeat)).trained


def load_collections(
    folder: str | Path, *, round: int, arm: str = "ticket", trial: int = 0, repeat: int = 0
) -> Collections:
    """What a lane's network carries beside its params after training: BatchNorm's statistics, or nothing.

    Raises:
        UserError: the run has none such.
    """
    return Run(Path(folder)).outcome(round, Lane(arm, trial, repeat)).collections


@READERS.register("run")
def masks_of(folder: Path, round: int, trials: Collection[int]) -> dict[int, Mask]:
    """The masks of a run's tickets of a round, by trial, whatever else of them was kept.

    Raises:
        UserError: there is no such run, or it is a sweep's, or lacks the round or a trial.
    """
    run = Run(folder)
    if run.experiment.sweep:
        names = [f"'{paths.point(folder, point)}'" for point in sweeps.points(run.experiment)]
        raise UserError(f"'{folder}' is a sweep; name the folder of one of its points: {', '.join(names)}.")
    return {trial: run.mask(round, Lane("ticket", trial)) for trial in trials}


def _to_numpy(tree: Params) -> Params:
    return jax.tree.map(np.asarray, tree)
