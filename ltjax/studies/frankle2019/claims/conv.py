"""C1 to C5: tickets of Conv-2, Conv-4 and Conv-6 on CIFAR-10 (paper, section 3, Figures 5, 6 and 13)."""

from ltjax.analysis.results import Study
from ltjax.claims.kinds import Measured
from ltjax.claims.statistics import (
    FINAL_TRAIN,
    STOP,
    TEST,
    at,
    best,
    by_trial,
    gain,
    mean,
    over,
    peak,
    place,
    sooner,
)
from ltjax.studies.frankle2019.convs import claim_each
from ltjax.studies.frankle2019.facts import Conv
from ltjax.studies.frankle2019.requirements import measured, need


@claim_each(
    "C1",
    figure="5",
    paper="{net.name}'s tickets reach their lowest validation loss up to {net.speed} times sooner than the "
    "dense network, at {net.fast_size} (r{net.fast}).",
    measured="In every round from the first to four after the paper's best, the early-stop step of the same "
    "trial's dense network over the ticket's; the highest mean over trials, and its round.",
    tolerance="Within 1 of the paper's factor, as an early-stop step varies by about a third from trial to "
    "trial, and within two rounds of its round, as speed-ups near the best are nearly alike.",
    quantity="times sooner than dense, at the best round",
)
def tickets_learn_faster(study: Study, net: Conv) -> Measured:
    """How much sooner the best ticket stops."""
    run = need(study, {"ticket": range(net.fast + 5)}, name=f"{net.key}_iterative")
    each = sooner(run).loc[1 : net.fast + 4]
    top = best(each)
    factor = peak(each)
    holds = abs(factor - net.speed) <= 1 and abs(top - net.fast) <= 2
    return measured(f"{factor:.2f} times sooner at {place(run, top)}", at(each, top), holds, run)


@claim_each(
    "C2",
    figure="5",
    paper="{net.name}'s tickets are up to {net.gain} points more accurate on test than the dense network, at "
    "{net.high_size} (r{net.high}).",
    measured="In every round from the first to two after the paper's best, test accuracy at the early stop "
    "less that of the same trial's dense network; the highest mean over trials.",
    tolerance="Within 1 point of the paper's: a test accuracy varies by about half a point from trial to "
    "trial. The round is told and not judged, as accuracies near the best are nearly alike.",
    quantity="points above dense, at the best round",
)
def tickets_are_more_accurate(study: Study, net: Conv) -> Measured:
    """How much more accurate the best ticket is."""
    run = need(study, {"ticket": range(net.high + 3)}, name=f"{net.key}_iterative")
    each = gain(run, TEST).loc[1 : net.high + 2]
    top = best(each)
    more = peak(each)
    return measured(f"{more:+.2f} pp at {place(run, top)}", at(each, top), abs(more - net.gain) <= 1, run)


@claim_each(
    "C3",
    figure="13",
    paper="All of {net.name}'s tickets of more than 2% of the weights are above the dense network's test "
    "accuracy, and fit their training split to 100%.",
    measured="In rounds 1 to {net.until}, test accuracy at the early stop less that of the same trial's "
    "dense network; in rounds 0 to {net.until}, training accuracy after the last step, over the whole split; "
    "means over trials.",
    tolerance="Above dense in each round, up to two rounds before 2% (r{net.above}), as means cross a level "
    "that they near slowly. At least 99% on train: Adam's step size never falls, so the last step is rarely "
    "the best one.",
    quantity="points above dense, at the lowest of those means",
)
def all_are_above_dense(study: Study, net: Conv) -> Measured:
    """Until which size tickets win."""
    run = need(study, {"ticket": range(net.until + 1)}, name=f"{net.key}_iterative")
    each = gain(run, TEST).loc[1 : net.until]
    train = 100 * mean(by_trial(run, FINAL_TRAIN)).loc[: net.until]
    low = best(-each)
    ours = f"at least {mean(each)[low]:+.2f} pp ({place(run, low)}); at least {train.min():.2f}% on train"
    return measured(ours, at(each, low), (mean(each) > 0).all() and (train >= 99).all(), run)


@claim_each(
    "C4",
    figure="5",
    paper="{net.name}'s reinitialised tickets learn ever slower as they are pruned, and lose accuracy sooner "
    "than winning tickets; Conv-2's and Conv-4's, not Conv-6's, are at first as accurate as dense or better.",
    measured="Means over trials: the early-stop step of dense, and of reinitialised tickets at r7 and "
    "r{net.small}; at r{net.small} test accuracy at the early stop less that of the same trial's dense "
    "network, of tickets and of reinitialised ones; of the latter also over rounds 1 to 3.",
    tolerance="Direction only: at r{net.small} (about 4.5%) reinitialised tickets stop later than dense and "
    "than at r7 and are below dense, while tickets are above it. As accurate as dense is down to -0.5 "
    "points, the trial's noise. Of Conv-6's first rounds nothing is asked.",
    quantity="points above dense, reinitialised at r{net.small}",
)
def reinitialised_are_worse(study: Study, net: Conv) -> Measured:
    """What is left of a ticket without its initial weights."""
    needed = {"ticket": (0, net.small), "reinit": (1, 2, 3, 7, net.small)}
    run = need(study, needed, name=f"{net.key}_controls")
    dense, stops = mean(by_trial(run, STOP))[0], mean(by_trial(run, STOP, "reinit"))
    other, last = gain(run, TEST, "reinit"), stops[net.small]
    first, ticket, each = (
        over(other, (1, 2, 3)).mean(),
        mean(gain(run, TEST))[net.small],
        at(other, net.small),
    )
    ours = (
        f"reinit stops at {stops[7]:,.0f} at r7 and {last:,.0f} at r{net.small}, dense at "
        f"{dense:,.0f}; at {place(run, net.small)} reinit {each.mean():+.2f} pp, tickets {ticket:+.2f} pp; "
        f"reinit {first:+.2f} pp in rounds 1 to 3"
    )
    holds = dense < last and stops[7] < last and each.mean() < 0 < ticket
    return measured(ours, each, holds and (first >= -0.5 or not net.steady), run)


@claim_each(
    "C5",
    figure="6",
    paper="Dropout adds {net.dropout} points to {net.name}'s dense network, and pruning up to {net.more} "
    "more; tickets still learn faster, by less than without dropout.",
    measured="Test accuracy at the early stop of the dense network with dropout less that of the same trial "
    "without; with dropout, the highest mean over trials, in rounds 1 to {net.small}, of tickets' less "
    "dense's; and the highest mean speed-up there, with and without.",
    tolerance="Both within 1 point of the paper's, as for C2. Speed-ups in direction only: above 1, and "
    "below that without dropout.",
    quantity="points that pruning adds to dropout, at the best round",
)
def dropout_and_pruning_add_up(study: Study, net: Conv) -> Measured:
    """Whether tickets are found beside another regulariser."""
    rounds = {"ticket": range(net.small + 1)}
    with_, without = (need(study, rounds, name=f"{net.key}_{kind}") for kind in ("dropout", "iterative"))
    added = 100 * (at(by_trial(with_, TEST), 0) - at(by_trial(without, TEST), 0)).mean()
    each = gain(with_, TEST).loc[1 : net.small]
    fast, plain = (peak(sooner(run).loc[1 : net.small]) for run in (with_, without))
    top, more = best(each), peak(each)
    ours = (
        f"dropout {added:+.2f} pp, pruning {more:+.2f} pp more at {place(with_, top)}; "
        f"{fast:.2f} times sooner at best, {plain:.2f} without"
    )
    close = abs(added - net.dropout) <= 1 and abs(more - net.more) <= 1
    return measured(ours, at(each, top), close and 1 < fast < plain, with_, without)
