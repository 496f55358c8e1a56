"""Figures of Conv-2, Conv-4 and Conv-6 side by side, and of all networks: 1, 5, 6, 10, 13 and 14."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from ltjax.analysis.results import Results, Study
from ltjax.plots.gallery import figure
from ltjax.plots.layout import legend, panels, percent_axis
from ltjax.plots.metrics import EARLY_STOP, TEST, TRAIN, VALID, Line, at_end, compare, draw_metric
from ltjax.plots.sources import lines, own_lines, paired, those_there, told
from ltjax.plots.style import second
from ltjax.studies.frankle2019 import facts
from ltjax.studies.frankle2019.facts import AXES, LENET
from ltjax.studies.frankle2019.looks import NETWORKS, SETTINGS
from ltjax.studies.frankle2019.runs import find as find_lenet
from ltjax.studies.frankle2019.runs import ticks_of

CONVS = tuple(network.key for network in facts.CONVS)

FREE = ("train.learning_rate",)
"""What the user may have varied in a run that is drawn as one of Conv-2, Conv-4 or Conv-6."""

TRAINED = [f"{network.key}_{way}" for network in facts.DEEP for way in ("warmup", "lr01", "lr001")]
"""The named experiments of the networks that the paper trains in three ways."""


def convs(
    study: Study, kind: str, arms: Sequence[str] = ("ticket",), *,
    among: Sequence[str] = CONVS, curves: bool = False,
) -> dict[str, Results]:  # fmt: skip
    """The runs of a kind (``conv2_controls`` is one), by network, of those networks that have one.

    Raises:
        Absent: none has.
    """
    return those_there(among, lambda name: study.like(f"{name}_{kind}", arms, curves=curves, free=FREE))


def versus(
    runs: Mapping[str, Results], what: str, others: Mapping[str, Results], arm: str = "ticket"
) -> list[Line]:
    """The tickets of each network's run, solid, and an arm of its other run, dashed and called ``what``."""
    return [
        line
        for name, other in others.items()
        for line in (
            Line(NETWORKS[name], runs[name].rows()),
            Line(second(NETWORKS[name], what), other.rows(arm)),
        )
    ]


def own_of(runs: Mapping[str, Results]) -> list[Line]:
    """The arms of the user's own in each network's run."""
    return [line for name, run in runs.items() for line in own_lines(NETWORKS[name], run)]


@figure("1", "Tickets and randomly sampled sparse networks: early stopping and test accuracy")
def figure_1(study: Study) -> Figure:
    """Early-stop step and test accuracy there, of LeNet and of Conv-2/4/6: tickets, and random masks."""
    arms = ("ticket", "random")

    def find(group: str) -> dict[str, Results]:
        if group == LENET.name:
            return {LENET.key: find_lenet(study, arms=arms)}
        return convs(study, "controls", arms)

    groups = those_there(("LeNet", "Conv-2, Conv-4 or Conv-6"), find)
    figure, axes = panels(2 * len(groups), columns=4)
    for at, (group, runs) in enumerate(groups.items()):
        shown = AXES["1, LeNet" if group == "LeNet" else "1, Conv"]
        alone = group == "LeNet" and len(groups) == 1
        drawn = (
            lines(runs[LENET.key], *arms) if alone
            else [*versus(runs, "random sparsity", runs, "random"), *own_of(runs)]
        )  # fmt: skip
        for each, metric in zip(axes[2 * at :], (EARLY_STOP, TEST.within(*shown.window)), strict=False):
            draw_metric(each, drawn, metric, reach=min)
            percent_axis(each, shown.percent)
    legend(figure, pairs=not any(own_of(runs) for runs in groups.values()))
    return figure


def _controlled(study: Study, *ends: str) -> Figure:
    """Tickets and reinits of Conv-2/4/6 at early stopping, and the accuracies of ``ends`` at the end."""
    runs = convs(study, "controls", ("ticket", "reinit"))
    drawn, mine = versus(runs, "reinit", runs, "reinit"), own_of(runs)
    steps = [run.experiment.train.steps for run in runs.values()]
    metrics = [EARLY_STOP, TEST.within(*AXES["5"].window), TRAIN, *(at_end(split, *steps) for split in ends)]
    return compare([*drawn, *mine], metrics, reach=min, pairs=not mine)


@figure("5", "Conv-2, Conv-4 and Conv-6, tickets and reinitialised: early stopping and accuracies")
def figure_5(study: Study) -> Figure:
    """Early-stop step, test and training accuracy there, and test accuracy at the end."""
    return _controlled(study, "test")


@figure("6", "Conv-2, Conv-4 and Conv-6 with dropout and without: early stopping and test accuracy there")
def figure_6(study: Study) -> Figure:
    """Tickets of networks trained with dropout, and of those trained without."""
    dropped = convs(study, "dropout")
    plain = convs(study, "iterative", among=list(dropped))
    drawn = versus(dropped, "no dropout", plain)
    return compare(drawn, [EARLY_STOP, TEST.within(*AXES["6"].window)], reach=min, pairs=True)


@figure("10", "Conv-2, Conv-4 and Conv-6 reset to θ₀ every round (Strategy 1), or trained on (Strategy 2)")
def figure_10(study: Study) -> Figure:
    """Figure 9 of the convolutional networks: validation accuracy at early stopping."""
    reset = convs(study, "iterative", curves=True)
    continued = those_there(
        list(reset),
        lambda name: paired(study, reset[name], f"{name}_continued", free=FREE, curves=True),
    )
    return compare(versus(reset, "continued", continued), [EARLY_STOP, VALID], reach=min, pairs=True)


@figure("13", "Figure 5, and the training accuracy at the end")
def figure_13(study: Study) -> Figure:
    """All of Figure 5, and the training accuracy after the last step."""
    return _controlled(study, "test", "train")


@figure(
    "14", "Original initialisation, random reinitialisation and random sparsity: test accuracy at the end"
)
def figure_14(study: Study) -> Figure:
    """Tickets and both their controls after the last step, a panel for every network and setting."""
    arms = ("ticket", "reinit", "random")

    def find(name: str) -> Results:
        if name == LENET.experiment:
            return find_lenet(study, arms=arms)
        return study.like(name, arms, free=FREE if name.startswith(CONVS) else ())

    found = those_there([LENET.experiment, *(f"{name}_controls" for name in CONVS), *TRAINED], find)
    figure, axes = panels(len(found))
    for each, (name, run) in zip(axes, found.items(), strict=True):
        network, setting = name.split("_")
        draw_metric(each, lines(run, *arms), at_end("test", run.experiment.train.steps))
        percent_axis(each, ticks_of(run))
        each.set_title(NETWORKS[network].label + (f", {told(run)}" if setting in SETTINGS else ""))
    legend(figure)
    return figure
