"""What a claim may be judged from: runs of the paper's setup that hold the rounds it needs."""

import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from ltjax import catalogue, identity, paths
from ltjax.study import NAMED, Absent, Results, Study

PROGRAM = "python -m ltjax.run --config"
STEPS = 50_000
"""Updates of a training in the paper's LeNet experiments (Figure 2)."""

SETUP: dict[str, Any] = {
    "data.name": "mnist", "model.name": "lenet", "model.widths": (300, 100), "model.init": "glorot_normal",
    "model.init_std": None, "train.batch": 60, "train.optimizer": "adam", "train.learning_rate": 1.2e-3,
    "prune.rates.fc": 0.2, "prune.rates.output": 0.1, "prune.scope": "layer", "prune.score": "magnitude",
}  # fmt: skip
"""The paper's LeNet experiment (Figure 2). The length of a training is not in it: verdicts tell it."""


def papers(study: Study, *free: str) -> Study:
    """The runs of the paper's setup, but for settings that are ``free`` to differ."""
    setup = {name: value for name, value in SETUP.items() if name not in free}
    return Study([run for run in study.runs if setup.items() <= identity.flatten(run.experiment).items()])


def need(
    study: Study, arms: Mapping[str, Iterable[int]], *, kind: str = "iterative", curves: bool = False
) -> Results:
    """The first run of the paper's setup and of a kind that has every arm in the rounds it is needed in.

    Args:
        study: where to look.
        arms: the rounds needed of each arm.
        kind: as in ``Study.find``.
        curves: whether the curves are needed too.

    Raises:
        Absent: there is none; where only rounds lack, its command extends the run.
    """
    fitting = papers(study)
    whole = [run for run in fitting.runs if not any(lacking(run, arm, arms[arm]) for arm in arms)]
    try:
        return Study(whole).find(kind, list(arms), curves=curves)
    except Absent:
        short = fitting.find(kind, list(arms), curves=curves)
    raise _short(short, {arm: lacking(short, arm, rounds) for arm, rounds in arms.items()})


def lacking(run: Results, arm: str, rounds: Iterable[int]) -> list[int]:
    """The rounds of an arm that a run does not have."""
    return sorted(set(rounds) - set(run.summary.loc[run.summary["arm"] == arm, "round"]))


def _short(run: Results, gone: Mapping[str, list[int]]) -> Absent:
    told = " and ".join(f"{spans(rounds)} of {arm}" for arm, rounds in gone.items() if rounds)
    flags = [f"--arms.{arm} {run.experiment.arms.get(arm, 1)}" for arm in gone if arm != "ticket"]
    controls = sorted({round for arm, rounds in gone.items() if arm != "ticket" for round in rounds})
    if controls and run.experiment.control_rounds is not None:  # asking for none would train them in all
        flags.append(f"--control-rounds {' '.join(map(str, controls))}")
    last = max(round for rounds in gone.values() for round in rounds)
    name = run.experiment.name if run.experiment.name in catalogue.experiments() else NAMED[run.kind]
    if paths.rounds(run.folder).is_dir():  # this very run can be continued, whatever its settings
        here = shlex.quote(str(run.folder))
        name = f"{here} --workdir {here}"
    command = " ".join([f"{PROGRAM} {name}", *flags])
    rounds = "" if run.kind == "oneshot" else f" --prune.rounds {last}"
    return Absent(f"the {run.kind} run lacks {told}", command + rounds)


def spans(rounds: Iterable[int]) -> str:
    """Rounds in words, those that follow one another joined.

    Example:
        >>> spans([7]), spans([3, 5, 6, 7])
        ('round 7', 'rounds 3, 5–7')
    """
    runs: list[list[int]] = []
    for round in sorted(rounds):
        if runs and round == runs[-1][-1] + 1:
            runs[-1].append(round)
        else:
            runs.append([round])
    parts = [str(run[0]) if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in runs]
    return f"round{'s' * (sum(map(len, runs)) > 1)} {', '.join(parts)}"


def points(
    study: Study, setting: str, name: str, rounds: int, *, values: Iterable[Any] | None = None,
    free: Iterable[str] = (),
) -> dict[Any, Results]:  # fmt: skip
    """The points of a sweep that differ from the paper's setup in ``setting`` alone, with curves.

    Args:
        study: where to look.
        setting: as in ``Study.sweep``.
        name: the named experiment that sweeps it.
        rounds: the last round that every point needs; 0 where it is for the caller to say.
        values: those that must be there; by default whichever are.
        free: further settings that are free to differ.

    Raises:
        Absent: the sweep, a value, a round or the curves are missing.
    """
    found = papers(study, setting, *free).sweep(setting, name)
    command = f"{PROGRAM} {name}"
    gone = [value for value in values or () if value not in found]
    if gone:
        raise Absent(f"{name} lacks {setting} = {', '.join(map(str, gone))}", command)
    if any(run.curves is None for run in found.values()):
        raise Absent(f"{name} lacks its curves", command)
    short = [value for value, run in found.items() if lacking(run, "ticket", range(rounds + 1))]
    if short:
        told = f"{name} lacks rounds up to {rounds} for {setting} = {', '.join(map(str, short))}"
        raise Absent(told, f"{command} --prune.rounds {rounds}")
    return found
