"""Retention: whose trained params a run's folder keeps.

The default keeps the tickets': they are what one exports, evaluates or looks into, and the controls' are read
by nothing. ``all`` keeps every lane's; ``masks`` none. Whatever is chosen, rows, curves and masks are kept,
and so are the params without which the run could not go on.
"""

from collections.abc import Collection, Sequence

from ltjax.core.types import Lane
from ltjax.lottery.arms import any_uses_trained
from ltjax.settings.schema import Experiment, Keep
from ltjax.sparsity import schedules


def wanted(
    experiment: Experiment, round: int, lanes: Sequence[Lane], keep: Keep, ahead: Collection[int]
) -> list[Lane]:
    """The lanes of a round whose params are kept.

    Args:
        experiment: whose schedule and arms say what later rounds need.
        round: the round.
        lanes: its lanes.
        keep: ``all``, ``tickets`` or ``masks``.
        ahead: the trials whose next mask is kept.

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
        or _needed(experiment, round, lane, lane.trial in ahead)
    ]  # fmt: skip


def _needed(experiment: Experiment, round: int, lane: Lane, ahead: bool) -> bool:
    """Whether a later round cannot begin without a lane's params."""
    prune = experiment.prune
    if lane != Lane(schedules.source(prune), lane.trial) or not schedules.after(prune, round):
        return False
    return not ahead or any_uses_trained(arm for arm, repeats in experiment.arms.items() if repeats)


def keeps_theta0(experiment: Experiment, keep: Keep) -> bool:
    """Whether initial params are stored, and not only their checksums by which a new draw is checked."""
    return keep != "masks" or experiment.model.start is not None
