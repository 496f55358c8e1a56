"""What is told to loggers, whichever they are: curves as they are made, and each round's results."""

import importlib
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import NamedTuple, Protocol

import numpy as np
import pandas as pd

from ltjax.core.errors import UserError, escaped
from ltjax.core.registry import Registry
from ltjax.core.types import Lane
from ltjax.lanes.history import ACCURACY, metric_in
from ltjax.lottery.loop import Part
from ltjax.settings.schema import Experiment


def results(metric: str = ACCURACY) -> list[str]:
    """Columns of ``summary.csv`` that are told of each round."""
    tests = (f"early_stop_test_{metric}", f"final_train_{metric}", f"final_test_{metric}")
    return ["percent_remaining", "early_stop_step", *tests]


class Place(NamedTuple):
    """The run that is told of: its folder, and its experiment."""

    folder: Path
    experiment: Experiment


class Sink(Protocol):
    """Where numbers go: to a tool, in its own way."""

    def write(self, series: str, axis: str, at: int, values: dict[str, float]) -> None:
        """Numbers by name, at a place on an axis, ``step`` or ``round``, in a series: ``round_07/ticket``."""

    def close(self) -> None:
        """Write what is still held back."""


LOGGERS: Registry[Callable[[Place], Sink]] = Registry("logger")


class Logs:
    """Tells sinks of a run: ``observe`` is for ``find_tickets``, ``finished`` for each round that is done.

    A series of a round has the mean metric of an arm's lanes that train together: of those that do not
    begin with the arm's first lane, because a round trains in turns or trials were added, the name says with
    which they begin. ``curves/`` has every lane by itself, and the losses.

    Args:
        sinks: what is told.
        metrics: the metric's name by point, where it is not accuracy.
    """

    def __init__(self, sinks: Sequence[Sink], metrics: Mapping[str, str] = MappingProxyType({})) -> None:
        self.sinks, self.metrics = list(sinks), metrics

    def observe(self, round: int, part: Part, step: int, seen: dict[str, np.ndarray]) -> None:
        """Tell of an evaluation: the metric [lane] by split, at a step of a round."""
        groups: dict[tuple[str, str], list[int]] = {}
        for index, (point, lane) in enumerate(part):
            groups.setdefault((point, lane.arm), []).append(index)
        for (point, arm), own in groups.items():
            metric = self.metrics.get(point, ACCURACY)
            values = {f"{split}_{metric}": float(each[own].mean()) for split, each in seen.items()}
            name = arm + _from(part[own[0]][1])
            self._write(_path(f"round_{round:02d}", point, name), "step", step, values)

    def finished(self, round: int, point: str, rows: pd.DataFrame) -> None:
        """Tell of a round's results at a point: means over an arm's rows of ``summary.csv``."""
        for arm, of_arm in rows.groupby("arm"):
            values = {name: float(of_arm[name].mean()) for name in results(metric_in(map(str, rows)))}
            self._write(_path("rounds", point, str(arm)), "round", round, values)

    def close(self) -> None:
        """Have every sink write what it holds back."""
        self._each(lambda sink: sink.close())

    def _write(self, series: str, axis: str, at: int, values: dict[str, float]) -> None:
        self._each(lambda sink: sink.write(series, axis, at, values))

    def _each(self, tell: Callable[[Sink], None]) -> None:
        """Tell every sink; one that fails is told nothing more, and the run goes on."""
        for sink in list(self.sinks):
            try:
                tell(sink)
            except Exception as error:
                self.sinks.remove(sink)
                _failed(type(sink).__name__, error)


def start(names: Collection[str], place: Place) -> list[Sink]:
    """The sinks of loggers by name; one that fails, for want of a network say, is told of and left out.

    Raises:
        UserError: there is none of a name, its library is not installed, or the user needs to do something.
    """
    sinks = []
    for name in dict.fromkeys(names):
        try:
            sinks.append(LOGGERS.find(name)(place))
        except UserError:
            raise
        except Exception as error:
            _failed(name, error)
    return sinks


def _failed(name: str, error: Exception) -> None:
    print(f"ltjax: {escaped(f'{name} failed and is told nothing more: {error!r}')}", file=sys.stderr)


def _from(lane: Lane) -> str:
    """What tells lanes from others of their arm: which is the first, where that is not the arm's."""
    trial = f"_from_trial_{lane.trial}" if lane.trial or lane.repeat else ""
    return trial + (f"_repeat_{lane.repeat}" if lane.repeat else "")


def _path(*names: str) -> str:
    return "/".join(filter(None, names))


def extra(module: str, name: str) -> ModuleType:
    """A library that an extra of ltjax brings.

    Raises:
        UserError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise UserError(f"--log {name} needs {module}: pip install 'ltjax[{name}]'.") from error
