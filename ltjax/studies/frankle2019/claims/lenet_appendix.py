"""L16, L17 and B1: random sparsity, the order of learning, and continued training (Appendices B, C, E)."""

from collections.abc import Sequence

from ltjax.analysis.results import VALIDATION, Results, Study
from ltjax.claims.kinds import Measured, claim
from ltjax.claims.statistics import FINAL, STOP, by_trial, mean, over, rank_correlation, reaching, sizes
from ltjax.studies.frankle2019.facts import LENET
from ltjax.studies.frankle2019.requirements import measured, need

LEVELS = list(LENET.sizes)
"""The rounds of Figures 3 and 11."""


@claim(
    "L16",
    network="lenet",
    figure="14",
    paper="LeNet's reinitialised tickets are more accurate at the end than random sparse networks of as "
    "many weights.",
    measured="Test accuracy after the last step, repeats averaged within a trial: reinitialised less random "
    "sparsity of the same trial, its mean over rounds 7, 9 and 15 and over trials.",
    tolerance="More than 0.05 points: the paper gives a direction only, and this is about twice the "
    "standard error of such a mean where single accuracies vary by 0.1 points.",
    quantity="points by which reinitialised is above random",
)
def masks_beat_random_sparsity(study: Study) -> Measured:
    """What the pattern of connections is worth by itself."""
    rounds = (7, 9, 15)
    run = need(study, {"ticket": (0,), "reinit": rounds, "random": rounds})
    each = 100 * (
        by_trial(run, FINAL, "reinit").loc[list(rounds)] - by_trial(run, FINAL, "random").loc[list(rounds)]
    )
    by_round = mean(each)
    ours = f"{over(each, rounds).mean():+.2f} pp ({by_round[7]:+.2f} at r7, {by_round[15]:+.2f} at r15)"
    return measured(ours, over(each, rounds), over(each, rounds).mean() > 0.05, run)


@claim(
    "L17",
    network="lenet",
    figure="11",
    paper="Networks that reach their lowest validation loss earlier also reach a given test accuracy "
    "earlier: the early-stop step tells how fast a network learns.",
    measured="Over the six sizes of Figure 3 (r0, 3, 7, 12, 15 and 18): Spearman's rank correlation of the "
    "mean early-stop step with the mean first evaluated step at 97% on test. All six get to 97%, where the "
    "curves are still steep.",
    tolerance="At least 0.8: of six sizes some neighbours may change places, as early-stop steps that "
    "differ by a tenth are not told apart by five trials.",
    quantity="rank correlation within a trial",
)
def early_stop_orders_learning(study: Study) -> Measured:
    """Does the criterion measure what it is meant to?"""
    run = need(study, {"ticket": LEVELS}, curves=True)
    stop, reach = by_trial(run, STOP).loc[LEVELS], reaching(run, 0.97).loc[LEVELS]
    each = stop.rank().corrwith(reach.rank())
    ours = rank_correlation(mean(stop), mean(reach))
    return measured(f"rank correlation {ours:.2f}", each, ours >= 0.8, run)


@claim(
    "B1",
    network="lenet",
    figure="9",
    paper="At small sizes, tickets found by rewinding in every round are more accurate and stop earlier "
    "than those found by continued training, rewound only at the end.",
    measured="In rounds 9 to 15 (13.5 to 3.6%): validation accuracy at the early stop, and the early-stop "
    "step, of rewinding's tickets against those of continued training's in the same trial and round; means "
    "over rounds and trials.",
    tolerance="More than 0.05 points, about twice the standard error of a mean of 35 differences of "
    "accuracies that vary by 0.1 to 0.2 points, and earlier by any amount: the paper gives a direction only.",
    quantity="points by which rewinding is above continued training",
)
def rewinding_beats_continued_training(study: Study) -> Measured:
    """Strategy 1 against Strategy 2."""
    one = need(study, {"ticket": range(16)}, curves=True)
    two = need(study, {"ticket": range(16)}, kind="continued", curves=True)
    return against_continued(one, two, range(9, 16), 0.05)


def against_continued(one: Results, two: Results, rounds: Sequence[int], least: float) -> Measured:
    """Rewinding's tickets against continued training's: better by more than ``least`` points, and earlier."""
    more = 100 * over(by_trial(one, VALIDATION) - by_trial(two, VALIDATION), rounds)
    sooner = 100 * over(1 - by_trial(one, STOP) / by_trial(two, STOP), rounds)
    size = sizes(one)
    span = f"{size[rounds[0]]:.1f} to {size[rounds[-1]]:.1f}%"
    ours = f"{more.mean():+.2f} pp and {sooner.mean():.0f}% earlier over {span}"
    return measured(ours, more, more.mean() > least and sooner.mean() > 0, one, two)
