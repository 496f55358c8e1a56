"""The runs that the paper's figures are drawn from, found by what was run rather than by name."""

from collections.abc import Sequence
from typing import Any

from ltjax.analysis.results import Absent, Results, Study
from ltjax.plots.layout import TICKS
from ltjax.plots.sources import alike
from ltjax.studies.frankle2019.facts import LENET, NETWORKS

OTHERS = tuple(key for key in NETWORKS if key != LENET.key)
"""Networks whose figures and claims ask for them by the name of an experiment."""


def find(
    study: Study, kind: str = "iterative", arms: Sequence[str] = ("ticket",), *, optimizer: str = "adam",
    curves: bool = False, anatomy: bool = False,
) -> Results:  # fmt: skip
    """The first run of a kind that can stand for LeNet's: of any network but the paper's others.

    Raises:
        Absent: there is none; the command runs LeNet's.
    """
    name = LENET.sgd if optimizer == "sgd" else LENET.kinds[kind]
    return study.find(
        name, arms, curves=curves, anatomy=anatomy, others=OTHERS, repeats=LENET.repeats
    )  # fmt: skip


def beside(study: Study, run: Results, kind: str, arms: Sequence[str] = ("ticket",), **needs: Any) -> Results:
    """A run of another kind, of the same network trained in the same way as ``run``.

    Raises:
        Absent: there is none; its command trains as ``run`` did.
    """
    return alike(study, run, LENET.kinds[kind], lambda others: find(others, kind, arms, **needs))


def fullest(study: Study, *choices: Sequence[str], **needs: Any) -> Results:
    """The iterative run with the first of several sets of arms that one has; the last set is the least.

    Raises:
        Absent: no run has any of them.
    """
    for arms in choices[:-1]:
        try:
            return find(study, arms=arms, **needs)
        except Absent:
            continue
    return find(study, arms=choices[-1], **needs)


def ticks_of(run: Results) -> Sequence[float]:
    """The percentages that the paper marks on the axes of a run's network."""
    network = NETWORKS.get(run.experiment.model.name)
    if network is None or network.every is None:
        return TICKS
    return run.summary.groupby("round")["percent_remaining"].mean().tolist()[:: network.every]
