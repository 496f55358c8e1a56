"""What a page tells of methods of pruning beside one another: a row for each method and density."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pandas as pd

from ltjax.analysis.methods import SIZE, Group, groups
from ltjax.analysis.results import Study
from ltjax.lottery.arms import in_order
from ltjax.plots.layout import compact
from ltjax.plots.metrics import EARLY_STOP, points, there
from ltjax.report.facts import Column, cell
from ltjax.training.metrics import Shown

DENSE = "dense network"

FIXED = ["runs", "method", "percent_remaining", "metric"]
"""The columns before those of numbers: ``runs`` tells what was trained alike."""

STOP = EARLY_STOP.column

PARTS = {"mean": "", "low": "_least", "high": "_greatest"}
"""What a column of numbers is called for the mean over trials and repeats, the least and the greatest."""


def table(study: Study) -> pd.DataFrame:
    """A row for each method and density, and one for the dense network of runs that are trained alike.

    The columns are ``FIXED``; for each arm ``test_ARM``, its metric at the early stop; ``early_stop_step`` of
    the tickets. Each number has its least and greatest beside it, ``…_least`` and ``…_greatest``, and
    is missing where the arm was not trained. Lanes that diverged are in none of them.
    """
    found = groups(study)
    arms = in_order({arm for group in found for method in group.methods for arm in method.arms})
    rows = [row for group in found for row in _rows(group)]
    names = [*(f"test_{arm}" for arm in arms), STOP]
    return pd.DataFrame(rows, columns=[*FIXED, *(name + part for name in names for part in PARTS.values())])


def _rows(group: Group) -> Iterator[dict[str, Any]]:
    shown = group.first.metric
    common = {"runs": group.name, "metric": shown.name}
    yield from ({**common, "method": DENSE, **row} for row in _numbers({"ticket": group.dense}, shown))
    for method in group.methods:
        lanes = {arm: method.rows(arm) for arm in method.arms}
        yield from ({**common, "method": method.name, **row} for row in _numbers(lanes, shown))


def _numbers(lanes: Mapping[str, pd.DataFrame], shown: Shown) -> Iterator[dict[str, Any]]:
    """The numbers of each density of some arms, from the largest on."""
    columns = {f"test_{arm}": (rows, there("test", shown).column) for arm, rows in lanes.items()}
    if "ticket" in lanes:
        columns[STOP] = (lanes["ticket"], STOP)
    found = {name: points(rows, column).to_dict("index") for name, (rows, column) in columns.items()}
    for place, percent in pd.concat(lanes.values()).groupby("round")[SIZE].mean().items():
        there_are = {name: each[place] for name, each in found.items() if place in each}
        numbers = {name + part: row[of] for name, row in there_are.items() for of, part in PARTS.items()}
        yield {SIZE: percent, **numbers}


class Row(NamedTuple):
    """A row of the page's table: cells are (mean, range); ``first`` is as in ``facts.Row``."""

    method: str
    percent: str
    first: int
    cells: list[tuple[str, str]]


class Sheet(NamedTuple):
    """The table of methods that are trained alike; ``name`` is empty where the page has no other."""

    name: str
    metric: str
    columns: list[str]
    rows: list[Row]


def sheets(study: Study) -> list[Sheet]:
    """A table for each group of runs in which several methods stand beside one another."""
    several = [group for group in groups(study) if len(group.methods) > 1]
    return [_sheet(group, group.name if len(several) > 1 else "") for group in several]


def _sheet(group: Group, name: str) -> Sheet:
    shown = group.first.metric
    arms = in_order({arm for method in group.methods for arm in method.arms})
    columns = {f"test_{arm}": Column(f"test_{arm}", shown.factor, shown.told) for arm in arms}
    columns |= {STOP: Column(STOP, 1, "{:,.0f}".format)}
    found = list(_rows(group))
    counts, seen = Counter(row["method"] for row in found), set()
    rows = []
    for row in found:
        method = row["method"]
        cells = [_told(row, column) for column in columns.values()]
        rows.append(Row(method, compact(row[SIZE]), 0 if method in seen else counts[method], cells))
        seen.add(method)
    return Sheet(name, shown.called, [*(f"{arm} {shown.heading}" for arm in arms), "early-stop step"], rows)


def _told(row: Mapping[str, Any], column: Column) -> tuple[str, str]:
    if column.source not in row:
        return "–", ""
    mean, low, high = (column.factor * row[column.source + part] for part in PARTS.values())
    return cell(mean, low, high, column.told)
