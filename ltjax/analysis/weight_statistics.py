"""What tickets look like inside, distilled from a run's checkpoints into one small table.

All anatomy figures (paper, Appendix F) are drawn from it, so they can be drawn anew where only the table
was kept. Its columns are ``COLUMNS``, a row per point of a curve, pooled over trials:

========  =====================================================  ================================
what      x                                                      y
========  =====================================================  ================================
initial   initial value of a surviving weight                    density
movement  abs(θ_T - θ_0) of a weight of the dense network        density, by ``group``
growth    abs(θ_T) - abs(θ_0) of the same                        density, by ``group``
incoming  share of a unit's incoming connections that survives   density of units
outgoing  share of a unit's outgoing connections that survives   density of units
pixels    index of an input                                      surviving share of its connections
density   percent of all weights remaining                       surviving share of the layer
========  =====================================================  ================================

``layer`` is a kernel's, or for ``outgoing`` that of the units, the first being ``input``; ``group`` says on
which side of the ticket a weight is. Densities have ``histograms.BINS`` bins over all but the outermost 0.2%
of the first trial's values before pruning, shares up to ``histograms.SHARES``; x is a bin's middle.
"""

import json
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from ltjax.analysis.analyses import ANALYSES
from ltjax.analysis.lanes import Examined, FinishedLane
from ltjax.core.errors import UserError
from ltjax.core.files import write_whole
from ltjax.core.types import Mask
from ltjax.runs import checkpoints, paths
from ltjax.runs.folder import Run
from ltjax.sparsity import masks

Layers: TypeAlias = dict[str, np.ndarray]
"""An array for each fully-connected kernel [inputs, units], by layer, from input to output."""


def layers(tree: Any) -> Layers:
    """The fully-connected kernels of params or a mask: numbered layers in order, then ``output``."""
    found = {path.removesuffix("/kernel"): np.asarray(leaf)
             for path, leaf in masks.kernels(tree).items() if np.ndim(leaf) == 2}  # fmt: skip
    return {name: found[name] for name in sorted(found, key=_place)}


def connections(mask: Mask) -> pd.DataFrame:
    """The connections that every unit keeps: columns ``layer``, ``unit``, ``incoming`` and ``outgoing``.

    The first layer is ``input``, into which nothing leads, as nothing leads out of the last one: there the
    numbers are missing.

    Example:
        >>> connections({"output": {"kernel": np.array([[True], [False]])}})["outgoing"].tolist()[:2]
        [1, 0]
    """
    kernels = layers(mask)
    counts = [np.count_nonzero(kernel, axis=0) for kernel in kernels.values()]
    onward = [np.count_nonzero(kernel, axis=1) for kernel in kernels.values()]
    blocks = [
        pd.DataFrame({"incoming": pd.array(into, "Int64"), "outgoing": pd.array(out, "Int64")})
        for into, out in zip([_none(onward[0]), *counts], [*onward, _none(counts[-1])], strict=True)
    ]
    units = pd.concat(blocks, keys=["input", *kernels], names=["layer", "unit"])
    return units.reset_index()


def _none(like: np.ndarray) -> list[None]:
    return [None] * len(like)


def _place(name: str) -> tuple[bool, int, str]:
    digits = "".join(each for each in name if each.isdigit())
    return name == "output", int(digits or 0), name


BINS = 40
"""Bins of a density."""
SHARES = 50
"""Bins of shares from 0 to 1, at most: units with fewer connections have a bin for each possible share."""


class Histogram:
    """A density filled part by part, in equal bins over the middle 99.8% of the values it is laid out for."""

    def __init__(self, values: np.ndarray) -> None:
        finite = values[np.isfinite(values)]  # of a network that diverged some or all are not
        low, high = np.quantile(finite, [0.001, 0.999]) if finite.size else (0.0, 1.0)
        self.edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
        self.counts, self.total = np.zeros(BINS), 0

    def add(self, values: np.ndarray) -> None:
        """Count more finite values; one outside of the range counts in the whole, but in no bin."""
        finite = values[np.isfinite(values)]
        self.counts += np.histogram(finite, self.edges)[0]
        self.total += finite.size

    def block(self, what: str, layer: str, group: str) -> pd.DataFrame:
        """The bins' middles and the density there; no rows where nothing was counted."""
        if not self.total:
            return block(what, layer, group, np.zeros(0), np.zeros(0))
        density = self.counts / (self.total * (self.edges[1] - self.edges[0]))
        return block(what, layer, group, (self.edges[:-1] + self.edges[1:]) / 2, density)


def shares(what: str, layer: str, kernels: Sequence[np.ndarray]) -> pd.DataFrame:
    """The density of units, a column of a bool array each, over the share of their connections that is True.

    Example:
        >>> shares("incoming", "fc1", [np.array([[True, True], [False, True]])])["y"].tolist()
        [0.0, 1.5, 1.5]
    """
    inputs = len(kernels[0])
    bins = min(SHARES, inputs + 1)
    kept = np.concatenate([np.count_nonzero(kernel, axis=0) for kernel in kernels])
    # in integers: 0.58 * 50 is 28.999999999999996
    counts = np.bincount(np.minimum(kept * bins // inputs, bins - 1), minlength=bins)
    return block(what, layer, "", (np.arange(bins) + 0.5) / bins, bins * counts / len(kept))


def block(what: str, layer: str, group: str, x: np.ndarray, y: np.ndarray) -> pd.DataFrame:
    """Rows of one curve: columns ``what``, ``layer``, ``group``, ``x`` and ``y``."""
    return pd.DataFrame({"what": what, "layer": layer, "group": group, "x": x.astype(float), "y": y})


COLUMNS = ["what", "round", "percent_remaining", "layer", "group", "x", "y"]

DISTILLED = "distilled from"
"""Where a table (in its ``attrs``, which Parquet keeps) tells from which checkpoints it is."""

SHOWN = (0, 4, 8, 12)
"""The rounds that are looked into weight by weight."""

SPLIT = 8
"""The round whose ticket divides the dense network's weights; a shorter run's last one stands in."""

EVERY = 4
"""Rounds between two maps of the pixels."""

INSIDE, OUTSIDE = "in the ticket", "not in the ticket"

OF_TRAINING = ("movement", "growth")
"""What is distilled from the dense network's trained params, which not every run keeps."""


@ANALYSES.register("weight_statistics")
def weight_statistics(lanes: Sequence[FinishedLane]) -> pd.DataFrame:
    """What tickets look like inside: densities, initial values, connections, pixels (Appendix F).

    Columns ``COLUMNS``, pooled over trials; no rows without a ticket of a fully-connected network. From round
    1 on it tells of the dense network too, where its trained params were kept, by this round's tickets.
    """
    tickets = [lane for lane in lanes if lane.arm == "ticket" and layers(lane.mask)]
    blocks = list(_of_round(tickets)) if tickets else []
    table = pd.concat(blocks, ignore_index=True) if blocks else pd.DataFrame(columns=COLUMNS)
    if tickets:
        counted = {layer.path for layer in tickets[0].layers if layer.kind is not None} or None
        percent = float(np.mean([masks.percent_remaining(lane.mask, counted) for lane in tickets]))
        table = table.assign(round=tickets[0].round, percent_remaining=percent)
        density = table["what"] == "density"
        table.loc[density, "x"] = percent
    return table[COLUMNS]


def distil(run: Run, older: pd.DataFrame | None = None) -> pd.DataFrame:
    """The table of a run's tickets in all rounds; the dense network is divided by one of them alone.

    Args:
        run: the run.
        older: its table from when the dense network's trained params were there, for the rows of
            ``OF_TRAINING``; without it and them there are no such rows.

    Returns:
        Columns ``COLUMNS``; no rows where no ticket of a fully-connected network was trained yet.

    Raises:
        UserError: a checkpoint is damaged, or initial params are missing.
    """
    examined = Examined(run)
    rounds = [round for round in sorted(run.parts) if any(lane.arm == "ticket" for lane in run.lanes(round))]
    split = SPLIT if SPLIT in rounds else max(rounds, default=0)
    tables = []
    for round in rounds:
        table = weight_statistics(examined.lanes(round))
        tables.append(table if round == split else table[~table["what"].isin(OF_TRAINING)])
    if older is not None and not run.keeps_tickets(0):
        tables.append(older[older["what"].isin(OF_TRAINING)])
    filled = [table for table in tables if len(table)]
    found = pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=COLUMNS)
    found.attrs[DISTILLED] = _parts(run)
    return found


def _of_round(tickets: Sequence[FinishedLane]) -> Iterator[pd.DataFrame]:
    """What the tickets of a round show."""
    round, alive = tickets[0].round, [layers(lane.mask) for lane in tickets]
    yield from _densities(alive)
    if round in SHOWN:
        yield from _initial(tickets, alive)
    if round in SHOWN and round:
        yield from _incoming(alive)
        yield from _outgoing(alive)
    if round % EVERY == 0:
        yield from _pixels(alive)
    if round:
        yield from _of_training(tickets)


def _densities(alive: Sequence[Layers]) -> Iterator[pd.DataFrame]:
    for name in alive[0]:
        share = float(np.mean([np.mean(each[name]) for each in alive]))
        yield block("density", name, "", np.zeros(1), np.array([share]))


def _initial(tickets: Sequence[FinishedLane], alive: Sequence[Layers]) -> Iterator[pd.DataFrame]:
    theta0 = [layers(lane.initial) for lane in tickets]
    for name in alive[0]:
        histogram = Histogram(theta0[0][name])
        for values, kept in zip(theta0, alive, strict=True):
            histogram.add(values[name][kept[name]])
        yield histogram.block("initial", name, INSIDE)


def _incoming(alive: Sequence[Layers]) -> Iterator[pd.DataFrame]:
    for name in alive[0]:
        yield shares("incoming", name, [each[name] for each in alive])


def _outgoing(alive: Sequence[Layers]) -> Iterator[pd.DataFrame]:
    """A kernel's rows are the units before it: the input's, then each hidden layer's."""
    for units, name in zip(["input", *alive[0]], alive[0], strict=False):
        yield shares("outgoing", units, [each[name].T for each in alive])


def _pixels(alive: Sequence[Layers]) -> Iterator[pd.DataFrame]:
    for name in list(alive[0])[:1]:
        share = np.mean([each[name].mean(axis=1) for each in alive], axis=0)
        yield block("pixels", name, "", np.arange(len(share)), share)


def _of_training(tickets: Sequence[FinishedLane]) -> Iterator[pd.DataFrame]:
    """How far the dense network's weights went, in and out of these tickets."""
    histograms: dict[tuple[str, str, str], Histogram] = {}
    for lane in tickets:
        dense = lane.at(0)
        if not dense or not dense.kept:
            return
        start, end = layers(lane.initial), layers(dense.trained.params)
        for name, inside in layers(lane.mask).items():
            for what, values in _changes(start[name], end[name]).items():
                for group, chosen in ((INSIDE, inside), (OUTSIDE, ~inside)):
                    histogram = histograms.setdefault((what, name, group), Histogram(values))
                    histogram.add(values[chosen])
    for (what, name, group), histogram in histograms.items():
        yield histogram.block(what, name, group)


def _changes(start: np.ndarray, end: np.ndarray) -> dict[str, np.ndarray]:
    return {"movement": np.abs(end - start), "growth": np.abs(end) - np.abs(start)}


def write(folder: Path, table: pd.DataFrame) -> None:
    """Write a run's table into its folder, whole or not at all.

    Raises:
        OSError: it could not be written; an older one stands.
    """
    write_whole(
        paths.anatomy(folder),
        lambda file: table.to_parquet(file, index=False, write_page_checksum=True),
    )


def read(folder: Path) -> pd.DataFrame:
    """The table kept in a run's folder.

    Raises:
        UserError: there is none, or it is damaged.
    """
    path = paths.anatomy(folder)
    try:
        return pd.read_parquet(path, page_checksum_verification=True)[COLUMNS]
    except (OSError, ValueError, KeyError) as error:  # pyarrow's errors are ValueErrors or OSErrors
        raise UserError(f"'{path}' cannot be read ({error}); remove it to distil it again.") from error


def find(folder: Path) -> pd.DataFrame | None:
    """The table of a run's folder: the kept one, or distilled from other checkpoints; None without both.

    Nothing is written.

    Raises:
        UserError: the kept table or a checkpoint is damaged.
    """
    kept = read(folder) if paths.anatomy(folder).exists() else None
    if not checkpoints.finished(paths.rounds(folder)):
        return kept
    run = Run(folder)
    if kept is not None and kept.attrs.get(DISTILLED) == _parts(run):
        return kept
    return distil(run, kept)


def _parts(run: Run) -> dict[str, int]:
    """What a table is distilled from, by name and checksum: clocks jump, so times of files tell nothing."""
    return {
        path.name: zlib.crc32(json.dumps(note["rows"], sort_keys=True).encode())
        for parts in run.parts.values()
        for path, note in parts
    }
