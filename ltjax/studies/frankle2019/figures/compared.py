"""LeNet's figures that compare arms or kinds of runs: 4a to 4c, 9, 12, 17, 18, 25, untrained."""

from matplotlib.figure import Figure

from ltjax.analysis.results import Absent, Results, Study
from ltjax.plots.gallery import figure
from ltjax.plots.layout import legend, panels, percent_axis
from ltjax.plots.metrics import EARLY_STOP, TEST, TRAIN, UNTRAINED, VALID, Line, at_end, compare, draw_metric
from ltjax.plots.sources import lines
from ltjax.plots.style import ARMS, DASHDOT, DOTTED, SOLID
from ltjax.studies.frankle2019.facts import AXES, LENET
from ltjax.studies.frankle2019.runs import beside, find, fullest


def _controlled(study: Study) -> tuple[Results, list[Line]]:
    """Tickets and reinits of an iterative run, and of a one-shot run trained alike where there is one."""
    run = find(study, arms=("ticket", "reinit"))
    drawn = [_named(line, "iterative") for line in lines(run, "ticket", "reinit")]
    try:
        oneshot = beside(study, run, "oneshot")
    except Absent:
        return run, drawn
    present = [name for name in ("ticket", "reinit") if name in oneshot.arms]
    return run, drawn + [_named(line, "one-shot") for line in lines(oneshot, *present)]


def _named(line: Line, kind: str) -> Line:
    """The line with its run's kind in the label; one-shot's markers are hollow and its dashes are others."""
    look = line.look._replace(label=f"{line.look.label} ({kind})")
    if kind == "one-shot":
        look = look._replace(hollow=True, dashes=DASHDOT if look.dashes == SOLID else DOTTED)
    return line._replace(look=look)


@figure(
    "4a", "Iterative and one-shot pruning, tickets and reinitialised: early stopping and accuracies there"
)
def figure_4a(study: Study) -> Figure:
    """Tickets and reinits at early stopping."""
    return compare(_controlled(study)[1], [EARLY_STOP, TEST, TRAIN])


@figure("4b", "Iterative and one-shot pruning, tickets and reinitialised: test accuracy at the end")
def figure_4b(study: Study) -> Figure:
    """Tickets and reinits after the last step."""
    run, drawn = _controlled(study)
    return compare(drawn, [at_end("test", run.experiment.train.steps)])


@figure("4c", "One-shot pruning on a linear axis: early stopping and test accuracy there")
def figure_4c(study: Study) -> Figure:
    """Tickets of a one-shot run, and their reinits where there are, the percentages on a linear axis."""
    run = find(study, "oneshot")
    drawn = lines(run, "ticket", *({"reinit"} & run.arms))
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


@figure("12", "Figure 4 with the training accuracy at the end, which tickets hold at 100% for longer")
def figure_12(study: Study) -> Figure:
    """All of Figure 4a and 4b, and the training accuracy after the last step."""
    run, drawn = _controlled(study)
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


@figure("untrained", "Test accuracy of the pruned networks before any training")
def untrained(study: Study) -> Figure:
    """Every arm of the fullest iterative run at step 0; not in the paper."""
    run = fullest(study, ("ticket", "reinit", "random"), ("ticket", "reinit"), ("ticket",))
    arms = [name for name in ARMS if name in run.arms] + sorted(run.arms - set(ARMS))
    return compare(lines(run, *arms), [UNTRAINED])
