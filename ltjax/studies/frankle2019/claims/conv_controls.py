"""C13, B1 and X1: random sparsity, continued training, and the size of winning tickets (Appendices B, E)."""

import pandas as pd

from ltjax.analysis.results import Absent, Results, Study
from ltjax.claims.kinds import Measured, claim
from ltjax.claims.statistics import FINAL, TEST, at, by_trial, earlier, gain, mean, over, place
from ltjax.studies.frankle2019.claims.lenet_appendix import against_continued
from ltjax.studies.frankle2019.convs import claim_each
from ltjax.studies.frankle2019.facts import CONVS, LENET, Conv, LeNet
from ltjax.studies.frankle2019.requirements import measured, need


@claim_each(
    "C13",
    figure="14",
    paper="{net.name}'s reinitialised tickets end no more and no less accurate than random sparse networks "
    "of as many weights.",
    measured="Test accuracy after the last step, repeats averaged within a trial: reinitialised less random "
    "sparsity of the same trial, its mean over rounds 7, 11 and {net.small} and over trials.",
    tolerance="Within 0.5 points: the paper sees no significant difference and gives no number, and this is "
    "how much a single accuracy varies with the seed.",
    quantity="points by which reinitialised is above random",
)
def masks_are_worth_nothing(study: Study, net: Conv) -> Measured:
    """Whether the pattern of connections is worth something by itself, as it is in LeNet."""
    rounds = [7, 11, net.small]
    needed = {"ticket": (0,), "reinit": rounds, "random": rounds}
    run = need(study, needed, name=f"{net.key}_controls")
    each = over(100 * (by_trial(run, FINAL, "reinit") - by_trial(run, FINAL, "random")), rounds)
    return measured(f"{each.mean():+.2f} pp", each, abs(each.mean()) <= 0.5, run)


@claim_each(
    "B1",
    figure="10",
    paper="At small sizes, {net.name}'s tickets found by rewinding in every round are more accurate and stop "
    "earlier than those found by continued training, rewound only at the end.",
    measured="In the seven rounds to r{net.small} (about 4.5%): validation accuracy at the early stop, and "
    "the early-stop step, of rewinding's tickets against those of continued training's in the same trial "
    "and round; means over rounds and trials.",
    tolerance="More than 0.2 points, about twice the standard error of a mean of 35 differences of "
    "accuracies that vary by half a point, and earlier by any amount: the paper gives a direction only.",
    quantity="points by which rewinding is above continued training",
)
def rewinding_beats_continued_training(study: Study, net: Conv) -> Measured:
    """Strategy 1 against Strategy 2."""
    needed, rounds = {"ticket": range(net.small + 1)}, range(net.small - 6, net.small + 1)
    one, two = (need(study, needed, name=f"{net.key}_{kind}", curves=True)
                for kind in ("iterative", "continued"))  # fmt: skip
    return against_continued(one, two, rounds, 0.2)


@claim(
    "X1",
    figure="1",
    paper="There are consistently winning tickets of less than 10 to 20% of the size, of fully-connected and "
    "of convolutional networks.",
    measured="At the first size of at most 20%, of LeNet and of as many of Conv-2, Conv-4 and Conv-6 as were "
    "run: the early-stop step, and test accuracy there, against the same trial's dense network.",
    tolerance="Direction only, for each network: no later than dense and at least as accurate, in the mean "
    "over trials. One size is judged, so that no lucky one is picked; it takes LeNet and at least one of the "
    "others to speak of both kinds.",
    quantity="points above dense, mean of the networks",
)
def tickets_are_small(study: Study) -> Measured:
    """The abstract's claim."""
    runs: dict[LeNet | Conv, Results] = {LENET: _small(study, LENET), **_convolutional(study)}
    speed = {net.key: mean(earlier(run))[net.at_most] for net, run in runs.items()}
    more = {net.key: at(gain(run, TEST), net.at_most) for net, run in runs.items()}
    ours = "; ".join(
        f"{net.name} at {place(run, net.at_most)} {speed[net.key]:.0f}% earlier and "
        f"{more[net.key].mean():+.2f} pp"
        for net, run in runs.items()
    )
    holds = all(speed[key] >= 0 and more[key].mean() >= 0 for key in speed)
    return measured(ours, pd.DataFrame(more).mean(axis=1), holds, *runs.values())


def _small(study: Study, net: LeNet | Conv) -> Results:
    name = "" if net is LENET else f"{net.key}_iterative"
    return need(study, {"ticket": range(net.at_most + 1)}, name=name)


def _convolutional(study: Study) -> dict[LeNet | Conv, Results]:
    """The runs of convolutional networks that are there.

    Raises:
        Absent: there is none.
    """
    found: dict[LeNet | Conv, Results] = {}
    absent = []
    for net in CONVS:
        try:
            found[net] = _small(study, net)
        except Absent as lack:
            absent.append(lack)
    if not found:
        raise absent[0]
    return found
