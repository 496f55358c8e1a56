"""What a page tells of its runs in words and numbers: settings, rounds, machine, time, how to repeat them."""

import functools
import shlex
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from ltjax.analysis.results import RUN, Results, Study, varying
from ltjax.claims.finding import finding, peaks, swept_finding
from ltjax.core.errors import UserError
from ltjax.core.texts import duration, written
from ltjax.lottery.arms import in_order
from ltjax.runs import paths
from ltjax.runs.folder import Run
from ltjax.settings.fields import settings_of
from ltjax.settings.plain import flatten
from ltjax.settings.schema import OF_DATA, Experiment
from ltjax.training.metrics import ACCURACY, Shown

PLACES = {
    "there": "early_stop_{}_{}", "at end": "final_{}_{}", "untrained": "initial_{}_{}",
}  # fmt: skip
"""Where a metric is told, and the summary's columns of it by split and name."""


class Column(NamedTuple):
    """A column of the table: the summary's, a factor, and what says a number."""

    source: str
    factor: int
    told: Callable[[float], str]


def columns(shown: Shown = ACCURACY) -> dict[str, Column]:
    """The table's columns after round, percent left and arm, by their headings."""
    found = {"early-stop step": Column("early_stop_step", 1, "{:,.0f}".format)}
    for place, source in PLACES.items():
        for split in ("test",) if place == "untrained" else ("test", "train"):
            told = functools.partial(shown.told, end=place == "untrained")
            column = Column(source.format(split, shown.name), shown.factor, told)
            found[f"{split} {shown.heading} {place}"] = column
    return found


@dataclass(frozen=True)
class Sheet:
    """A run, all points of a swept one together."""

    name: str
    folder: Path
    runs: tuple[Results, ...]

    @property
    def purpose(self) -> str:
        """What was run, in a line."""
        experiment = self.runs[0].experiment
        trials = max(run.summary["trial"].nunique() for run in self.runs)
        rounds = max(run.summary["round"].max() for run in self.runs)
        train = f"{experiment.train.steps:,} steps each by {experiment.train.optimizer.name}"
        swept = f"; {len(self.runs)} values of {' and '.join(self.varies)}" if self.varies else ""
        return (
            f"{experiment.subject}, {trials} trial{'s' * (trials > 1)}, rounds 0 to {rounds}, {train}{swept}"
        )

    @property
    def finding(self) -> str:
        """What was found, in a sentence."""
        return finding(self.runs[0]) if len(self.runs) == 1 else swept_finding(self.runs)

    @property
    def best(self) -> str:
        """The point of the lowest validation loss; the first one where none has a finite loss."""
        return next((peak.point for peak in peaks(self.runs)), self.runs[0].point)

    @property
    def varies(self) -> dict[str, list[str]]:
        """The settings that differ between the points, each with its values in order."""
        return {name: [written(each) for each in values] for name, values in varying(self.runs).items()}

    @property
    def settings(self) -> dict[str, dict[str, str]]:
        """Every setting that all points share, by the part of the configuration it belongs to."""
        found: dict[str, dict[str, str]] = {}
        experiment = self.runs[0].experiment
        unused = ("data.name", "model.") if experiment.task.name not in OF_DATA else ()
        for name, value in flatten(experiment).items():
            if name.startswith(unused):
                continue  # of networks and data that the task does not use
            part, _, rest = name.rpartition(".")
            if name not in self.varies and not name.startswith("sweep"):
                found.setdefault(part or "experiment", {})[rest] = written(value)
        return found

    @property
    def environment(self) -> dict[str, Any]:
        """What is known of the machine and the software of the last start."""
        return self.runs[0].environment

    @property
    def devices(self) -> str:
        """The devices of the last start: ``2 × cpu``, or nothing where it is not known."""
        counts = Counter(self.environment.get("devices", ()))
        return ", ".join(f"{count} × {_device(name)}" for name, count in counts.items())

    @property
    def software(self) -> dict[str, str]:
        """Precision, flags and versions of the last start, by name, as far as they are known."""
        known, versions = self.environment, self.environment.get("versions", {})
        precision = known.get("precision", {})
        found = {
            "precision": ", ".join(f"{name} {value}" for name, value in precision.items()),
            "XLA flags": known.get("flags", ""),
            "system": known.get("platform", ""),
            "Python": known.get("python", ""),
            "ltjax": known.get("ltjax", ""),
            "libraries": ", ".join(f"{name} {version}" for name, version in versions.items()),
        }
        return {name: value for name, value in found.items() if value}

    @property
    def revision(self) -> str:
        """The git revision of ltjax that ran last, with ``+`` where it was changed; or nothing."""
        return self.environment.get("revision") or ""

    @property
    def took(self) -> str:
        """The time all rounds took to train, or nothing where the checkpoints are not kept."""
        spent = [_seconds(run.folder) for run in self.runs]
        known = [seconds for seconds in spent if seconds is not None]
        return duration(sum(known)) if known and len(known) == len(spent) else ""

    @property
    def commands(self) -> list[str]:
        """The command lines that made the run, in order; where none is known, the one that repeats it."""
        starts = [*self.environment.get("earlier", ()), self.environment]
        given = [_arguments(start.get("command", ())) for start in starts]
        program, option = RUN.split()[:-1], RUN.split()[-1]
        lines = [shlex.join([*program, *_portable(each, self.runs[0].experiment)]) for each in given
                 if each is not None]  # fmt: skip
        again = shlex.join([*program, option, str(paths.config(self.folder))])
        return list(dict.fromkeys(lines)) or [again]


def sheets(study: Study) -> list[Sheet]:
    """The study's runs, the points of a swept one together, in the order they were given.

    Runs of one name are told apart by their folders' names.
    """
    homes = study.families
    names = Counter(runs[0].experiment.name for runs in homes.values())
    return [Sheet(_name(runs[0], home, names), home, runs) for home, runs in homes.items()]


def _name(run: Results, home: Path, names: Counter[str]) -> str:
    name = run.experiment.name
    return name if names[name] == 1 else f"{name} ({home.name})"


@dataclass(frozen=True)
class Row:
    """A round of an arm, for the table: cells are (mean, range), the range empty where all are equal."""

    round: int
    percent: str
    arm: str
    first: int
    """How many rows this round has, in the round's first row; 0 in its others."""
    cells: list[tuple[str, str]]


def rounds(summary: pd.DataFrame, shown: Shown = ACCURACY) -> list[Row]:
    """The table per round and arm: mean, minimum and maximum over trials and repeats."""
    found = []
    for round in sorted(set(summary["round"].tolist())):
        lanes = summary[summary["round"] == round]
        arms = in_order(lanes["arm"].unique())
        for index, arm in enumerate(arms):
            rows = lanes[lanes["arm"] == arm]
            cells = [_cell(rows[each.source] * each.factor, each.told) for each in columns(shown).values()]
            percent = f"{rows['percent_remaining'].mean():.1f}"
            found.append(Row(round, percent, arm, 0 if index else len(arms), cells))
    return found


def cell(mean: float, low: float, high: float, told: Callable[[float], str]) -> tuple[str, str]:
    """A mean and its range as a table has them; the range is empty where both its ends are told alike."""
    return told(mean), "" if told(low) == told(high) else f"{told(low)}–{told(high)}"


def _cell(values: pd.Series, told: Callable[[float], str]) -> tuple[str, str]:
    return cell(values.mean(), values.min(), values.max(), told)


def _device(name: str) -> str:
    platform, _, kind = name.partition(": ")
    return platform if kind in ("", platform) else kind


def _seconds(folder: Path) -> float | None:
    """The seconds that a run's parts took, from their notes; None where they are not known."""
    try:
        notes = [note for parts in Run(folder).parts.values() for _, note in parts]
    except UserError:  # the page is made from the tables; a damaged checkpoint is no reason to have none
        return None
    return float(sum(note.get("seconds", 0.0) for note in notes)) or None


def _arguments(command: Sequence[str]) -> Sequence[str] | None:
    """What ``ltjax run`` was given, by either of its names; None where another program ran."""
    name, *given = command or [""]
    if name == "run.py":
        return given
    return given[1:] if name in ("ltjax", "__main__.py") and given[:1] == ["run"] else None


def _portable(arguments: Sequence[str], experiment: Experiment) -> list[str]:
    """A command's arguments without those that say where things lay on the machine it ran on."""
    places = {name for name, each in settings_of(experiment).items() if each.role == "place"} - {"name"}
    elsewhere = {"--workdir", *(f"--{name}" for name in places)}
    kept, skip = [], False
    for argument in arguments:
        if not skip and argument.split("=")[0] not in elsewhere:
            kept.append(argument)
        skip = not skip and argument in elsewhere
    return kept
