"""Thinning: dropping trained params from a run that has them, and nothing else of it."""

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from ltjax.core.errors import UserError
from ltjax.core.files import write_text
from ltjax.core.types import Lane, Mask
from ltjax.lottery.loop import Round
from ltjax.lottery.rehearsal import Rehearsal, functions_of
from ltjax.lottery.search import Search, begin
from ltjax.runs import checkpoints, parts, paths, retention
from ltjax.runs.folder import Run, read_config
from ltjax.settings import compatible
from ltjax.settings.schema import Keep
from ltjax.sparsity import schedules
from ltjax.training.tasks import network_of, task_of

Writing = Callable[[], AbstractContextManager[None]]


def thin(
    run: Run, keep: Keep, writing: Writing = nullcontext, rounds: Collection[int] | None = None
) -> int:  # fmt: skip
    """Drop the trained params that ``keep`` does not ask for; masks, rows and curves stay, and it can go on.

    Where it is killed, a part has all of its params or is thinned; repeating completes it.

    Args:
        run: opened for writing.
        keep: ``all``, ``tickets`` or ``masks``.
        writing: what to be in while a part is written.
        rounds: those whose params are dropped; by default all.

    Returns:
        How many lanes' params were dropped.

    Raises:
        UserError: a checkpoint is damaged.
        OSError: a part could not be written; it stands as it was.
    """
    chosen = sorted(run.parts if rounds is None else rounds)
    every = [(round, *part) for round in chosen for part in run.parts[round]]
    dropped = sum(_thin_part(run, *part, keep, writing) for part in every)
    if set(chosen) == set(run.parts):
        _drop_theta0(run, keep)
    return dropped


def settle(folder: Path, keep: Keep) -> None:
    """Write into a run's configuration what it keeps from now on.

    Raises:
        UserError: there is no run.
        OSError: it could not be written.
    """
    experiment = read_config(folder)
    grown = replace(experiment, compute=replace(experiment.compute, keep=keep))
    write_text(paths.config(folder), compatible.to_json(grown))


def _thin_part(run: Run, round: int, path: Path, note: dict[str, Any], keep: Keep, writing: Writing) -> int:
    found, there = run.part(path, note), parts.kept(note)
    ahead = masks_ahead(run, found, there)
    wanted = retention.wanted(run.experiment, round, there, keep, ahead, run.reads_trained)
    if len(wanted) < len(there):
        with writing():
            run.rewrite(path, replace(found, ahead=ahead), wanted, note)
    return len(there) - len(wanted)


def masks_ahead(run: Run, found: Round, there: Collection[Lane]) -> Mapping[int, Mask]:
    """The next round's masks that a part kept; one of before they were kept has them made from its params."""
    prune = run.experiment.prune
    pruned = [lane for lane in found.lanes if lane in there and lane.arm == schedules.source(prune)]
    if found.ahead or not pruned or schedules.after(prune, found.index) != [found.index + 1]:
        return found.ahead
    experiment, task = run.experiment, task_of(run.experiment)
    rehearsal = Rehearsal(functions_of(experiment, task))
    return Search(experiment, run, task, rehearsal).ahead(found.index, pruned)


def _drop_theta0(run: Run, keep: Keep) -> None:
    """Remove stored initial params that can be drawn again to the same bits."""
    if retention.keeps_theta0(run.experiment, keep):
        return
    for trial in range(run.experiment.trials):
        path = paths.theta0(run.folder, trial)
        if path.exists() and _drawn_again(run, trial) == checkpoints.checksums(checkpoints.load(path)):
            checkpoints.remove(path)


def _drawn_again(run: Run, trial: int) -> dict[str, int]:
    """The checksums of a trial's θ₀ as it is drawn now; none where the user's code for it is not there."""
    try:
        drawn = begin(run.experiment, network_of(run.experiment), trial).params
    except UserError:
        return {}
    return checkpoints.checksums(drawn)
