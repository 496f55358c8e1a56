"""C11 and C12: dropout, and pruning some layers only, in Conv-2, Conv-4 and Conv-6 (Appendices H.5, H.6)."""

from ltjax.analysis.results import RUN, VALIDATION, Absent, Results, Study
from ltjax.claims.kinds import Measured, claim
from ltjax.claims.statistics import TEST, at, best, by_trial, earlier, gain, mean, over, peak, place, sooner
from ltjax.studies.frankle2019.convs import claim_each
from ltjax.studies.frankle2019.facts import CONVS, Conv
from ltjax.studies.frankle2019.requirements import measured, need, points

SEEN = range(3, 11)
"""The rounds over which layers are compared: past the first, and with most of the effect before them."""

KINDS = ("prune.rates.conv", "prune.rates.fc", "prune.rates.output")
"""What tells the points of the sweep over layers apart."""

FAILS, TRAINS = 20, 40
"""Percent: twice what guessing gets, and four times that."""


@claim(
    "C11-conv2",
    network="conv2",
    figure="36",
    paper="With dropout and Adam at 1e-4, Conv-2 fails to train until it is pruned past 26.5% (r6).",
    measured="Validation accuracy at the early stop, means over trials: the highest of rounds 0 to 4, "
    "and the lowest of rounds 8 to 11.",
    tolerance="Within two rounds of the paper's. The paper does not say what failing is: here, up to 20%, "
    "twice what guessing gets; training is at least 40%.",
    quantity="% on validation at r8",
)
def low_rate_needs_pruning(study: Study) -> Measured:
    """A network that only learns when it is sparse."""
    run = points(study, "train.learning_rate", "conv2_dropout_rates", 11, values=(1e-4,))[1e-4]
    each = 100 * by_trial(run, VALIDATION)
    before, after = mean(each).loc[:4], mean(each).loc[8:11]
    ours = f"at most {before.max():.1f}% in rounds 0 to 4, at least {after.min():.1f}% in rounds 8 to 11"
    return measured(ours, at(each, 8), (before <= FAILS).all() and (after >= TRAINS).all(), run)


def _enter(net: Conv) -> None:
    assert net.dropout_validation is not None
    added, more, top, speed = net.dropout_validation

    def measure(study: Study) -> Measured:
        """What dropout and pruning add on validation."""
        return _dropout(study, net, added, more, speed)

    claim(
        f"C11-{net.key}",
        network=net.key,
        figure="36",
        paper=f"On validation dropout adds {added} points to {net.name}'s dense network, pruning {more} more "
        f"({top}), and tickets stop up to {speed} times sooner.",
        measured="As for C5 with validation accuracy, in rounds 1 to 15, on the same runs: dropout's at 2e-4 "
        "and those without at 3e-4.",
        tolerance="Both gains within 1 point, as for C5; the speed-up within a ratio of 2/3 to 3/2, the "
        "third by which an early-stop step varies.",
        quantity="points that pruning adds to dropout, at the best round",
    )(measure)


def _dropout(study: Study, net: Conv, added: float, more: float, speed: float) -> Measured:
    last = 15
    run = need(study, {"ticket": range(last + 1)}, name=f"{net.key}_dropout", curves=True)
    plain = need(study, {"ticket": (0,)}, name=f"{net.key}_iterative", curves=True)
    first = 100 * (at(by_trial(run, VALIDATION), 0) - at(by_trial(plain, VALIDATION), 0)).mean()
    each = gain(run, VALIDATION).loc[1:last]
    top, then, fast = best(each), peak(each), peak(sooner(run).loc[1:last])
    ours = (
        f"dropout {first:+.2f} pp, pruning {then:+.2f} pp more at {place(run, top)}; "
        f"{fast:.2f} times sooner at best"
    )
    holds = abs(first - added) <= 1 and abs(then - more) <= 1 and 2 / 3 <= fast / speed <= 3 / 2
    return measured(ours, at(each, top), holds, run, plain)


for _net in CONVS:
    if _net.dropout_validation is not None:
        _enter(_net)


@claim_each(
    "C12",
    figure="37",
    paper="{net.name} with only its convolutions pruned is more accurate and learns faster; with only its "
    "fully-connected layers pruned it is generally worse.",
    measured="Over rounds 3 to 10 and over trials: test accuracy at the early stop, and the early-stop step, "
    "with only convolutions pruned, against the same trial's dense network and against only the other "
    "layers pruned.",
    tolerance="Direction only, all four. Against each other by round, as a round takes the paper's share of "
    "what it prunes: at equal numbers of weights the two hardly meet where most weights are fully-connected.",
    quantity="points by which pruning convolutions is above pruning the rest",
)
def convolutions_are_better_pruned(study: Study, net: Conv) -> Measured:
    """Which layers' pruning makes a ticket better."""
    conv, rest = (_only(study, net, pruned) for pruned in ("conv", "fc"))
    fast, more = over(earlier(conv), SEEN), over(gain(conv, TEST), SEEN)
    each = 100 * over(by_trial(conv, TEST) - by_trial(rest, TEST), SEEN)
    ahead = (fast - over(earlier(rest), SEEN)).mean()
    ours = (
        f"only convolutions {fast.mean():.0f}% earlier and {more.mean():+.2f} pp against dense, "
        f"{ahead:.0f}% of dense's step earlier and {each.mean():+.2f} pp against only the rest"
    )
    # not min(): of a not-a-number among others it may make a number
    holds = fast.mean() > 0 and more.mean() > 0 and ahead > 0 and each.mean() > 0
    return measured(ours, each, holds, conv, rest)


def _only(study: Study, net: Conv, pruned: str) -> Results:
    """The point of the sweep over layers that prunes convolutions alone, or the other layers alone."""
    found = points(study, KINDS, f"{net.key}_layers", SEEN[-1])
    for (conv, fc, _), run in found.items():
        if (conv is not None, fc is not None) == (pruned == "conv", pruned == "fc"):
            return run
    raise Absent(f"{net.key}_layers lacks the point of {pruned} alone", f"{RUN} {net.key}_layers")
