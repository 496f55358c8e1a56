"""LeNet's figures that compare arms or kinds of runs: 4a to 4c, 9, 12, 17, 18, 25, untrained."""

from matplotlib.figure import Figure

from ltjax.analysis.results import Absent, Results, Study
from ltjax.claims.statistics import by_trial, mean, sizes
from ltjax.plots.gallery import figure
from ltjax.plots.layout import legend, panels, percent_axis
from ltjax.plots.metrics import EARLY_STOP, TEST, TRAIN, UNTRAINED, VALID, Line, at_end, compare, draw_metric
from ltjax.plots.sources import lines
from ltjax.plots.style import ARMS, DASHDOT, DOTTED, SOLID
from ltjax.studies.frankle2019.facts import AXES, LENET
from ltjax.studies.frankle2019.runs import beside, find, fullest

ASTONISHING = 1.5
"""Times the whole untrained network's accuracy from which a masked one's is no guess."""

ELSEWHERE = {"random", "resample", "continued", *LENET.noise}
"""Arms that the paper has in other figures than its fourth, where it has reinitialised tickets."""


def controlled(study: Study) -> tuple[Results, list[Line]]:
    """The arms of an iterative run, and of a one-shot run trained alike where there is one.

    Raises:
        Absent: there is no iterative run.
    """
    run = fullest(study, ("ticket", "reinit"), ("ticket",))
    drawn = lines(run, *_shown(run))
    try:
        oneshot = beside(study, run, "oneshot")
    except Absent:
        return run, drawn
    kinds = {"iterative": drawn, "one-shot": lines(oneshot, *_shown(oneshot))}
    return run, [_named(line, kind) for kind, each in kinds.items() for line in each]


def _shown(run: Results) -> list[str]:
    """The paper's arms of its Figure 4; where reinitialised tickets lack, whichever there are."""
    hidden = ELSEWHERE if "reinit" in run.arms else set()
    return [name for name in ARMS if name in run.arms - hidden]


def _named(line: Line, kind: str) -> Line:
    """The line with its run's kind in the label; one-shot's markers are hollow and its dashes are others."""
    look = line.look._replace(label=f"{line.look.label} ({kind})")
    if kind == "one-shot":
        look = look._replace(hollow=True, dashes=DASHDOT if look.dashes == SOLID else DOTTED)
    return line._replace(look=look)


@figure(
    "4a",
    "Tickets and other arms, pruned iteratively and, where run, at one shot: early stopping and accuracies",
)
def figure_4a(study: Study) -> Figure:
    """Tickets and whatever arms there are beside them, at early stopping."""
    return compare(controlled(study)[1], [EARLY_STOP, TEST, TRAIN])


@figure("4b", "Tickets and other arms, as in Figure 4a: test accuracy at the end of training")
def figure_4b(study: Study) -> Figure:
    """The same after the last step."""
    run, drawn = controlled(study)
    return compare(drawn, [at_end("test", run.experiment.train.steps)])


@figure("4c", "One-shot pruning on a linear axis: early stopping and test accuracy there")
def figure_4c(study: Study) -> Figure:
    """Tickets of a one-shot run and its other arms, the percentages on a linear axis."""
    run = find(study, "oneshot")
    drawn = lines(run, *_shown(run))
    figure, axes = panels(2)
    for each, metric in zip(axes, (EARLY_STOP, TEST.within(*AXES["4c"].window)), strict=True):
        draw_metric(each, drawn, metric)
        percent_axis(each, AXES["4c"].percent, scale="linear")
    legend(figure)
    return figure


@figure("9", "Resetting to θ₀ every round (Strategy 1), or training on (Strategy 2)")
def figure_9(study: Study) -> Figure:
    """Tickets of the usual procedure, and masks found by continued training, rewound only to be measured."""
    run = find(study, curves=True)
    other = beside(study, run, "continued", curves=True)
    reset = ARMS["ticket"]._replace(label="resetting (Strategy 1)")
    continued = ARMS["continued"]._replace(label="continued training (Strategy 2)")
    return compare([Line(reset, run.rows()), Line(continued, other.rows())], [EARLY_STOP, VALID])


@figure("12", "Tickets and other arms, as in Figure 4a: at early stopping, and both accuracies at the end")
def figure_12(study: Study) -> Figure:
    """All of Figure 4a and 4b, and the training accuracy after the last step."""
    run, drawn = controlled(study)
    ends = [at_end(split, run.experiment.train.steps) for split in ("test", "train")]
    return compare(drawn, [EARLY_STOP, TEST, TRAIN, *ends])


@figure("17", "Initial values resampled from the ticket's own, layer by layer")
def figure_17(study: Study) -> Figure:
    """Tickets, reinits, and tickets whose survivors are redrawn from their own initial values."""
    arms = ("ticket", "reinit", "resample")
    return compare(lines(find(study, arms=arms), *arms), [EARLY_STOP, TEST])


@figure("18", "Pruning before any training, by the size of the initial weights")
def figure_18(study: Study) -> Figure:
    """Tickets and reinits, and the tickets of a run that pruned by |θ₀| alone."""
    run = find(study, arms=("ticket", "reinit"))
    other = beside(study, run, "step0")
    drawn = [*lines(run, "ticket", "reinit"), Line(ARMS["step0"], other.rows())]
    return compare(drawn, [EARLY_STOP, TEST])


@figure("25", "Tickets with Gaussian noise added to their initial weights")
def figure_25(study: Study) -> Figure:
    """Tickets, reinits, and tickets with noise of 0.5 to 3 initial standard deviations of their layer."""
    arms = ("ticket", *LENET.noise, "reinit")
    return compare(lines(find(study, arms=arms), *arms), [EARLY_STOP, TEST])


@figure("untrained", "Test accuracy of networks that were never trained: initial weights under a mask")
def untrained(study: Study) -> Figure:
    """Every arm of the fullest iterative run at step 0; not in the paper."""
    run = fullest(study, ("ticket", "reinit", "random"), ("ticket", "reinit"), ("ticket",))
    figure = compare(lines(run, *(name for name in ARMS if name in run.arms)), [UNTRAINED])
    figure.set_label(_without_training(run))
    return figure


def _without_training(run: Results) -> str:
    """What is astonishing about the tickets' accuracy at step 0, or that nothing is."""
    accuracy = 100 * mean(by_trial(run, UNTRAINED.column))
    whole, best = accuracy[0], int(accuracy.index[int(accuracy.fillna(-1).argmax())])
    if not accuracy[best] > ASTONISHING * whole:
        return (
            f"Networks that were never trained: under the tickets' masks they guess, as all of the weights "
            f"together do ({whole:.0f}%)"
        )
    return (
        f"These networks were never trained, and yet {sizes(run)[best]:.1f}% of the initial weights, chosen "
        f"by a mask, are right on {accuracy[best]:.0f}% of the test images; all weights on {whole:.0f}%"
    )
