"""What a page tells of methods of pruning beside one another: a row for each method and density."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pandas as pd

from ltjax.analysis.methods import FLOPS, SIZE, Group, groups
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
    is missing where the arm was not trained. Lanes that diverged are in none of them. Last is
    ``training_flops``, of the training of one ticket, missing where it is not known.
    """
    found = groups(study)
    arms = in_order({arm for group in found for method in group.methods for arm in method.arms})
    rows = [row for group in found for row in _rows(group)]
    names = [name + part for name in [*(f"test_{arm}" for arm in arms), STOP] for part in PARTS.values()]
    return pd.DataFrame(rows, columns=[*FIXED, *names, FLOPS])


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
    trained = _trained(lanes)
    for place, percent in pd.concat(lanes.values()).groupby("round")[SIZE].mean().items():
        there_are = {name: each[place] for name, each in found.items() if place in each}
        numbers = {name + part: row[of] for name, row in there_are.items() for of, part in PARTS.items()}
        yield {SIZE: percent, **numbers, FLOPS: trained[place]}


def _trained(lanes: Mapping[str, pd.DataFrame]) -> dict[Any, float]:
    """The FLOPs of training a lane, by round: of the first arm in it, tickets where there are any."""
    every = pd.concat([rows.groupby("round")[FLOPS].max() for rows in lanes.values()])
    found: dict[Any, float] = every[~every.index.duplicated()].to_dict()
    return found


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
    counted: bool = False
    """Whether there is a column of FLOPs."""


def sheets(study: Study) -> list[Sheet]:
    """A table for each group of runs in which several methods stand beside one another."""
    several = [group for group in groups(study) if len(group.methods) > 1]
    return [_sheet(group, group.name if len(several) > 1 else "") for group in several]


def _sheet(group: Group, name: str) -> Sheet:
    shown = group.first.metric
    arms = in_order({arm for method in group.methods for arm in method.arms})
    columns = {f"test_{arm}": Column(f"test_{arm}", shown.factor, shown.told) for arm in arms}
    columns |= {STOP: Column(STOP, 1, "{:,.0f}".format)}
    heads = [*(f"{arm} {shown.heading}" for arm in arms), "early-stop step"]
    found = list(_rows(group))
    counted = any(row[FLOPS] > 0 for row in found)
    counts, seen = Counter(row["method"] for row in found), set()
    rows = []
    for row in found:
        method = row["method"]
        cells = [_told(row, column) for column in columns.values()]
        cells += [(in_units(row[FLOPS]), "")] * counted
        rows.append(Row(method, compact(row[SIZE]), 0 if method in seen else counts[method], cells))
        seen.add(method)
    return Sheet(name, shown.called, heads + ["training FLOPs"] * counted, rows, counted)


def _told(row: Mapping[str, Any], column: Column) -> tuple[str, str]:
    if column.source not in row:
        return "–", ""
    mean, low, high = (column.factor * row[column.source + part] for part in PARTS.values())
    return cell(mean, low, high, column.told)


UNITS = {1e18: "E", 1e15: "P", 1e12: "T", 1e9: "G", 1e6: "M"}


def in_units(number: float) -> str:
    """A large number to three digits, in the unit that fits; a dash where it is not known.

    Example:
        >>> in_units(47.31e12), in_units(999.7e9), in_units(2e6), in_units(float("nan"))
        ('47.3 T', '1.00 T', '2.00 M', '–')
    """
    if math.isnan(number):
        return "–"
    rounded = float(f"{number:.3g}")
    size = next((size for size in UNITS if rounded >= size), 1.0)
    return f"{rounded / size:#.3g}".rstrip(".") + f" {UNITS.get(size, '')}".rstrip()
