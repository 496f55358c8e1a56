"""Making again what was removed from a run's folder because it was damaged: its configuration, and θ₀.

Checkpoints tell what they were trained as, so neither can be made again as something else.
"""

import functools
from collections.abc import Collection
from pathlib import Path

from ltjax import checkpoints, identity, paths
from ltjax.config import Experiment
from ltjax.evaluation import network_of
from ltjax.runs import Run
from ltjax.search import Nothing, Search


def experiment_of(folder: Path, asked: Experiment, points: Collection[str] = ()) -> Experiment | None:
    """What a run's folder without a configuration was run as; None where it is no such folder.

    Args:
        folder: the folder.
        asked: what is to be run in it; what it was, where no checkpoint says otherwise.
        points: the points of a sweep whose runs may lie in it.

    Raises:
        UserError: a checkpoint in it is damaged.
    """
    if not folder.is_dir() or not all(_own(path, points) for path in folder.iterdir()):
        return None
    kept = [
        *checkpoints.finished(paths.rounds(folder)),
        *checkpoints.finished(paths.theta0(folder, 0).parent),
    ]
    told = [checkpoints.note(path).get("experiment") for path in kept]
    if None in told or not (paths.rounds(folder).parent.exists() or points):
        return None  # of an older version, or tables alone
    try:
        return functools.reduce(identity.extended, map(identity.from_settings, told)) if told else asked
    except (ValueError, TypeError):  # settings of another version
        return None


def _own(path: Path, points: Collection[str]) -> bool:
    return path.name.startswith(".") or paths.is_own(path) or path.name in points


def restore_theta0(run: Run) -> None:
    """Draw again, and keep, the initial params that are missing of trials that were trained.

    Raises:
        UserError: drawn again they are others.
        OSError: they could not be written.
    """
    trained = {lane.trial for round in run.parts for lane in run.lanes(round)}
    missing = [trial for trial in sorted(trained) if not paths.theta0(run.folder, trial).exists()]
    if missing:
        search = Search(run.experiment, Nothing(), network_of(run.experiment), only=missing)
        for trial in missing:
            run.save_theta0(trial, search.theta0(trial))
