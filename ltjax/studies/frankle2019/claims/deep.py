"""What is said of VGG-19 and of Resnet-18 alike: when a pruned network is a winning ticket, and comparisons.

As in the paper's Figures 7 and 8, accuracies are on test at given steps of training, which never stops
early. A ticket wins if at the end it is at least as accurate as the dense network of the same setting, to
within ``LEAST``; by that learning rates can be compared of which the highest is best for dense networks.
"""

from collections.abc import Sequence

import pandas as pd

from ltjax.analysis.results import Results
from ltjax.claims.statistics import FINAL, at, by_trial, gain, lasts, mean, over

LEAST = -0.5
"""Points that a winning ticket may be below dense: twice the standard error of the difference between means
of three trials, whose accuracies are taken to vary by 0.3 points. The paper's own differences are of a point
or more."""

EQUAL = "down to -0.5 points, twice the standard error of such a difference of three trials"


def until(run: Results, last: int) -> float:
    """The last of rounds 0 to ``last`` up to which every round's tickets win, in the mean over trials."""
    return lasts(mean(gain(run, FINAL)).loc[:last], LEAST)


def against_reinit(run: Results, rounds: Sequence[int]) -> pd.Series:
    """Test accuracy at the end, tickets' less that of their reinitialisations, mean of rounds, in points."""
    return over(100 * (by_trial(run, FINAL) - by_trial(run, FINAL, "reinit")), rounds)


def against_other(one: Results, two: Results, rounds: Sequence[int]) -> pd.Series:
    """Tickets' test accuracy at the end in one run less that in the other, mean of rounds, in points."""
    return over(100 * (by_trial(one, FINAL) - by_trial(two, FINAL)), rounds)


def dense(run: Results) -> pd.Series:
    """The dense network's test accuracy at the end, in percent."""
    return 100 * at(by_trial(run, FINAL), 0)
