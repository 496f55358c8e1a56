"""What a claim may be judged from: runs of a named experiment's setup that hold the rounds it needs."""

import functools
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ltjax.analysis.results import RUN, Absent, Results, Study
from ltjax.claims import statistics
from ltjax.core.texts import spans
from ltjax.runs import paths
from ltjax.settings import loading
from ltjax.settings.fields import Setting, settings_of
from ltjax.settings.loading import load_experiment
from ltjax.settings.schema import Experiment
from ltjax.studies.frankle2019 import runs
from ltjax.studies.frankle2019.facts import LENET, NETWORKS

FREE = ("seed", "data.validation", "model.precision", "train.steps", "train.evaluate_every",
        "train.evaluate_batch", "train.train_curve", "prune.schedule", "train.schedule.drops")  # fmt: skip
"""Settings in which a run need not be the paper's: draws, how it is measured, what ``kind`` says, lengths,
since verdicts tell a length that is not the paper's."""


def setup(experiment: Experiment, settings: Mapping[str, Setting]) -> dict[str, Any]:
    """What has to be the paper's, by dotted name: of warmup whether there is any, of drops how many."""
    found = {name: each.value for name, each in settings.items()
             if each.role in ("value", "shape") and name not in FREE}  # fmt: skip
    rates = experiment.train.schedule.parameters
    return found | {
        "train.schedule.warmup": rates.get("warmup", 0) > 0,
        "train.schedule.drops": len(rates.get("drops", ())),
    }


def papers(study: Study, name: str) -> Study:
    """The runs of a named experiment's setup (paper, Figure 2), but for settings that it sweeps."""
    named = load_experiment(name)
    paper = {key: value for key, value in setup(named, settings_of(named)).items() if key not in named.sweep}
    return Study([run for run in study.runs if paper.items() <= setup(run.experiment, run.settings).items()])


def paper_steps(experiment: Experiment) -> int | None:
    """Updates of a training in the paper's experiment of the same network; None for networks of one's own."""
    network = NETWORKS.get(experiment.model.name)
    if network is None:
        return None
    return (network.dropout_steps if experiment.model.dropout > 0 else None) or network.steps


def need(
    study: Study, arms: Mapping[str, Iterable[int]], *, name: str = "", kind: str = "iterative",
    curves: bool = False,
) -> Results:  # fmt: skip
    """The first run of the paper's setup that has every arm in the rounds it is needed in.

    Args:
        study: where to look.
        arms: the rounds needed of each arm.
        name: the named experiment that it is one of; by default LeNet's of the kind.
        kind: as in ``runs.find``, for LeNet.
        curves: whether the curves are needed too.

    Raises:
        Absent: there is none; where only rounds lack, its command extends the run.
    """
    fitting = papers(study, name or LENET.kinds[kind])
    whole = [run for run in fitting.runs if not any(lacking(run, arm, arms[arm]) for arm in arms)]
    try:
        return _first(Study(whole), name, kind, list(arms), curves)
    except Absent:
        short = _first(fitting, name, kind, list(arms), curves)
    raise _short(short, {arm: lacking(short, arm, rounds) for arm, rounds in arms.items()}, name)


def _first(study: Study, name: str, kind: str, arms: Sequence[str], curves: bool) -> Results:
    if name:
        return study.like(name, arms, curves=curves)
    return runs.find(study, kind, arms, curves=curves)


def lacking(run: Results, arm: str, rounds: Iterable[int]) -> list[int]:
    """The rounds of an arm that a run does not have."""
    return sorted(set(rounds) - set(run.summary.loc[run.summary["arm"] == arm, "round"]))


def _short(run: Results, gone: Mapping[str, list[int]], asked: str) -> Absent:
    told = " and ".join(f"{spans(rounds)} of {arm}" for arm, rounds in gone.items() if rounds)
    flags = [f"--arms.{arm} {run.experiment.arms.get(arm, 1)}" for arm in gone if arm != "ticket"]
    controls = sorted({round for arm, rounds in gone.items() if arm != "ticket" for round in rounds})
    if controls and run.experiment.control_rounds is not None:  # asking for none would train them in all
        flags.append(f"--control-rounds {' '.join(map(str, controls))}")
    last = max(round for rounds in gone.values() for round in rounds)
    own = run.experiment.name in loading.experiments()
    name = run.experiment.name if own else asked or LENET.kinds[run.kind]
    if paths.rounds(run.folder).is_dir():  # this very run can be continued, whatever its settings
        here = shlex.quote(str(run.folder))
        name = f"{here} --workdir {here}"
    command = " ".join([f"{RUN} {name}", *flags])
    rounds = "" if run.kind == "oneshot" else f" --prune.rounds {last}"
    called = f"run of {asked}" if asked else f"{run.kind} run"
    return Absent(f"the {called} lacks {told}", command + rounds)


def points(
    study: Study, setting: str | tuple[str, ...], name: str, rounds: int, *,
    values: Iterable[Any] | None = None, reinit: Iterable[int] = (),
) -> dict[Any, Results]:  # fmt: skip
    """The points of a named sweep that are of its setup, with curves, by the values of a setting.

    Args:
        study: where to look.
        setting: as in ``Study.sweep``.
        name: the named experiment that sweeps it.
        rounds: the last round that every point needs; 0 where it is for the caller to say.
        values: those that must be there; by default whichever are.
        reinit: the rounds that every point needs of that arm.

    Raises:
        Absent: the sweep, a value, a round or the curves are missing.
    """
    found = papers(study, name).sweep(setting, name)
    command = f"{RUN} {name}"
    gone = [value for value in values or () if value not in found]
    if gone:
        raise Absent(f"{name} lacks {setting} = {', '.join(map(str, gone))}", command)
    if any(run.curves is None for run in found.values()):
        raise Absent(f"{name} lacks its curves", command)
    needed = {"ticket": range(rounds + 1), "reinit": reinit}
    short = [value for value, run in found.items() if any(lacking(run, arm, needed[arm]) for arm in needed)]
    if short:
        which = f"rounds up to {rounds}{' or their reinit' * bool(reinit)}"
        told = f"{name} lacks {which} for {setting} = {', '.join(map(str, short))}"
        raise Absent(told, f"{command} --prune.rounds {rounds}")
    return found


measured = functools.partial(statistics.measured, paper_steps=paper_steps)
"""What was measured, told with what differs from this paper's experiment (``claims.statistics.measured``)."""
