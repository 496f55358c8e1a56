"""Densities as tidy rows: of values, and of units by the share of their connections that survives."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

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
