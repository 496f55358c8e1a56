"""Retention: whose trained params a run's folder keeps.

The default keeps the tickets': they are what one exports, evaluates or looks into, and the controls' are read
by nothing. ``all`` keeps every lane's; ``masks`` none. Whatever is chosen, rows, curves and masks are kept,
and so are the params without which the run could not go on: the dense networks that a rewinding goes back to
among them.
"""

import math
from collections.abc import Collection, Sequence
from typing import get_args

import jax

from ltjax.core.types import Lane
from ltjax.lottery.resolving import Resolved
from ltjax.settings.schema import Experiment, Keep
from ltjax.sparsity import schedules


def wanted(
    experiment: Experiment, round: int, lanes: Sequence[Lane], keep: Keep, ahead: Collection[int],
    reads_trained: bool = False,
) -> list[Lane]:  # fmt: skip
    """The lanes of a round whose params are kept.

    Args:
        experiment: whose schedule and arms say what later rounds need.
        round: the round.
        lanes: its lanes.
        keep: ``all``, ``tickets`` or ``masks``.
        ahead: the trials whose next mask is kept.
        reads_trained: whether the rewinding or an arm reads what training left (``lottery.rehearsal``).

    Example:
        >>> lanes = [Lane("ticket", 0), Lane("reinit", 0)]
        >>> wanted(Experiment(), 3, lanes, "tickets", [0])
        [Lane(arm='ticket', trial=0, repeat=0)]
        >>> wanted(Experiment(), 3, lanes, "masks", [0])
        []
    """
    return [
        lane for lane in lanes
        if keep == "all" or (keep == "tickets" and lane.arm == "ticket")
        or _needed(experiment, round, lane, lane.trial in ahead and not reads_trained)
    ]  # fmt: skip


def _needed(experiment: Experiment, round: int, lane: Lane, masks_do: bool) -> bool:
    """Whether a later round cannot begin without a lane's params."""
    prune = experiment.prune
    if lane != Lane(schedules.source(prune), lane.trial) or not schedules.after(prune, round):
        return False
    return not masks_do


def keeps_theta0(experiment: Experiment, keep: Keep) -> bool:
    """Whether initial params are stored, and not only their checksums by which a new draw is checked."""
    return keep != "masks" or experiment.model.start is not None


def disk(resolved: Resolved, point: str = "") -> dict[Keep, int]:
    """The bytes that the checkpoints of a point take once it is finished, by what is kept.

    Args:
        resolved: the experiment.
        point: the point of its sweep.
    """
    experiment = resolved.points[point]
    trees = resolved.tasks[point].shapes
    params, whole = (sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(each))
                     for each in (trees[0], trees))  # fmt: skip
    bits = sum(math.ceil(leaf.size / 8) for leaf in jax.tree.leaves(trees[0]))
    found: dict[Keep, int] = {}
    for keep in get_args(Keep):
        found[keep] = experiment.trials * params * keeps_theta0(experiment, keep)
        found[keep] += experiment.trials * whole * len(resolved.rehearsals[point].functions.captures)
        masks = 2 if resolved.rehearsals[point].functions.own_masks else 1
        for round in range(experiment.prune.rounds + 1):
            lanes = resolved.lanes(point, round)
            ahead = _ahead(experiment, round, lanes)
            reads_trained = resolved.rehearsals[point].uses_trained
            kept = wanted(experiment, round, lanes, keep, ahead, reads_trained)
            found[keep] += (masks * len(lanes) + len(ahead)) * bits + len(kept) * whole
    return found


def _ahead(experiment: Experiment, round: int, lanes: Sequence[Lane]) -> set[int]:
    """The trials whose next mask follows from a round."""
    if schedules.after(experiment.prune, round) != [round + 1]:
        return set()
    return {lane.trial for lane in lanes if lane.arm == schedules.source(experiment.prune)}
