"""What a run's folder tells of its task, so that readers need none of the user's code: ``task.json``."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ltjax.core.errors import UserError
from ltjax.core.files import write_text
from ltjax.core.texts import read_json, read_text
from ltjax.lanes.history import ACCURACY
from ltjax.lottery.dry_run import flops_of
from ltjax.lottery.layers import Layer, layers
from ltjax.runs import paths
from ltjax.settings.schema import Experiment
from ltjax.training.metrics import METRICS, Shown, shown_of
from ltjax.training.task import Task

FLOPS = "step_flops"


@dataclass(frozen=True)
class Learned:
    """The metric of a run, and the leaves of its network's params; none where that is not known.

    ``step_flops`` are the FLOPs of the forward and backward pass of a lane's step, whatever its mask is; None
    where they are not known.
    """

    metric: Shown = field(default_factory=Shown)
    layers: tuple[Layer, ...] = ()
    step_flops: int | None = None


def write(folder: Path, task: Task, experiment: Experiment) -> None:
    """Write what a run learns; what is there already, of the same, stays as it is.

    The FLOPs of a step are counted once: a deep network's take a second.

    Raises:
        OSError: it could not be written.
    """
    own = {
        "metric": task.measured.shown._asdict(),
        "layers": [each._asdict() for each in layers(task, experiment.prune)],
    }
    found, there = json.loads(json.dumps(own)), _there(folder)
    counted = _whole(there.get(FLOPS))
    if counted is None or there != found | {FLOPS: counted}:
        found |= _counted(task, experiment)
        if found != there:
            write_text(paths.task(folder), json.dumps(found, indent=2) + "\n")


def _there(folder: Path) -> dict[str, Any]:
    """What the file says; nothing where there is none that can be read."""
    try:
        found = read_json(read_text(paths.task(folder)))
    except (UserError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _counted(task: Task, experiment: Experiment) -> dict[str, int]:
    """The FLOPs of a step, under their name; nothing where they cannot be counted."""
    try:
        return {FLOPS: flops_of(task, experiment.train.batch)}
    except Exception:  # it only informs: a network may have outputs that no loss looks at, without a gradient
        return {}


def copy(sources: Sequence[Path], to: Path) -> None:
    """Give a merged run what one of its sources tells of the task, if none is there.

    Raises:
        OSError: it could not be written.
    """
    there = [path for path in map(paths.task, sources) if path.exists()]
    if there and not paths.task(to).exists():
        write_text(paths.task(to), there[0].read_text())


def read(folder: Path, metric: str = ACCURACY) -> Learned:
    """What a run's folder tells of its task.

    Args:
        folder: the run's, or that of one point of a swept run.
        metric: the name that the tables have, by which a run from before that file is known.
    """
    try:
        found = read_json(read_text(paths.task(folder)))
        own = tuple(Layer(each["path"], tuple(each["shape"]), each["kind"], each["rate"])
                    for each in found["layers"])  # fmt: skip
        shown = Shown(**found["metric"])
        if shown.name == metric:
            return Learned(shown, own, _whole(found.get(FLOPS)))
    except (UserError, ValueError, TypeError, KeyError):  # it only informs
        pass
    return Learned(shown_of(metric) if metric in METRICS else Shown(metric, percent=False))


def _whole(number: Any) -> int | None:
    return number if isinstance(number, int) and not isinstance(number, bool) and number > 0 else None
