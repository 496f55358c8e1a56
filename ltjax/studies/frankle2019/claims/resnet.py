"""R1 to R4: Resnet-18 on CIFAR-10 (paper, section 4 and Appendix I.1, Figures 8 and 39).

A round takes 20% of all convolutions: r4 is 41.7% remaining, r6 27.1%, r7 21.9%, r8 17.8% and r10 11.8%.
"""

from ltjax.analysis.results import Study
from ltjax.claims.kinds import Measured, claim
from ltjax.claims.statistics import FINAL, at, best, by_trial, gain, mean, peak, place
from ltjax.studies.frankle2019.claims.deep import EQUAL, LEAST, against_other, against_reinit, dense, until
from ltjax.studies.frankle2019.facts import DEEP, HIGH_RATE_DENSE, LOW_RATE_BEST, RESNET18, VGG19
from ltjax.studies.frankle2019.requirements import measured, need


@claim(
    "R1",
    network="resnet18",
    figure="8",
    paper="At learning rate 0.1 Resnet-18 has no winning tickets: pruned networks do no better than when "
    "they are reinitialised.",
    measured="Test accuracy at the end, means over trials: of tickets less their reinitialisations' over r6, "
    "r8 and r10; and of tickets at r10 less that of the same trial's dense network.",
    tolerance="As for V1: no better is up to 0.5 points, no winning tickets is below -0.5. That no length of "
    "warmup finds any at 0.1, as the paper adds, is not looked at.",
    quantity="points above reinitialised, mean of r6, r8 and r10",
)
def no_tickets_at_high_rates(study: Study) -> Measured:
    """Whether iterative pruning finds anything at the usual learning rate."""
    rounds = RESNET18.shown
    run = need(study, {"ticket": (0, *rounds), "reinit": rounds}, name="resnet18_lr01")
    each, below = against_reinit(run, rounds), mean(gain(run, FINAL))[10]
    ours = f"{each.mean():+.2f} pp against reinit; {below:+.2f} pp against dense at {place(run, 10)}"
    return measured(ours, each, each.mean() <= -LEAST and below < LEAST, run)


@claim(
    "R2",
    network="resnet18",
    figure="8",
    paper=f"At learning rate 0.01 the best tickets of Resnet-18 get to {LOW_RATE_BEST}%, from "
    f"{RESNET18.percent[4]} to {RESNET18.percent[7]}% remaining (r4 to r7), below the {HIGH_RATE_DENSE}% of "
    "the dense network at 0.1.",
    measured="Test accuracy at the end, means over trials: of tickets at 0.01 at the best of rounds 4 to 7, "
    "and of the dense network at 0.1.",
    tolerance="Within 1 point of the paper's for either, as the paper leaves open how inputs were normalised "
    "and how many trials there were; and the ticket below the dense network.",
    quantity="% on test at 0.01, at the best round",
)
def low_rates_cost_accuracy(study: Study) -> Measured:
    """What a low learning rate costs, whatever is pruned."""
    run = need(study, {"ticket": range(4, 8)}, name="resnet18_lr001")
    high = need(study, {"ticket": (0,)}, name="resnet18_lr01")
    each = 100 * by_trial(run, FINAL).loc[4:7]
    top, ours, most = best(each), peak(each), dense(high).mean()
    told = f"{ours:.2f}% at {place(run, top)}; dense at 0.1 {most:.2f}%"
    holds = abs(ours - LOW_RATE_BEST) <= 1 and abs(most - HIGH_RATE_DENSE) <= 1 and ours < most
    return measured(told, at(each, top), holds, run, high)


@claim(
    "R3",
    network="resnet18",
    figure="8",
    paper=f"At learning rate 0.03 with warmup over {RESNET18.warmup:,} steps Resnet-18 gets to "
    f"{HIGH_RATE_DENSE}% at {RESNET18.percent[6]}% remaining (r6), and has winning tickets down to "
    f"{RESNET18.percent[10]}% (r{RESNET18.last}).",
    measured="Test accuracy at the end at r6, mean over trials; and the last round up to which all tickets "
    "are in the mean at least as accurate as the same trial's dense network with warmup.",
    tolerance=f"Within 1 point of the paper's, as for R2. At least as accurate is {EQUAL}; up to at least "
    "r8, two rounds before the paper's.",
    quantity="% on test at r6",
)
def warmup_finds_tickets(study: Study) -> Measured:
    """How a residual network gets its tickets back."""
    run = need(study, {"ticket": range(11)}, name="resnet18_warmup")
    each, last = 100 * at(by_trial(run, FINAL), 6), until(run, RESNET18.last)
    ours = f"{each.mean():.2f}% at {place(run, 6)}; tickets down to {place(run, last)}"
    return measured(ours, each, abs(each.mean() - HIGH_RATE_DENSE) <= 1 and last >= RESNET18.last - 2, run)


@claim(
    "R4-resnet18",
    network="resnet18",
    figure="39",
    paper="Resnet-18 pruned globally is more accurate at small sizes than pruned layer by layer.",
    measured="With warmup, test accuracy at the end: tickets pruned globally less those pruned layer by "
    "layer of the same trial and round, mean of rounds 8, 10 and 12 and of trials.",
    tolerance="Direction only: the paper gives no number.",
    quantity="points by which global is above layer by layer",
)
def global_pruning_is_better(study: Study) -> Measured:
    """Whether layers should compete."""
    whole, layered = (need(study, {"ticket": RESNET18.sparse}, name=f"resnet18_warmup{how}")
                      for how in ("", "_layerwise"))  # fmt: skip
    each = against_other(whole, layered, RESNET18.sparse)
    return measured(f"{each.mean():+.2f} pp", each, each.mean() > 0, whole, layered)


@claim(
    "R4-margin",
    network="resnet18",
    figure="39",
    paper="Global pruning is ahead of layer-wise by less in Resnet-18 than in VGG-19.",
    measured="As for R4-resnet18, and for VGG-19 over rounds 12, 15 and 19: the means over trials.",
    tolerance="Direction only. The sizes differ, 17.8 to 7.9% and 6.9 to 1.5%: for each network they are "
    "those at which the paper sees layer-wise tickets fall behind.",
    quantity="points by which VGG-19's margin is above Resnet-18's",
)
def margin_is_smaller(study: Study) -> Measured:
    """Whose layers differ more in what they can spare."""
    runs = {
        net: [
            need(study, {"ticket": net.sparse}, name=f"{net.key}_warmup{how}") for how in ("", "_layerwise")
        ]
        for net in DEEP
    }
    small, large = (against_other(one, two, net.sparse) for net, (one, two) in runs.items())
    ours = f"{small.mean():+.2f} pp in Resnet-18, {large.mean():+.2f} pp in VGG-19"
    return measured(ours, large - small, small.mean() < large.mean(), *runs[RESNET18], *runs[VGG19])
