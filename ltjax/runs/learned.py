"""What a run's folder tells of its task, so that readers need none of the user's code: ``task.json``."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ltjax.core.errors import UserError
from ltjax.core.files import write_text
from ltjax.core.texts import read_json, read_text
from ltjax.lanes.history import ACCURACY
from ltjax.lottery.layers import Layer, layers
from ltjax.runs import paths
from ltjax.settings.schema import Experiment
from ltjax.training.metrics import METRICS, Shown, shown_of
from ltjax.training.task import Task


@dataclass(frozen=True)
class Learned:
    """The metric of a run, and the leaves of its network's params; none where that is not known."""

    metric: Shown = field(default_factory=Shown)
    layers: tuple[Layer, ...] = ()


def write(folder: Path, task: Task, experiment: Experiment) -> None:
    """Write what a run learns; what is there already, of the same, stays as it is.

    Raises:
        OSError: it could not be written.
    """
    found = {
        "metric": task.measured.shown._asdict(),
        "layers": [each._asdict() for each in layers(task, experiment.prune)],
    }
    text = json.dumps(found, indent=2) + "\n"
    path = paths.task(folder)
    if not path.exists() or path.read_text() != text:
        write_text(path, text)


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
            return Learned(shown, own)
    except (UserError, ValueError, TypeError, KeyError):  # it only informs
        pass
    return Learned(shown_of(metric) if metric in METRICS else Shown(metric, percent=False))
