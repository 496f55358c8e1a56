"""What figures ask of a study beyond one run: a second run to set beside it, or the fullest there is."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from ltjax.analysis.results import RUN, Absent, Results, Study
from ltjax.plots.layout import rate, thousands
from ltjax.plots.metrics import Line
from ltjax.plots.style import ARMS, Look, arms, sided
from ltjax.settings.fields import choices_of, replaced, settings_of
from ltjax.settings.loading import load_experiment

T = TypeVar("T")

SHARED = ("data.", "model.", "train.")
"""Where the settings are in which two runs must agree to be drawn in one panel."""


def lines(run: Results, *names: str) -> list[Line]:
    """A line for each of these arms of a run, and for every arm of the user's own."""
    looks = arms(run.arms | set(names))
    return [Line(looks[name], run.rows(name)) for name in (*names, *own(run))]


def own_lines(look: Look, run: Results) -> list[Line]:
    """A line for each arm of the user's own, in a panel where ``look`` is that of the run's tickets."""
    looks = arms(run.arms)
    return [Line(sided(look, looks[name]), run.rows(name)) for name in own(run)]


def own(run: Results) -> list[str]:
    """A run's arms that are the user's own."""
    return sorted(run.arms - set(ARMS))


def paired(study: Study, run: Results, name: str, **needs: Any) -> Results:
    """A run of a named experiment, as ``Study.like`` finds it, of ``run``'s network trained as ``run`` was.

    Raises:
        Absent: there is none; its command trains as ``run`` did.
    """
    return alike(study, run, name, lambda others: others.like(name, **needs))


def alike(study: Study, run: Results, name: str, find: Callable[[Study], Results]) -> Results:
    """What ``find`` gives of the runs whose network was trained as ``run``'s was.

    Args:
        study: the runs.
        run: the one to be set beside.
        name: the named experiment whose command would run what is sought.
        find: finds it in a study.

    Raises:
        Absent: there is none; its command trains as ``run`` did.
    """
    try:
        return find(Study([other for other in study.runs if not _unlike(run, other)]))
    except Absent as absent:
        flags = _unlike(run, load_experiment(name))
        raise Absent(absent.what, " ".join([absent.command, *flags])) from absent


def _unlike(run: Results, other: Results | Any) -> list[str]:
    """The flags that would make another run's training ``run``'s; none where they agree."""
    asked = other.experiment if isinstance(other, Results) else other
    theirs = other.settings if isinstance(other, Results) else settings_of(other)
    chosen = choices_of(run.experiment)
    for name, choice in chosen.items():  # a flag that chooses another brings the defaults of its parameters
        asked = replaced(asked, name, choice.name)
    begun = settings_of(asked) | {name: theirs[name] for name in chosen}
    return [f"--{name} {_flag(mine.value)}" for name, mine in run.settings.items()
            if name.startswith(SHARED) and mine.role in ("value", "shape")
            and begun[name].value != mine.value]  # fmt: skip


def _flag(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def those_there(keys: Sequence[str], find: Callable[[str], T]) -> dict[str, T]:
    """What ``find`` gives for each of several networks or settings, less those for which it is absent.

    Raises:
        Absent: all are; the command runs the first, which suffices.
    """
    found, missing = {}, []
    for key in keys:
        try:
            found[key] = find(key)
        except Absent as absent:
            missing.append(absent)
    if found:
        return found
    nor = f", nor of {' or '.join(keys[1:])}" if keys[1:] else ""
    raise Absent(missing[0].what + nor, missing[0].command)


def curved(study: Study, setting: str, name: str) -> dict[Any, Results]:
    """The points of a sweep that have their curves, by ascending value; None comes last.

    Raises:
        Absent: no run swept the setting, or no point has curves.
    """
    found = {value: run for value, run in study.sweep(setting, name).items() if run.curves is not None}
    if not found:
        raise Absent(f"no curves of the sweep of {setting}", f"{RUN} {name}")
    return {value: found[value] for value in sorted(found, key=lambda value: (value is None, value or 0))}


def told(run: Results) -> str:
    """How a run was trained, in the words of a legend: ``rate 0.1, warmup 10K``."""
    train = run.experiment.train
    warmup = train.schedule.parameters.get("warmup", 0)
    return f"rate {rate(train.learning_rate)}" + (f", warmup {thousands(warmup)}" if warmup else "")


def rounds_near(run: Results, percents: Sequence[float]) -> dict[float, int]:
    """The rounds whose percentage of weights remaining is within 5% of those asked for, by what was asked."""
    means = run.rows().groupby("round")["percent_remaining"].mean()
    rounds, remaining = means.index.to_numpy(), means.to_numpy()
    off = {percent: np.abs(remaining / percent - 1) for percent in percents}
    return {percent: int(rounds[each.argmin()]) for percent, each in off.items() if each.min() < 0.05}
