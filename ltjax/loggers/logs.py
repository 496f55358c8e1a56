"""What is told to loggers, whichever they are: curves as they are made, and each round's results."""

import importlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import NamedTuple, Protocol

import numpy as np

from ltjax.config import Experiment
from ltjax.errors import UserError, escaped
from ltjax.lottery import Round
from ltjax.registry import Registry
from ltjax.types import Lane

RESULTS = (
    "percent_remaining", "early_stop_step", "early_stop_test_accuracy", "final_train_accuracy",
    "final_test_accuracy",
)  # fmt: skip
"""Columns of ``summary.csv`` that are told of each round."""


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
    """Tells sinks of a run: ``observe`` is for ``find_tickets``, ``finished`` for each round that it gives.

    Curves are mean accuracies over an arm's lanes that train together, those of a sweep's points among them;
    where a round trains in turns, each turn is a series of its own. ``curves/`` has every lane by itself, and
    the losses.
    """

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self.sinks = list(sinks)
        self.turns: dict[int, list[Sequence[Lane]]] = {}

    def observe(self, round: int, lanes: Sequence[Lane], step: int, seen: dict[str, np.ndarray]) -> None:
        """Tell of an evaluation: accuracies [lane] by split, at a step of a round."""
        turns = self.turns.setdefault(round, [])
        if lanes not in turns:
            turns.append(lanes)
        turn = turns.index(lanes)
        for arm in dict.fromkeys(lane.arm for lane in lanes):
            own = [index for index, lane in enumerate(lanes) if lane.arm == arm]
            values = {f"{split}_accuracy": float(each[own].mean()) for split, each in seen.items()}
            self._write(f"round_{round:02d}/{arm}" + f"_turn_{turn + 1}" * (turn > 0), "step", step, values)

    def finished(self, found: Round) -> None:
        """Tell of a round's results: means over an arm's lanes."""
        for arm, rows in found.summary.groupby("arm"):
            values = {name: float(rows[name].mean()) for name in RESULTS}
            self._write(
                "/".join(filter(None, ["rounds", found.point, str(arm)])), "round", found.index, values
            )

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
                failed = f"{type(sink).__name__} failed and is told nothing more: {error!r}"
                print(f"ltjax: {escaped(failed)}", file=sys.stderr)


def extra(module: str, name: str) -> ModuleType:
    """A library that an extra of ltjax brings.

    Raises:
        UserError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise UserError(f"--log {name} needs {module}: pip install 'ltjax[{name}]'.") from error
