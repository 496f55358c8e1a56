"""L7 to L9: LeNet's tickets against reinitialised and one-shot ones (paper, section 2, Figure 4).

Reinitialised tickets are averaged over their repeats within a trial, then compared with that trial's
ticket and dense network.
"""

import itertools

import numpy as np
import pandas as pd

from ltjax.analysis.results import RUN, Absent, Results, Study
from ltjax.claims.kinds import Measured, claim
from ltjax.claims.statistics import (
    STOP,
    TEST,
    at,
    at_sizes,
    by_trial,
    earlier,
    gain,
    mean,
    over,
    place,
    sizes,
)
from ltjax.studies.frankle2019.facts import LENET
from ltjax.studies.frankle2019.requirements import measured, need


@claim(
    "L7",
    network="lenet",
    figure="4a",
    paper="Reinitialised tickets stop ever later as they are pruned, and their test accuracy falls below "
    f"dense's already at {LENET.percent[7]}% (r7); that of winning tickets only at "
    f"{LENET.percent[16]}% (r16).",
    measured="Means over trials: the early-stop step of dense, and of reinitialised tickets at r7 and r15; "
    "test accuracy at the early stop less that of the same trial's dense network, of reinitialised tickets "
    "at r9 and of winning tickets in rounds 1 to 14.",
    tolerance="Within two rounds of the paper's: reinitialised below dense by r9, winning tickets not below "
    "before r15. Growth is asked for over eight rounds, dense before r7 before r15, as neighbouring rounds "
    "differ by less than the seed's noise.",
    quantity="points above dense, reinitialised at r9",
)
def reinitialised_are_worse(study: Study) -> Measured:
    """What the mask alone is worth, without the initial weights."""
    run = need(study, {"ticket": range(15), "reinit": (7, 9, 15)})
    dense, stops = mean(by_trial(run, STOP))[0], mean(by_trial(run, STOP, "reinit"))
    each, tickets = at(gain(run, TEST, "reinit"), 9), mean(gain(run, TEST)).loc[1:14]
    ours = (
        f"reinit stops at {stops[7]:,.0f} at r7 and {stops[15]:,.0f} at r15, dense at {dense:,.0f}; "
        f"reinit {each.mean():+.2f} pp at {place(run, 9)}, "
        f"tickets at least {tickets.min():+.2f} pp in rounds 1 to 14"
    )
    holds = dense < stops[7] < stops[15] and each.mean() < 0 and (tickets >= 0).all()
    return measured(ours, each, holds, run)


@claim(
    "L8",
    network="lenet",
    figure="4a",
    paper=f"At {LENET.percent[7]}% (r7) a ticket reaches its lowest validation loss "
    f"{LENET.sooner_than_reinit} times sooner than its reinitialisation and is "
    f"{LENET.above_reinit} points more accurate on test there.",
    measured="At r7, for every trial: the early-stop step of its reinitialisations over that of its ticket, "
    "and the ticket's test accuracy at the early stop less theirs; means over trials.",
    tolerance="At least 1.8 times sooner and at least 0.3 points: the smallest advantages that the seed's "
    "noise (a third of an early-stop step, 0.1 points for each network) leaves of the paper's; larger ones "
    "speak for the claim all the more.",
    quantity="times sooner than reinitialised at r7",
)
def tickets_beat_reinitialised(study: Study) -> Measured:
    """The initial weights' part in a ticket's luck."""
    run = need(study, {"ticket": (0, 7), "reinit": (7,)})
    sooner = at(by_trial(run, STOP, "reinit"), 7) / at(by_trial(run, STOP), 7)
    more = 100 * (at(by_trial(run, TEST), 7) - at(by_trial(run, TEST, "reinit"), 7))
    ours = f"{sooner.mean():.2f} times sooner and {more.mean():+.2f} pp at {place(run, 7)}"
    return measured(ours, sooner, sooner.mean() >= 1.8 and more.mean() >= 0.3, run)


@claim(
    "L9",
    network="lenet",
    figure="4c",
    paper="One-shot tickets stop earlier than dense from {} to {}% remaining and are more accurate from "
    "{} to {}%; iterative tickets are better at the smaller sizes.".format(
        *LENET.oneshot_earlier, *LENET.oneshot_better
    ),
    measured="Means over trials at every trained one-shot size strictly inside each range: the early-stop "
    "step relative to the same trial's dense network, and test accuracy there less dense's. Below 17.6%, "
    "averaged over the sizes: test accuracy and early-stop step of the iterative run, linear in the "
    "logarithm of the size between its rounds, less the one-shot run's of the same trial.",
    tolerance="Direction only, at each size inside. A size within 2% of an end counts as the end and is not "
    "judged: there the paper's own effect is nil.",
    quantity="% earlier than dense, mean of the sizes inside 67.5 to 17.6%",
)
def oneshot_tickets_are_weaker(study: Study) -> Measured:
    """What is lost by pruning at once."""
    once = need(study, {"ticket": (0, 1)}, kind="oneshot")
    slow = need(study, {"ticket": range(15)})
    size = sizes(once).sort_values(ascending=False)
    _needs_ends(size)
    fast = earlier(once).loc[_inside(size, *LENET.oneshot_earlier)]
    more = mean(gain(once, TEST)).loc[_inside(size, *LENET.oneshot_better)]
    small = _inside(size, LENET.oneshot_earlier[1], sizes(slow).min())
    better, sooner = (_against(slow, once, column, size[small]) for column in (TEST, STOP))
    ours = (
        f"earlier by {mean(fast).min():.0f} to {mean(fast).max():.0f}% inside 67.5 to 17.6%; "
        f"{more.min():+.2f} to {more.max():+.2f} pp inside 95.0 to 5.17%; "
        f"below 17.6% iterative is {100 * better:+.2f} pp and {-sooner:+,.0f} steps earlier"
    )
    holds = (mean(fast) > 0).all() and (more > 0).all() and better > 0 and sooner < 0
    return measured(ours, over(fast, fast.index), holds, once, slow)


def _inside(size: pd.Series, most: float, least: float) -> list[int]:
    """The rounds whose size lies between two ends and not at them."""
    return list(size.index[(size < most / 1.02) & (size > least * 1.02)])


def _needs_ends(size: pd.Series) -> None:
    """Both ranges must be trained to their ends, or they are not judged as the paper's."""
    ends = sorted((*LENET.oneshot_earlier, *LENET.oneshot_better), reverse=True)
    gone = [end for end in ends if not np.isclose(size, end, rtol=0.02).any()]
    inside = [_inside(size, *pair) for pair in itertools.pairwise(ends[1:])]
    if gone or not all(inside):
        told = f"sizes of {', '.join(map(str, gone))}%" if gone else "sizes between the ends of its ranges"
        raise Absent(f"the oneshot run lacks {told}", f"{RUN} lenet_oneshot")


def _against(slow: Results, once: Results, column: str, size: pd.Series) -> float:
    """Iterative less one-shot at the one-shot run's sizes, the mean over sizes and trials."""
    theirs = by_trial(once, column).loc[size.index]
    mine = at_sizes(by_trial(slow, column), sizes(slow), list(size)).set_axis(size.index)
    return float((mine - theirs).mean().mean())
