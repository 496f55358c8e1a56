"""What a page tells of connectivity: a row for each kind of pair and density, beside its figure."""

import pandas as pd

from ltjax.analysis.results import Absent, Study
from ltjax.lottery.arms import in_order
from ltjax.plots.connectivity import BETWEEN, SPLITS, Told, by_size, metric_of, told_of
from ltjax.plots.layout import compact
from ltjax.report.facts import cell
from ltjax.report.methods import Row, Sheet
from ltjax.training.metrics import Shown


def sheets(study: Study) -> list[Sheet]:
    """A table for each analysis of connectivity that the runs were asked; none where their metrics differ."""
    every = [told for name in BETWEEN if (told := told_of(study, name))]
    try:
        shown = metric_of(study) if every else Shown()
    except Absent:
        return []
    return [_sheet(told, shown) for told in every]


def _sheet(told: Told, shown: Shown) -> Sheet:
    arms = dict(told.rows[["line", "arm"]].drop_duplicates().values.tolist())
    order = in_order(set(arms.values()))
    lines = sorted(arms, key=lambda line: (order.index(arms[line]), line))
    columns = {f"{line} {split}": by_size(told, split, line, shown) for line in lines for split in SPLITS
               if (told.rows["split"] == split).any()}  # fmt: skip
    rows = []
    for size in sorted(told.rows["size"].unique(), reverse=True):
        cells = [_cell(values, size) for values in columns.values()]
        rows.append(Row("", compact(size), 0, cells))
    return Sheet(f"Between {BETWEEN[told.name]}", shown.called, list(columns), rows)


def _cell(values: pd.DataFrame, size: float) -> tuple[str, str]:
    own = values[values.index == size]
    if own.empty:
        return "–", ""
    mean, low, high = (float(own[name].iloc[0]) for name in ("mean", "min", "max"))
    return cell(mean, low, high, "{:.2f}".format)
