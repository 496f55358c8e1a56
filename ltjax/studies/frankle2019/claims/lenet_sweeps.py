"""L10 to L14: how LeNet's tickets bear other settings (paper, Appendix G, Figures 26 to 30).

As in the appendix, accuracies are on validation, at the early stop, and each point has three trials.
"""

import numpy as np
import pandas as pd

from ltjax.analysis.results import RUN, VALIDATION, Absent, Results, Study
from ltjax.claims.kinds import Measured, claim
from ltjax.claims.statistics import STOP, at, at_sizes, best, by_trial, earlier, gain, mean, over, sizes
from ltjax.studies.frankle2019.facts import LENET
from ltjax.studies.frankle2019.requirements import measured, need, points

RATE = "train.learning_rate"
LARGE = range(11)
"""Rounds 0 to 10, to 10.8%: where every setting's tickets still learn, and averages are taken."""


def _accuracy(run: Results) -> pd.Series:
    """Mean validation accuracy at the early stop over rounds 0 to 10, in percent, for every trial."""
    return 100 * over(by_trial(run, VALIDATION), LARGE)


def _stop(run: Results) -> float:
    """Mean early-stop step over rounds 0 to 10 and over trials."""
    return float(over(by_trial(run, STOP), LARGE).mean())


def _best_gain(run: Results) -> float:
    """The highest mean gain over dense of rounds 1 to 10, in points of validation accuracy."""
    return float(mean(gain(run, VALIDATION)).loc[1:10].max())


@claim(
    "L10",
    network="lenet",
    figure="26",
    paper="With Adam, learning rates of 2e-4 to 2e-3 give similar accuracy, 1.2e-3 and 2e-3 learn fastest; "
    "2.5e-5 and 6.4e-3 do not reach their lowest validation loss, yet gain accuracy by pruning.",
    measured="Validation accuracy at the early stop and early-stop step, each averaged over rounds 0 to 10 "
    "and trials, of 2e-4, 8e-4, 1.2e-3 and 2e-3; for 2.5e-5 how late in training dense's early stop lies; "
    "for 2.5e-5 and 6.4e-3 the highest mean gain over dense of rounds 1 to 10.",
    tolerance="Similar: within 0.3 points, the size of the effects that the paper reports. Fastest: both "
    "stop earlier than 2e-4 and 8e-4. Not reached: early stop in the last tenth of training; 6.4e-3 is "
    "judged on accuracy alone, since every run has a minimum afterwards and the paper gives no rule for "
    "missing it. Gains of at least 0.1 points, the seed's noise.",
    quantity="points between the most and the least accurate of 2e-4 to 2e-3",
)
def adam_rates(study: Study) -> Measured:
    """How wide the choice of Adam's learning rate is."""
    alike, short = LENET.adam_alike, LENET.adam_short
    runs = points(study, RATE, "lenet_adam_rates", 10, values=(short[0], *alike, short[1]))
    each = pd.DataFrame({rate: _accuracy(runs[rate]) for rate in alike})
    spread, stop = np.ptp(each.mean()), {rate: _stop(runs[rate]) for rate in alike}
    late = mean(by_trial(runs[short[0]], STOP))[0] / runs[short[0]].experiment.train.steps
    gains = [_best_gain(runs[rate]) for rate in short]
    ours = (
        f"within {spread:.2f} pp; stops "
        + ", ".join(f"{rate:g} at {step:,.0f}" for rate, step in stop.items())
        + f"; 2.5e-5 stops after {100 * late:.0f}% of training; gains {gains[0]:+.2f} and {gains[1]:+.2f} pp"
    )
    fastest = max(stop[rate] for rate in alike[2:]) < min(stop[rate] for rate in alike[:2])
    holds = spread <= 0.3 and fastest and late >= 0.9 and np.min(gains) >= 0.1
    return measured(ours, each.max(axis=1) - each.min(axis=1), holds, *runs.values())


@claim(
    "L11",
    network="lenet",
    figure="27",
    paper="SGD at 0.4 and 0.8 stops about as early as Adam at its best, and its tickets hold dense's "
    "accuracy to below 1% of the size; Adam's to about 3.6%.",
    measured="The early-stop step averaged over rounds 0 to 10 and trials, SGD's over Adam's at 1.2e-3; and "
    "validation accuracy at the early stop less that of the same trial's dense network, SGD's at r19 (1.5%) "
    "and Adam's at r17 (2.3%).",
    tolerance="Alike: a ratio of 2/3 to 3/2, the third by which a trial's early-stop step varies. Held: "
    "sizes to two rounds, so SGD not below dense at r19 (1% is r21) and Adam below by r17 (3.6% is r15); "
    "not below is down to -0.1 points, the seed's noise.",
    quantity="points above dense at r19, mean of SGD's two rates",
)
def sgd_rates(study: Study) -> Measured:
    """Sparser tickets by plain SGD."""
    adam = need(study, {"ticket": range(18)}, curves=True)
    runs = points(study, RATE, "lenet_sgd_rates", 19, values=LENET.sgd_rates)
    chosen = {rate: runs[rate] for rate in LENET.sgd_rates}
    ratios = [_stop(run) / _stop(adam) for run in chosen.values()]
    held = pd.DataFrame({rate: at(gain(run, VALIDATION), 19) for rate, run in chosen.items()})
    lost = mean(gain(adam, VALIDATION))[17]
    ours = (
        f"SGD at 0.4 and 0.8 stops at {ratios[0]:.2f} and {ratios[1]:.2f} of Adam's step; "
        + " and ".join(f"{held[rate].mean():+.2f}" for rate in LENET.sgd_rates)
        + f" pp at r19, Adam {lost:+.2f} pp at r17"
    )
    holds = all(2 / 3 <= ratio <= 3 / 2 for ratio in ratios) and (held.mean() >= -0.1).all() and lost < 0
    return measured(ours, held.mean(axis=1), holds, adam, *chosen.values())


@claim(
    "L12",
    network="lenet",
    figure="28",
    paper="With momentum 0.9, learning rates of 0.025 to 0.1 are best; 0.025 has the most accurate dense "
    "network, and pruning never improves on it.",
    measured="Validation accuracy at the early stop: averaged over rounds 0 to 10 and trials, that of "
    "0.025, 0.05 and 0.1 together against each other rate's; of the dense networks; and 0.025's highest "
    "mean gain over dense of rounds 1 to 10.",
    tolerance="Best: their mean is above every other rate's. Most accurate and no gain: to within 0.1 "
    "points, the seed's noise, and with it that of the best of ten rounds.",
    quantity="points above dense at 0.025, at its best round",
)
def momentum_rates(study: Study) -> Measured:
    """Where tickets are not better than a well trained dense network."""
    good = list(LENET.momentum_best)
    runs = points(study, RATE, "lenet_momentum_rates", 10, values=LENET.momentum_rates)
    level = pd.Series({rate: _accuracy(run).mean() for rate, run in runs.items()})
    dense = pd.Series({rate: 100 * at(by_trial(run, VALIDATION), 0).mean() for rate, run in runs.items()})
    gains = gain(runs[good[0]], VALIDATION).loc[1:10]
    top, rest = level.loc[good].mean(skipna=False), level.drop(good).max()  # a rate that diverges is no best
    ours = (
        f"0.025 to 0.1 at {top:.2f}%, the best other at {rest:.2f}%; "
        f"dense {dense[good[0]]:.2f}% at 0.025, at most {dense.max():.2f}%; "
        f"pruning gains {mean(gains).max():+.2f} pp at 0.025"
    )
    holds = top > rest and dense[good[0]] >= dense.max() - 0.1 and mean(gains).max() <= 0.1
    return measured(ours, at(gains, best(gains)), holds, *runs.values())


@claim(
    "L13",
    network="lenet",
    figure="29",
    paper="Pruning 10 or 20% a round clearly beats pruning 40% a round or more.",
    measured="At every size of 40, 60 and 80% a round between 20 and 2% remaining: validation accuracy at "
    "the early stop and early-stop step of 10 and of 20% a round, linear in the logarithm of the size "
    "between their rounds, less the coarse rate's of the same trial; means over sizes and trials, for each "
    "of the six pairs.",
    tolerance="Direction only: more accurate in each of the six pairs, which is how 'clearly' is read, and "
    "earlier in their mean.",
    quantity="points above the coarse rates, mean of the six pairs",
)
def pruning_rates(study: Study) -> Measured:
    """What a gentle schedule is worth."""
    runs = points(study, "prune.rates.fc", "lenet_pruning_rates", 0, values=LENET.pruning_rates)
    rest = [rate for rate in LENET.pruning_rates if rate not in LENET.gentle]
    pairs = [(runs[fine], runs[coarse]) for fine in LENET.gentle for coarse in rest]
    more = pd.DataFrame([100 * _against(fine, coarse, VALIDATION) for fine, coarse in pairs])
    later = pd.DataFrame([_against(fine, coarse, STOP) for fine, coarse in pairs])
    ours = (
        f"{mean(more).min():+.2f} to {mean(more).max():+.2f} pp over the six pairs, "
        f"{-mean(later).mean():+,.0f} steps earlier"
    )
    return measured(ours, more.mean(), (mean(more) > 0).all() and mean(later).mean() < 0, *runs.values())


def _against(fine: Results, coarse: Results, column: str) -> pd.Series:
    """A column of the finely pruned run less the coarse one's, at the latter's sizes, for every trial."""
    size = sizes(coarse)
    size = size[(size < 20.5) & (size > 2)]
    if sizes(fine).min() > 2.1 or sizes(coarse).min() > 4.2:  # 80% a round goes from 20.1 to 4.1%
        raise Absent("lenet_pruning_rates lacks its smaller sizes", f"{RUN} lenet_pruning_rates")
    mine = at_sizes(by_trial(fine, column), sizes(fine), list(size)).set_axis(size.index)
    return (mine - by_trial(coarse, column).loc[size.index]).mean()


@claim(
    "L14",
    network="lenet",
    figure="30",
    paper="The pattern, earlier and more accurate when pruned, is there at every width of the initial "
    "Gaussian; 0.1 is about as good as Glorot's.",
    measured="For every σ, means over trials and rounds 3 to 10: the early-stop step and validation "
    "accuracy there against the same trial's dense network; and validation accuracy and early-stop step of "
    "σ = 0.1 and of Glorot, averaged over rounds 0 to 10.",
    tolerance="The pattern in direction only. About as good: within 0.2 points and a ratio of 2/3 to 3/2, "
    "the noise of the difference of two such means of three trials.",
    quantity="points by which σ = 0.1 is above Glorot",
)
def initial_widths(study: Study) -> Measured:
    """Whether tickets need Glorot's initialisation."""
    runs = points(study, "model.init_std", "lenet_init_scales", 10, values=LENET.init_stds)
    speed = pd.Series({str(std): over(earlier(run), range(3, 11)).mean() for std, run in runs.items()})
    gains = pd.Series(
        {str(std): over(gain(run, VALIDATION), range(3, 11)).mean() for std, run in runs.items()}
    )
    each, ratio = _accuracy(runs[0.1]) - _accuracy(runs[None]), _stop(runs[0.1]) / _stop(runs[None])
    ours = (
        f"{speed.min():.0f} to {speed.max():.0f}% earlier and {gains.min():+.2f} to {gains.max():+.2f} pp "
        f"over all widths; "
        f"σ = 0.1 is {each.mean():+.2f} pp from Glorot and stops at {ratio:.2f} of its step"
    )
    alike = abs(each.mean()) <= 0.2 and 2 / 3 <= ratio <= 3 / 2
    return measured(ours, each, alike and (speed > 0).all() and (gains > 0).all(), *runs.values())
