"""What a page tells of methods of pruning beside one another: a row for each method and density."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import pandas as pd

from ltjax.analysis.methods import Group, Method, groups
from ltjax.analysis.results import Study
from ltjax.plots.metrics import EARLY_STOP, points, there
from ltjax.report.facts import told_range
from ltjax.training.metrics import Shown

DENSE = "dense network"

FIXED = ["runs", "method", "percent_remaining", "metric"]
"""The columns before those of numbers: ``runs`` tells what was trained alike, ``metric`` is of the test split."""

STOP = EARLY_STOP.column

PARTS = {"mean": "", "low": "_least", "high": "_greatest"}
"""What a column of numbers is called for the mean over trials and repeats, the least and the greatest."""


def table(study: Study) -> pd.DataFrame:
    """A row for each method and density, and one for the dense network of runs that are trained alike.

    The columns are ``FIXED``; ``early_stop_step`` of the tickets; then for each arm ``test_ARM``, its metric
    at the early stop. Each number has its least and greatest beside it, ``…_least`` and ``…_greatest``, and
    is missing where the arm was not trained. Lanes that diverged are in none of them.
    """
    found = groups(study)
    arms = dict.fromkeys(arm for group in found for method in group.methods for arm in method.arms)
    rows = [row for group in found for row in _rows(group)]
    names = [STOP, *(f"test_{arm}" for arm in arms)]
    return pd.DataFrame(rows, columns=[*FIXED, *(name + part for name in names for part in PARTS.values())])


def _rows(group: Group) -> Iterator[dict[str, Any]]:
    shown = group.first.metric
    common = {"runs": group.name, "metric": shown.name}
    yield from ({**common, "method": DENSE, **row} for row in _numbers({"ticket": group.dense}, shown))
    for method in group.methods:
        lanes = {arm: method.rows(arm) for arm in method.arms}
        yield from ({**common, "method": method.name, **row} for row in _numbers(lanes, shown))


def _numbers(lanes: dict[str, pd.DataFrame], shown: Shown) -> Iterator[dict[str, Any]]:
    """The numbers of each density of some arms, from the largest on."""
    found = {f"test_{arm}": points(rows, there("test", shown).column) for arm, rows in lanes.items()}
    found[STOP] = points(lanes.get("ticket", pd.DataFrame(columns=next(iter(lanes.values())).columns)), STOP)
    percent = pd.concat([each["x"] for each in found.values()]).groupby(level=0).first()
    for place in sorted(percent.index):
        numbers = {
            name + part: each.loc[place, of]
            for name, each in found.items() if place in each.index for of, part in PARTS.items()
        }  # fmt: skip
        yield {"percent_remaining": percent[place], **numbers}
