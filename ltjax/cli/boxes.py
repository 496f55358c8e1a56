"""What a person is told of time: a run's box, where it stands when that is over, how long all would take."""

from pathlib import Path

from ltjax.core.errors import UserError
from ltjax.core.texts import duration
from ltjax.lanes.box import Box, Ended
from ltjax.lottery.resolving import Resolved
from ltjax.runs.pace import time_of


def minutes(box: Box) -> str:
    """The length of a box.

    Example:
        >>> minutes(Box(8)), minutes(Box(1))
        ('8 minutes', '1 minute')
    """
    return f"{box.minutes or 0:g} minute{'' if box.minutes == 1 else 's'}"


def rest(box: Box) -> str:
    """What is left of a box, for a line of progress; nothing where there is none.

    Example:
        >>> rest(Box(8, clock=lambda: 0.0)), rest(Box())
        (', box: 8 min', '')
    """
    return "" if box.endless else f", box: {duration(max(box.left, 0.0))}"


def stopped(ended: Ended, box: Box, rounds: int, steps: int, again: str) -> str:
    """Why a run has stopped within its box, what is left of it, and how to go on.

    Args:
        ended: what ended it.
        box: its box.
        rounds: in which lanes are still to be trained.
        steps: trial-steps still to be trained.
        again: the command that continues it.
    """
    about = f", about {duration(steps * box.training / box.trained)} of training" if box.trained else ""
    left = f"{rounds} round{'' if rounds == 1 else 's'}"
    return (
        f"stopped after {duration(box.spent)}, within {minutes(box)}{_late(ended, box)}: {_where(ended)}. "
        f"Left: {left}, {steps:,} trial-steps{about}. To continue, repeat: {again}"
    )


def taken(folder: Path, resolved: Resolved) -> str:
    """What an experiment would take at the pace of its run's folder; empty where nothing is trained there."""
    try:
        time = time_of(folder, resolved)
    except (UserError, OSError):  # told when it is run
        time = None
    if time is None:
        return ""
    return (
        f"{'time':15} about {duration(time.whole)} in all, {duration(time.left)} of it left, at the pace of "
        f"'{folder}'" + (f" ({time.devices})" if time.devices else "")
    )


def _late(ended: Ended, box: Box) -> str:
    """How much longer it took, as where the steps between two evaluations do not fit into a box."""
    over = box.spent - box.length
    steps = f"the {ended.work.every:,} steps until an evaluation can be kept only whole"
    return "" if over <= 0 else f" and {duration(over)} more, as {steps}"


def _where(ended: Ended) -> str:
    round, takes = ended.work.round, ended.seconds
    if ended.step is not None:
        return f"round {round} is kept at step {ended.step:,}"
    if takes is None:
        return f"there was no time left to compile the next part, of round {round}"
    return f"the next part, of round {round}, would take {duration(takes)}, more than was left"
