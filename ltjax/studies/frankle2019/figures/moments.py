"""Accuracy in the midst of training: at the evaluated step nearest to a fraction of it.

Fractions and not steps, so that runs shorter than the paper's are drawn as its figures are.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ltjax.analysis.results import Results
from ltjax.lanes.history import LANE
from ltjax.plots.metrics import Line, Metric, accuracy_at, compare
from ltjax.plots.sources import own
from ltjax.plots.style import Look
from ltjax.studies.frankle2019.facts import AXES, RESNET18, VGG19
from ltjax.studies.frankle2019.runs import ticks_of

MOMENTS = {network.key: network.fractions for network in (VGG19, RESNET18)}
"""The fractions of training after which the paper shows each network."""

WINDOWS = {(VGG19.key, "test"): AXES["7"].window}
"""The paper's ranges of accuracies, where its figure has one."""


class Drawn(NamedTuple):
    """A line to draw: its look, and an arm of a run that has its curves."""

    look: Look
    run: Results
    arm: str = "ticket"


def at_moments(network: str, drawn: Sequence[Drawn], split: str = "test", title: str | None = None) -> Figure:
    """A panel for each of a network's moments, with the accuracy of every line there on a split."""
    found = [Line(each.look, rows(each, split, MOMENTS[network])) for each in drawn]
    metrics = [
        Metric(_column(at), accuracy_at(split, [step(each.run, fraction) for each in drawn]),
               WINDOWS.get((network, split)))
        for at, fraction in enumerate(MOMENTS[network])
    ]  # fmt: skip
    pairs = any(each.look.hollow for each in drawn) and not any(own(each.run) for each in drawn)
    return compare(found, metrics, ticks=ticks_of(drawn[0].run), reach=min, title=title, pairs=pairs)


def step(run: Results, fraction: float) -> int:
    """The step nearest to a fraction of a run's training of those at which all lanes were evaluated."""
    assert run.curves is not None
    lanes = run.curves["step"].value_counts(sort=False)
    steps = lanes.index[lanes == lanes.max()].to_numpy()
    return int(steps[np.abs(steps - fraction * run.experiment.train.steps).argmin()])


def rows(drawn: Drawn, split: str, fractions: Sequence[float]) -> pd.DataFrame:
    """The summary's rows of an arm, with its accuracy at every fraction of training in a column each."""
    assert drawn.run.curves is not None
    found = drawn.run.rows(drawn.arm)
    curves = drawn.run.curves[drawn.run.curves["split"] == split]
    for at, fraction in enumerate(fractions):
        seen = curves[curves["step"] == step(drawn.run, fraction)].rename(columns={"accuracy": _column(at)})
        found = found.merge(seen[[*LANE, _column(at)]], on=LANE, how="left")
    return found


def _column(at: int) -> str:
    return f"moment_{at}_accuracy"
