"""Finished runs, read for figures, claims and the report: from their tables and checkpoints alone.

A study is one or more runs. What draws or judges asks it for the run it needs by what was run (schedule,
optimizer, arms, what was swept); where the runs lack it, ``Absent`` says what is missing and which command
would run it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from ltjax.analysis import weight_statistics
from ltjax.analysis.analyses import folder_of, read_tables
from ltjax.core.choices import Choice
from ltjax.core.errors import UserError
from ltjax.core.texts import read_json, read_text
from ltjax.lanes import history
from ltjax.runs import learned, paths, tables
from ltjax.runs.folder import Run, read_config
from ltjax.runs.learned import Learned
from ltjax.settings import sweeps
from ltjax.settings.fields import Setting, settings_of
from ltjax.settings.loading import load_experiment
from ltjax.settings.plain import flatten
from ltjax.settings.schema import Experiment
from ltjax.training.metrics import Shown

VALIDATION = "early_stop_validation_accuracy"
"""A column that ``Results.rows`` adds from the curves: validation accuracy at the early-stop step, or the
metric that stands in its place."""

RUN = "ltjax run --config"
"""The command that runs an experiment, before its name."""

TELLING = ("model.name", "model.dropout", "train.optimizer", "train.learning_rate", "train.schedule.warmup",
           "prune.criterion", "prune.structure", "prune.schedule", "prune.rewind")  # fmt: skip
"""What makes a run one of a named experiment, for figures: those that tell the named ones apart; of a choice
its parameters too, but for those that only say how much was run."""


ENVIRONMENT = {
    "ltjax": str, "versions": dict, "python": str, "platform": str, "devices": list, "precision": dict,
    "flags": str, "revision": str, "command": list, "earlier": list,
}  # fmt: skip
"""What is read of an ``environment.json``, and its types."""


class Absent(Exception):
    """What a figure or a claim needs and the runs lack, in words, and the command that would run it."""

    def __init__(self, what: str, command: str) -> None:
        super().__init__(what)
        self.what, self.command = what, command


def kind_of(experiment: Experiment) -> str:
    """What is run: iterative, oneshot, continued, or step0 (pruned by |θ₀| before any training)."""
    prune = experiment.prune
    return "step0" if prune.criterion.name == "initial" else prune.schedule.name


@dataclass(frozen=True)
class Results:
    """One run, or one point of a swept one, read from its folder.

    ``point`` is the point's name in its sweep, empty without one; ``summary`` has the columns of
    ``ltjax.lanes.history.SUMMARY``; ``environment`` is what ``environment.json`` holds.
    """

    folder: Path
    experiment: Experiment
    summary: pd.DataFrame
    point: str = ""
    environment: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def curves(self) -> pd.DataFrame | None:
        """The run's curves (columns ``ltjax.lanes.history.CURVES``), or None where they were not kept.

        Raises:
            UserError: they are damaged, or not those that the checkpoints were written with.
        """
        folder = paths.curves(self.folder, 0, 0).parent
        if not folder.is_dir():
            return None
        if paths.rounds(self.folder).is_dir():  # the tables may have been kept without them
            Run(self.folder).verify()
        return tables.read_curves(folder)

    def analysis(self, name: str) -> pd.DataFrame | None:
        """What an analysis has told of it, all rounds that were asked about; None where it was not asked.

        Raises:
            UserError: a table is damaged.
        """
        return read_tables(folder_of(self.folder, Choice("analysis", name)))

    @cached_property
    def anatomy(self) -> pd.DataFrame | None:
        """What tickets look like inside (columns ``weight_statistics.COLUMNS``); None without checkpoints."""
        return weight_statistics.find(self.folder)

    @cached_property
    def learned(self) -> Learned:
        """The run's metric, and the layers of its network, as the folder tells them."""
        return learned.read(self.folder, history.metric_in(self.summary))

    @property
    def metric(self) -> Shown:
        """The metric that the tables have."""
        return self.learned.metric

    @cached_property
    def settings(self) -> Mapping[str, Setting]:
        """Every setting of the experiment by dotted name: a study compares them for each figure and claim."""
        return settings_of(self.experiment)

    @cached_property
    def kind(self) -> str:
        """What was run, as ``kind_of`` says it."""
        return kind_of(self.experiment)

    @property
    def arms(self) -> set[str]:
        """The arms that were trained."""
        return set(self.summary["arm"])

    def rows(self, arm: str = "ticket") -> pd.DataFrame:
        """The summary's rows of an arm, with ``VALIDATION`` added where the curves are there."""
        return self._rows[self._rows["arm"] == arm].reset_index(drop=True)

    @cached_property
    def _rows(self) -> pd.DataFrame:
        if self.curves is None:
            return self.summary
        name, column = self.metric.name, f"early_stop_validation_{self.metric.name}"
        seen = self.curves[self.curves["split"] == "validation"].rename(
            columns={"step": "early_stop_step", name: column}
        )
        key = [*history.LANE, "early_stop_step"]
        return self.summary.merge(seen[[*key, column]], on=key, how="left")


class Study:
    """Several runs seen together.

    Args:
        runs: the runs, points of sweeps included; where several would do, the first is taken.
    """

    def __init__(self, runs: Sequence[Results]) -> None:
        self.runs = tuple(runs)

    @property
    def families(self) -> dict[Path, tuple[Results, ...]]:
        """The runs by the folder they were given by: a run alone, or all points of a swept one."""
        found: dict[Path, list[Results]] = {}
        for run in self.runs:
            found.setdefault(run.folder.parent if run.point else run.folder, []).append(run)
        return {home: tuple(runs) for home, runs in found.items()}

    def find(
        self, name: str, arms: Sequence[str] = ("ticket",), *, curves: bool = False, anatomy: bool = False,
        others: Collection[str] = (), repeats: Mapping[str, int] | None = None,
    ) -> Results:  # fmt: skip
        """The first run of a named experiment's kind and optimizer, of whatever network and settings.

        Args:
            name: the named experiment; points of sweeps are passed over.
            arms: arms that the run must have.
            curves: whether it must have its curves.
            anatomy: whether it must have been looked into, or be such that it can.
            others: networks of which it must not be, by their names as models.
            repeats: how many of each arm the command asks for where there is none; one by default.

        Raises:
            Absent: there is none.
        """
        named = load_experiment(name)
        kind, optimizer = kind_of(named), named.train.optimizer.name
        for run in self.runs:
            fits = run.kind == kind and run.experiment.train.optimizer.name == optimizer
            fits = fits and not run.point and run.experiment.model.name not in others
            fits = fits and run.metric.name == history.ACCURACY
            had = fits and run.arms >= set(arms) and (run.curves is not None or not curves)
            if had and (not anatomy or run.anatomy is not None):
                return run
        needs = " and its curves" * curves + " and its checkpoints" * anatomy
        what = f"{kind} run with {' and '.join(arms)}{needs}"
        flags = [f"--arms.{arm} {(repeats or {}).get(arm, 1)}" for arm in arms if arm != "ticket"]
        by = f" by {optimizer}" if optimizer != "adam" else ""
        raise Absent(f"no {what}{by}", " ".join([f"{RUN} {name}", *flags]))

    def like(
        self, name: str, arms: Sequence[str] = ("ticket",), *, curves: bool = False,
        free: Sequence[str] = (),
    ) -> Results:  # fmt: skip
        """The first run of a named experiment, whatever its folder, arms, length and data are.

        Args:
            name: the named experiment; a run is one of it if they agree in what is ``TELLING``.
            arms: arms that the run must have.
            curves: whether it must have its curves.
            free: settings of ``TELLING`` that may differ.

        Raises:
            Absent: there is none.
        """
        telling = _telling(load_experiment(name), free)
        for run in self.runs:
            had = run.arms >= set(arms) and (run.curves is not None or not curves)
            had = had and run.metric.name == history.ACCURACY
            if had and not run.point and _telling(run.experiment, free) == telling:
                return run
        needs = f" with {' and '.join(arms)}" + " and its curves" * curves
        own = load_experiment(name).arms
        flags = [f"--arms.{arm} 1" for arm in arms if arm not in own]
        raise Absent(f"no run of {name}{needs}", " ".join([f"{RUN} {name}", *flags]))

    def sweep(self, setting: str | tuple[str, ...], name: str) -> dict[Any, Results]:
        """The points of the run that swept a setting, by the setting's value, in the sweep's order.

        Args:
            setting: its dotted name, such as ``train.learning_rate``; where only several together tell the
                points apart, all their names, and the points are given by tuples of their values.
            name: the named experiment that sweeps it; the points must agree with it in what is ``TELLING``.

        Raises:
            Absent: no run swept it.
        """
        named = load_experiment(name)
        telling = _telling(named, named.sweep)
        settings = (setting,) if isinstance(setting, str) else setting
        words = [each.rsplit(".", 1)[-1] for each in settings]
        found = {
            _values(run.experiment, setting): run
            for run in self.runs
            if [part.split("=")[0] for part in run.point.split(",")] == words
            and _telling(run.experiment, named.sweep) == telling
            and run.metric.name == history.ACCURACY
        }
        if not found:
            told = f"no sweep of {' and '.join(settings)} by {named.train.optimizer.name}, as {name} has"
            raise Absent(told, f"{RUN} {name}")
        return found


def _telling(experiment: Experiment, free: Collection[str]) -> dict[str, Any]:
    """What tells an experiment from others, by dotted name; of warmup, whether there is any."""
    settings = {
        name: each.value for name, each in settings_of(experiment).items()
        if each.role != "extent" and {name, name.rpartition(".")[0]} & set(TELLING)
    }  # fmt: skip
    settings["train.schedule.warmup"] = settings.get("train.schedule.warmup", 0) > 0
    return {name: value for name, value in settings.items() if name not in free}


def _values(experiment: Experiment, setting: str | tuple[str, ...]) -> Any:
    settings = flatten(experiment)
    return settings.get(setting) if isinstance(setting, str) else tuple(map(settings.get, setting))


ROLES = ("value", "shape", "extent", "compute", "numerics")
"""Of what a page tells: of all but the places where things lay."""


def varying(runs: Sequence[Results], roles: Collection[str] = ROLES) -> dict[str, list[Any]]:
    """The settings of some roles that differ between runs, by dotted name, each with every run's value."""
    flat = [told(run.experiment, roles) for run in runs]
    names = dict.fromkeys(name for each in flat for name in each)
    found = {name: [each.get(name) for each in flat] for name in names}
    return {name: values for name, values in found.items() if any(each != values[0] for each in values)}


def told(experiment: Experiment, roles: Collection[str] = ROLES) -> dict[str, Any]:
    """The settings of some roles by dotted name, each arm and each swept setting by itself."""
    having = {name for name, each in settings_of(experiment).items() if each.role in roles}
    return {name: value for name, value in flatten(experiment).items()
            if name in having or name.partition(".")[0] in having}  # fmt: skip


def read_study(folders: Sequence[Path]) -> Study:
    """The study of some runs' folders; a swept run counts as all of its points.

    Raises:
        UserError: a folder holds no run, or a damaged one, or one with nothing trained yet.
    """
    runs = [run for folder in folders for run in _read(folder)]
    if not runs:
        raise UserError(f"nothing has been trained yet in {', '.join(map(repr, map(str, folders)))}.")
    return Study(runs)


def _read(folder: Path) -> list[Results]:
    experiment = read_config(folder)
    environment = _environment(paths.environment(folder))
    points = {
        point: (paths.point(folder, point), each)
        for point, each in sweeps.points(experiment).items()
        if paths.summary(paths.point(folder, point)).exists()
    }
    return [Results(home, each, _summary(home), point, environment) for point, (home, each) in points.items()]


def _summary(home: Path) -> pd.DataFrame:
    rows = tables.read_summary(paths.summary(home))
    if paths.rounds(home).is_dir():  # the tables may have been kept without them
        tables.check_summary(paths.summary(home), Run(home).summary())
    return rows


def _environment(path: Path) -> dict[str, Any]:
    try:
        found = _known(read_json(read_text(path)))
    except (UserError, ValueError):
        return {}
    return {**found, "earlier": [_known(each) for each in found.get("earlier", [])]}


def _known(start: Any) -> dict[str, Any]:
    """What is told of one start and is as ltjax writes it; the rest is left out, for it only informs."""
    if not isinstance(start, dict):
        return {}
    kept = {name: start[name] for name, kind in ENVIRONMENT.items() if isinstance(start.get(name), kind)}
    for name in {"devices", "command"} & set(kept):
        if not kept[name] or not all(isinstance(each, str) for each in kept[name]):
            del kept[name]
    return kept
