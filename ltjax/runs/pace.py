"""How long an experiment takes, as far as the parts of its run's folder tell."""

from collections import Counter
from pathlib import Path
from typing import NamedTuple

from ltjax.core.errors import UserError
from ltjax.core.texts import read_json, read_text
from ltjax.lottery.resolving import Resolved
from ltjax.runs import paths
from ltjax.runs.folder import Run
from ltjax.runs.state import Ours, state_of


class Time(NamedTuple):
    """Seconds of a whole experiment and of what is left of it, and the devices of the run's last start."""

    whole: float
    left: float
    devices: str


def time_of(folder: Path, resolved: Resolved) -> Time | None:
    """What an experiment would take at the pace of its folder, on whatever its parts were trained.

    Args:
        folder: the run's folder.
        resolved: what would be run in it.

    Returns:
        None where nothing of this experiment was trained there.

    Raises:
        UserError: a part of it is damaged.
    """
    if not isinstance(state_of(folder, resolved.experiment, resolved.points), Ours):
        return None
    runs = {
        point: Run(paths.point(folder, point))
        for point in resolved.points
        if paths.config(paths.point(folder, point)).exists()
    }
    notes = [note for run in runs.values() for parts in run.parts.values() for _, note in parts]
    lanes, seconds = (sum(len(note["rows"]) for note in notes), sum(note["seconds"] for note in notes))
    if not seconds:
        return None
    asked = {(point, round): set(resolved.lanes(point, round))
             for point in resolved.points for round in range(resolved.rounds + 1)}  # fmt: skip
    missing = [each - runs[point].lanes(round) if point in runs else each
               for (point, round), each in asked.items()]  # fmt: skip
    whole, left = (sum(map(len, each)) * seconds / lanes for each in (asked.values(), missing))
    return Time(whole, left, _devices(paths.environment(folder)))


def _devices(environment: Path) -> str:
    """Such as ``2 x cpu: cpu``; empty where the file does not tell."""
    try:
        kinds = Counter(map(str, read_json(read_text(environment))["devices"]))
    except (UserError, ValueError, KeyError, TypeError):
        return ""
    return ", ".join(f"{count} x {kind}" for kind, count in kinds.items())
