"""What figures ask of a study beyond one run: a second run to set beside it, or the fullest there is."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ltjax import identity
from ltjax.catalogue import load_experiment
from ltjax.figures.metrics import Line
from ltjax.figures.style import arm
from ltjax.study import NAMED, Absent, Results, Study

SHARED = ("data.name", "data.validation", "model.", "train.")
"""Settings in which two runs must agree to be drawn in one panel."""


def lines(run: Results, *arms: str) -> list[Line]:
    """A line for each of these arms of a run."""
    return [Line(arm(name), run.rows(name)) for name in arms]


def beside(study: Study, run: Results, kind: str, arms: Sequence[str] = ("ticket",), **needs: Any) -> Results:
    """A run of another kind, of the same network trained in the same way as ``run``.

    Raises:
        Absent: there is none; its command trains as ``run`` did.
    """
    alike = [other for other in study.runs if not _unlike(run, other)]
    try:
        return Study(alike).find(kind, arms, **needs)
    except Absent as absent:
        flags = _unlike(run, load_experiment(NAMED[kind]))
        raise Absent(absent.what, " ".join([absent.command, *flags])) from absent


def _unlike(run: Results, other: Results | Any) -> list[str]:
    """The flags that would make another run's training ``run``'s; none where they agree."""
    ours = identity.flatten(run.experiment)
    theirs = identity.flatten(other.experiment if isinstance(other, Results) else other)
    return [f"--{name} {_flag(value)}" for name, value in ours.items()
            if name.startswith(SHARED) and theirs[name] != value]  # fmt: skip


def _flag(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def fullest(study: Study, *choices: Sequence[str], **needs: Any) -> Results:
    """The iterative run with the first of several sets of arms that one has; the last set is the least.

    Raises:
        Absent: no run has any of them.
    """
    for arms in choices[:-1]:
        try:
            return study.find(arms=arms, **needs)
        except Absent:
            continue
    return study.find(arms=choices[-1], **needs)


def rounds_near(run: Results, percents: Sequence[float]) -> dict[float, int]:
    """The rounds whose percentage of weights remaining is within 5% of those asked for, by what was asked."""
    means = run.rows().groupby("round")["percent_remaining"].mean()
    rounds, remaining = means.index.to_numpy(), means.to_numpy()
    off = {percent: np.abs(remaining / percent - 1) for percent in percents}
    return {percent: int(rounds[each.argmin()]) for percent, each in off.items() if each.min() < 0.05}
