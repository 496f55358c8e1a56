"""What runs found, in a sentence each: where tickets are best, and what other arms or points do."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from ltjax.analysis.results import Results
from ltjax.claims.statistics import LOSS, STOP, by_trial, mean, sizes, test_of
from ltjax.core.texts import digits
from ltjax.lottery.arms import in_order
from ltjax.training.metrics import Shown

CALLED = {
    "ticket": "tickets",
    "reinit": "the same masks on fresh weights (reinit)",
    "random": "random masks of the same size (random)",
    "shuffle": "the same masks shuffled within each layer (shuffle)",
}
"""What an arm's networks are called in a sentence; others go by the arm's name."""


class Against(NamedTuple):
    """An arm beside the dense network, by round: means over trials of what the early stop tells."""

    stop: pd.Series
    """The early-stop step."""
    earlier: pd.Series
    """How much earlier than dense it stops, in percent of dense's step; negative is later."""
    gain: pd.Series
    """The metric on test at the early stop less dense's: of accuracy, in percentage points."""
    better: pd.Series
    """``gain`` by the metric's direction: positive is better."""


def against_dense(run: Results, arm: str = "ticket") -> Against:
    """An arm beside the dense network, round 0 of the tickets.

    Numbers are not-a-number where every lane diverged, or the dense network was not trained.
    """
    shown, test = run.metric, test_of(run)
    stop, value = mean(by_trial(run, STOP, arm)), mean(by_trial(run, test, arm))
    dense_stop, dense_value = (mean(by_trial(run, what)).get(0, np.nan) for what in (STOP, test))
    # a dense network that is best before its first step has nothing to be earlier than
    earlier = 100 * (1 - stop / (dense_stop or np.nan))
    gain = shown.factor * (value - dense_value)
    return Against(stop, earlier, gain, shown.sign * gain)


def winning_round(run: Results) -> int | None:
    """The round whose tickets stop earliest of those that are as good as dense on test and stop earlier.

    A round in which every arm was trained goes before one that lacks a control. None: there is no such round.
    """
    tickets = against_dense(run)
    wins = tickets.earlier[(tickets.better >= 0) & (tickets.earlier > 0)].drop(0, errors="ignore")
    whole = [round for round in wins.index if run.arms <= set(_arms(run, round))]
    wins = wins.loc[whole] if whole else wins
    return None if wins.empty else int(wins.index[int(wins.argmax())])


def finding(run: Results) -> str:
    """What a run found, as a sentence with its numbers; says as plainly where it found nothing.

    Args:
        run: a run, or a point of a swept one, whose dense network has been trained; or the ticket of another
            run, where round 0 was given one.

    Example:
        At 49.1% of the weights tickets stop 28% earlier than the dense network (at step 116, not 160) and
        are 0.64 points more accurate on test; the same masks on fresh weights (reinit) stop at step 268 and
        are 0.65 points less accurate than the tickets (means of 5 trials). Of a run whose metric is not
        accuracy: … and are 0.012 higher in r2 on test; … and are 0.31 higher (worse) in perplexity … Where a
        scheme learns masks: Under the scheme supermask tickets keep 41.3% of the weights and are 89.80%
        accurate on test; …
    """
    if not run.experiment.trains_weights:
        return _learned(run)
    tickets, first = against_dense(run), _first(run)
    dense = tickets.stop.get(0, np.nan)
    if 0 not in tickets.stop.index:
        return f"T{first[1:]} was not trained, so there is nothing to compare with."
    if np.isnan(dense):
        return f"The loss of {first} became non-finite, so there is nothing to compare with."
    if len(tickets.stop) == 1:
        said = f"T{first[1:]} stops at step {dense:,.0f}, {_value(run.metric, _test(run, 0))} on test"
        if run.experiment.ticket is None:
            return f"{said}; nothing is pruned yet."
        return f"{'; '.join([said, *_controls(run, 0)])} ({_means(run)})."
    round = winning_round(run)
    if round is None:
        return f"{_no_winner(run, tickets)} ({_means(run)})."
    step = f"(at step {tickets.stop[round]:,.0f}, not {dense:,.0f})"
    said = (
        f"At {sizes(run)[round]:.1f}% of the weights tickets stop {tickets.earlier[round]:.0f}% earlier than "
        f"{first} {step} and are {_points(run.metric, tickets.gain[round], _test(run, 0))} on test"
    )
    return f"{'; '.join([said, *_controls(run, round)])} ({_means(run)})."


def _learned(run: Results) -> str:
    """What a scheme's networks came to, at the size of their lowest validation loss."""
    scheme, best = run.experiment.scheme.name, _peak(run)
    if best is None:
        return f"Under the scheme {scheme} every ticket's loss became non-finite."
    several = run.rows()["round"].nunique() > 1
    said = (
        f"Under the scheme {scheme} tickets keep {best.percent:.1f}% of the weights and "
        f"{_has(run.metric, best.test)} on test{', the best of their sizes by validation' * several}"
    )
    return f"{'; '.join([said, *_controls(run, best.round)])} ({_means(run)})."


def _first(run: Results) -> str:
    """What round 0 trains, and later rounds are compared with."""
    given = run.experiment.ticket
    return "the dense network" if given is None else f"the ticket of {given}"


class Peak(NamedTuple):
    """A point of a sweep at the size of its lowest validation loss; means over trials, at the early stop."""

    point: str
    round: int
    percent: float
    """How much is left there, in percent of the weights."""
    loss: float
    """The validation loss, by which points and sizes are chosen: test data choose nothing."""
    test: float
    """The metric on test: of accuracy, in percent."""


def swept_finding(runs: Sequence[Results]) -> str:
    """Which point of a sweep is best on validation, as a sentence with the numbers on test.

    Args:
        runs: two points or more.

    Example:
        Of 3 points learning_rate=0.0012 has the lowest validation loss: its tickets are 98.20% accurate on
        test at 21.1% of the weights; those of the next, learning_rate=0.0006, are 0.10 points less accurate
        (at 41.1%), and of the last, learning_rate=0.06, 5.20 points less accurate (at 80.0%), each at the
        size of its lowest loss (means of 5 trials).
    """
    if len(names := {run.metric.called: None for run in runs}) > 1:
        return f"The {len(runs)} points have different metrics ({', '.join(names)}) and are not compared."
    if any(run.experiment.loss != runs[0].experiment.loss for run in runs):
        return f"The {len(runs)} points minimise different losses, by which they are not compared."
    found, shown = peaks(runs), runs[0].metric
    if not found:
        return f"At none of {len(runs)} points do tickets have a finite loss."
    first, *others = found
    lost = len(runs) - len(found)
    said = [
        f"Of {len(runs)} points {first.point} has the lowest validation loss: its tickets "
        f"{_has(shown, first.test)} on test at {first.percent:.1f}% of the weights",
        *([_behind(shown, first, others)] if others else []),
        *([f"{lost} {'has' if lost == 1 else 'have'} no finite loss"] if lost else []),
    ]
    return f"{'; '.join(said)} ({_means(runs[0])})."


def peaks(runs: Sequence[Results]) -> list[Peak]:
    """Each point at its lowest validation loss, the best first; those without a finite loss are left out."""
    found = [peak for peak in map(_peak, runs) if peak is not None]
    return sorted(found, key=lambda peak: peak.loss)


def _peak(run: Results) -> Peak | None:
    """A point's pruned size of the lowest loss, or its dense network where nothing is pruned yet."""
    loss = mean(by_trial(run, LOSS))
    pruned = loss.drop(0, errors="ignore")
    loss = (pruned if len(pruned) else loss).dropna()
    if loss.empty:
        return None
    round = int(loss.index[int(loss.argmin())])
    return Peak(run.point, round, float(sizes(run)[round]), float(loss[round]), _test(run, round))


def _test(run: Results, round: int, arm: str = "ticket") -> float:
    """The mean metric on test of an arm's round, at the early stop: of accuracy, in percent."""
    return run.metric.factor * float(mean(by_trial(run, test_of(run), arm))[round])


def _behind(shown: Shown, first: Peak, others: Sequence[Peak]) -> str:
    """The next best point, and the last, beside the best."""
    (second, *rest) = others
    said = f"those of the next, {second.point}, are {_beside(shown, second, first)}"
    if rest:
        said += f", and of the last, {rest[-1].point}, {_beside(shown, rest[-1], first)}"
    return f"{said}, each at the size of its lowest loss"


def _beside(shown: Shown, peak: Peak, first: Peak) -> str:
    return f"{_points(shown, peak.test - first.test, first.test)} (at {peak.percent:.1f}%)"


def _no_winner(run: Results, tickets: Against) -> str:
    later, shown, dense = tickets.better.drop(0), run.metric, _test(run, 0)
    if later.isna().all():
        return "Every ticket's loss became non-finite"
    good, size = later[later >= 0], sizes(run)
    best = int(later.index[int(later.fillna(-np.inf).argmax())])
    if good.empty:
        gained = _points(shown, tickets.gain[best], dense)
        how = f"{_stops(tickets.earlier[best])} than {_first(run)} and are {gained}"
        return f"No size has winning tickets: at {size[best]:.1f}% of the weights, the best, they {how}"
    least = size[good.index].min()
    return (
        f"Tickets are at least as {_good(shown)} as {_first(run)} down to {least:.1f}% of the weights "
        f"(at {size[best]:.1f}% {_points(shown, tickets.gain[best], dense)} on test), but stop no earlier"
    )


def _controls(run: Results, round: int) -> list[str]:
    """The other arms of a round."""
    return [_control(run, arm, round) for arm in _arms(run, round) if arm != "ticket"]


def _control(run: Results, arm: str, round: int) -> str:
    """Another arm of a round, beside the tickets of that round."""
    stop, value = mean(by_trial(run, STOP, arm))[round], mean(by_trial(run, test_of(run), arm))[round]
    called = CALLED.get(arm, arm)
    if np.isnan(value):
        return f"{called} have no finite loss"
    gain = run.metric.factor * (value - mean(by_trial(run, test_of(run)))[round])
    said = _points(run.metric, gain, _test(run, round))
    return f"{called} stop at step {stop:,.0f} and are {said} than the tickets"


def _stops(earlier: float) -> str:
    return f"stop {abs(earlier):.0f}% {'earlier' if earlier > 0 else 'later'}"


def _points(shown: Shown, gain: float, of: float) -> str:
    """By how much a value differs from another one, ``of``, in words that "than" may follow."""
    if shown == Shown():
        how = f"{abs(gain):.2f} points {'more' if gain > 0 else 'less'}"
        return f"{'no more' if abs(gain) < 0.005 else how} accurate"
    if shown.told(of) == shown.told(of + gain):
        return f"no {'better' if shown.sign > 0 else 'lower'} in {shown.called}"
    far = f"{abs(gain):.2f} points" if shown.percent else digits(abs(gain), 2)
    turned = "" if shown.higher_is_better else " (worse)" if gain > 0 else " (better)"
    return f"{far} {'higher' if gain > 0 else 'lower'}{turned} in {shown.called}"


def _value(shown: Shown, value: float) -> str:
    """A value in words."""
    told = shown.told(value) + "%" * shown.percent
    return told if shown == Shown() else f"with {shown.called} {told}"


def _has(shown: Shown, value: float) -> str:
    """What networks of a value are or have."""
    told = shown.told(value) + "%" * shown.percent
    return f"are {told} accurate" if shown == Shown() else f"have {shown.called} {told}"


def _good(shown: Shown) -> str:
    return "accurate" if shown == Shown() else f"good in {shown.called}"


def _means(run: Results) -> str:
    trials = run.rows()["trial"].nunique()
    return f"means of {trials} trials" if trials > 1 else "one trial"


def _arms(run: Results, round: int) -> list[str]:
    return in_order(run.summary.loc[run.summary["round"] == round, "arm"].unique())
