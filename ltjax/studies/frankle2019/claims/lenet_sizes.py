"""L15: LeNets of other sizes (paper, Appendix G.6, Figure 31), on validation as there, three trials each."""

import numpy as np
import pandas as pd

from ltjax.analysis.results import RUN, VALIDATION, Absent, Results, Study
from ltjax.claims.kinds import Measured, claim
from ltjax.claims.statistics import STOP, at_sizes, back, by_trial, gain, mean, rank_correlation, sizes
from ltjax.studies.frankle2019.facts import LENET
from ltjax.studies.frankle2019.requirements import measured, points

LEAST, MOST = 5_800, 23_400
"""Weights: the paper's 9,000 to 15,000 and two rounds of 20% beyond either end."""


@claim(
    "L15",
    network="lenet",
    figure="31",
    paper="At equal numbers of weights, tickets of larger networks are more accurate and stop at nearly the "
    "same step; every size is back at its own dense accuracy at about {:,} to {:,} weights.".format(
        *LENET.weights_back
    ),
    measured="At 10,000 weights, linear in the logarithm of the size between rounds: Spearman's rank "
    "correlation of mean validation accuracy with the size of the network, and the latest over the earliest "
    "mean early-stop step; and the weights left in the first round after the best at which mean validation "
    "accuracy is at or below dense's. At least five sizes, the largest ten times the smallest.",
    tolerance="Correlation of at least 0.8; steps within a factor of 2, which ten means of three trials "
    "that vary by a third can spread by chance; back between 5,800 and 23,400 weights, the paper's range "
    "and two rounds more, for four sizes of five, as three trials leave each size's round uncertain.",
    quantity="weights at which dense's accuracy is met again, median of the sizes",
)
def network_sizes(study: Study) -> Measured:
    """Whether tickets of all networks end at the same number of weights."""
    runs = points(study, "model.widths", "lenet_sizes", 0)
    size = pd.Series({widths: sizes(run, "weights_remaining") for widths, run in runs.items()})
    _needs_sizes(size)
    at = pd.DataFrame({
        column: [mean(at_sizes(by_trial(run, column), weights, [10_000])).iloc[0]
                 for run, weights in zip(runs.values(), size, strict=True)]
        for column in (VALIDATION, STOP)
    })  # fmt: skip
    order = rank_correlation(at[VALIDATION], pd.Series([weights[0] for weights in size]))
    factor = at[STOP].max() / at[STOP].min()
    again = [_back_at(run, weights) for run, weights in zip(runs.values(), size, strict=True)]
    inside = sum(LEAST <= weights <= MOST for weights, _ in again)
    each = pd.DataFrame([trials for _, trials in again]).median()
    ours = (
        f"at 10,000 weights correlation {order:.2f}, steps within a factor of {factor:.2f}; "
        f"{inside} of {len(runs)} sizes back between {LEAST:,} and {MOST:,} weights"
    )
    holds = order >= 0.8 and factor <= 2 and inside >= 0.8 * len(runs) and at.notna().all(axis=None)
    return measured(ours, each, holds, *runs.values())


def _needs_sizes(size: pd.Series) -> None:
    """Enough sizes to speak of all, each pruned to where it should be back at dense's accuracy."""
    dense = [weights[0] for weights in size]
    command = f"{RUN} lenet_sizes"
    if len(size) < 5 or max(dense) < 10 * min(dense):
        raise Absent("lenet_sizes lacks five sizes, the largest ten times the smallest", command)
    short = [str(widths) for widths, weights in size.items() if weights.min() > LEAST]
    if short:
        raise Absent(
            f"lenet_sizes lacks rounds to {LEAST:,} weights for {', '.join(short)}",
            f"{command} --prune.rounds 30",
        )


def _back_at(run: Results, weights: pd.Series) -> tuple[float, pd.Series]:
    """The weights left where a network is back at its dense accuracy: in the mean, and in every trial."""
    each = gain(run, VALIDATION)
    return float(weights.get(back(mean(each)), np.nan)), each.apply(back).map(weights)
