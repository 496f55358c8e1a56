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

import functools
import json
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from ltjax.core.errors import UserError
from ltjax.core.files import write_whole
from ltjax.core.types import Lane, Mask
from ltjax.lanes import history
from ltjax.runs import checkpoints, learned, paths
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

Theta0: TypeAlias = Callable[[int], Layers]
"""The initial kernels of a trial."""


OF_TRAINING = ("movement", "growth")
"""What is distilled from the dense network's trained params, which not every run keeps."""


def distil(run: Run, older: pd.DataFrame | None = None) -> pd.DataFrame:
    """The table of a run's tickets; beside θ₀, one checkpoint is in memory at a time.

    Args:
        run: the run.
        older: its table from when the dense network's trained params were there, for the rows of
            ``OF_TRAINING``; without it and them there are no such rows.

    Returns:
        Columns ``COLUMNS``; no rows where no ticket of a fully-connected network was trained yet.

    Raises:
        UserError: a checkpoint is damaged, or initial params are missing.
    """
    rounds = [round for round in sorted(run.parts) if any(lane.arm == "ticket" for lane in run.lanes(round))]
    theta0 = functools.cache(lambda trial: _theta0(run, trial))
    found = [rows for round in rounds for rows in _of_round(run, round, theta0)]
    if 0 in rounds and len(rounds) > 1 and run.keeps_tickets(0):
        found += _of_training(run, SPLIT if SPLIT in rounds else rounds[-1], theta0)
    elif older is not None and not run.keeps_tickets(0):
        found.append(older[older["what"].isin(OF_TRAINING)])
    table = pd.concat(found, ignore_index=True)[COLUMNS] if found else pd.DataFrame(columns=COLUMNS)
    table.attrs[DISTILLED] = _parts(run)
    return table


def _tickets(run: Run, round: int) -> list[Lane]:
    return sorted(lane for lane in run.lanes(round) if lane.arm == "ticket")


def _masks(run: Run, round: int) -> tuple[dict[int, Layers], float]:
    """Every trial's mask in a round, and the percentage of weights remaining, a mean over trials."""
    found = {lane.trial: run.mask(round, lane) for lane in _tickets(run, round)}
    known = learned.read(run.folder, history.metric_in(run.summary())).layers
    counted = {each.path for each in known if each.kind is not None} or None
    percent = float(np.mean([masks.percent_remaining(mask, counted) for mask in found.values()]))
    return {trial: layers(mask) for trial, mask in found.items()}, percent


def _theta0(run: Run, trial: int) -> Layers:
    theta0 = run.theta0(trial)
    if theta0 is None:
        raise UserError(f"'{run.folder}' lacks the initial params of trial {trial}.")
    return layers(theta0)


def _of_round(run: Run, round: int, theta0: Theta0) -> Iterator[pd.DataFrame]:
    """What the masks of a round show."""
    kept, percent = _masks(run, round)
    alive = list(kept.values())
    found = [*_densities(alive, percent)]
    if round in SHOWN:
        found += _initial(kept, theta0)
    if round in SHOWN and round:
        found += [*_incoming(alive), *_outgoing(alive)]
    if round % EVERY == 0:
        found += _pixels(alive)
    for rows in found:
        yield rows.assign(round=round, percent_remaining=percent)


def _densities(alive: Sequence[Layers], percent: float) -> Iterator[pd.DataFrame]:
    for name in alive[0]:
        share = float(np.mean([np.mean(each[name]) for each in alive]))
        yield block("density", name, "", np.array([percent]), np.array([share]))


def _initial(kept: Mapping[int, Layers], theta0: Theta0) -> Iterator[pd.DataFrame]:
    histograms = {name: Histogram(values) for name, values in theta0(min(kept)).items()}
    for trial, alive in kept.items():
        for name, values in theta0(trial).items():
            histograms[name].add(values[alive[name]])
    for name, histogram in histograms.items():
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


def _of_training(run: Run, round: int, theta0: Theta0) -> Iterator[pd.DataFrame]:
    """How far the dense network's weights went, in and out of the ticket of a later round."""
    kept, percent = _masks(run, round)
    histograms: dict[tuple[str, str, str], Histogram] = {}
    for lane in _tickets(run, 0):
        start, end = theta0(lane.trial), layers(run.outcome(0, lane).trained)
        for name, inside in kept.get(lane.trial, {}).items():
            for what, values in _changes(start[name], end[name]).items():
                for group, chosen in ((INSIDE, inside), (OUTSIDE, ~inside)):
                    histogram = histograms.setdefault((what, name, group), Histogram(values))
                    histogram.add(values[chosen])
    for (what, name, group), histogram in histograms.items():
        yield histogram.block(what, name, group).assign(round=round, percent_remaining=percent)


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
