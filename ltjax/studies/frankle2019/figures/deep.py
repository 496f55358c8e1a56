"""Figures of VGG-19 and Resnet-18 at three steps of training: 7, 8, and 38 to 45 (Appendix I)."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from ltjax.analysis.results import Results, Study
from ltjax.plots.gallery import figure
from ltjax.plots.layout import rate, thousands
from ltjax.plots.sources import curved, own, paired, those_there, told
from ltjax.plots.style import SOLID, Look, arms, ordered, second, sided
from ltjax.studies.frankle2019.facts import WAYS
from ltjax.studies.frankle2019.figures.moments import Drawn, at_moments
from ltjax.studies.frankle2019.looks import SETTINGS


def _trained(study: Study, network: str, *arms: str, pruned: str = "") -> dict[str, Results]:
    """The runs of a network by how it was trained, of those ways that the study has."""
    return those_there(
        WAYS,
        lambda setting: study.like(f"{network}_{setting}{pruned}", ("ticket", *arms), curves=True),
    )


def _look(setting: str, run: Results) -> Look:
    return SETTINGS[setting]._replace(label=told(run))


def _controlled(study: Study, network: str, pruned: str = "") -> Figure:
    """Tickets and reinits of each way of training."""
    found = _trained(study, network, "reinit", pruned=pruned)
    return at_moments(network, _both({_look(setting, run): run for setting, run in found.items()}))


def _both(found: Mapping[Look, Results]) -> list[Drawn]:
    """Each run's tickets and, where it has them, their reinits and the arms of the user's own."""
    return [
        drawn
        for look, run in found.items()
        for drawn in (
            Drawn(look, run),
            Drawn(second(look, "reinit"), run, "reinit"),
            *(Drawn(sided(look, arms(run.arms)[name]), run, name) for name in own(run)),
        )
        if drawn.arm in run.arms
    ]


@figure("7", "VGG-19 by its ways of training, tickets and reinitialised: test accuracy at three steps")
def figure_7(study: Study) -> Figure:
    """Pruned globally, at learning rates 0.1 and 0.01, and at 0.1 after warmup."""
    return _controlled(study, "vgg19")


@figure("8", "Resnet-18 by its ways of training, tickets and reinitialised: test accuracy at three steps")
def figure_8(study: Study) -> Figure:
    """Pruned globally, at learning rates 0.1 and 0.01, and at 0.03 after warmup."""
    return _controlled(study, "resnet18")


def _scopes(study: Study, network: str) -> Figure:
    """Tickets pruned globally, and layer by layer."""
    globally = _trained(study, network)
    by_layer = those_there(
        list(globally),
        lambda way: paired(study, globally[way], f"{network}_{way}_layerwise", curves=True),
    )
    return at_moments(network, [
        drawn
        for setting, other in by_layer.items()
        for look in [_look(setting, other)]
        for drawn in (Drawn(look, globally[setting]), Drawn(second(look, "layer-wise"), other))
    ])  # fmt: skip


@figure("38", "VGG-19 pruned globally and layer by layer: test accuracy at three steps")
def figure_38(study: Study) -> Figure:
    """Paper: layer by layer, tickets after warmup reach down to 6.9% only."""
    return _scopes(study, "vgg19")


@figure("39", "Resnet-18 pruned globally and layer by layer: test accuracy at three steps")
def figure_39(study: Study) -> Figure:
    """Paper: global pruning is better, by less than for VGG-19."""
    return _scopes(study, "resnet18")


@figure("40", "Figure 7 with layers pruned one by one: VGG-19, tickets and reinitialised")
def figure_40(study: Study) -> Figure:
    """Figure 7 of runs pruned layer by layer."""
    return _controlled(study, "vgg19", "_layerwise")


@figure("41", "Figure 8 with layers pruned one by one: Resnet-18, tickets and reinitialised")
def figure_41(study: Study) -> Figure:
    """Figure 8 of runs pruned layer by layer."""
    return _controlled(study, "resnet18", "_layerwise")


def _rates(study: Study, network: str) -> Figure:
    """Tickets and reinits of every learning rate, without warmup."""
    found = curved(study, "train.learning_rate", f"{network}_rates")
    looks = [look._replace(dashes=SOLID) for look in ordered([rate(value) for value in found])]
    drawn = _both(dict(zip(looks, found.values(), strict=True)))
    return at_moments(network, drawn, "validation", "learning rate")


@figure(
    "42", "Resnet-18 at several learning rates, tickets and reinitialised: validation accuracy at three steps"
)
def figure_42(study: Study) -> Figure:
    """Paper: tickets at 0.01 only."""
    return _rates(study, "resnet18")


@figure(
    "43", "VGG-19 at several learning rates, tickets and reinitialised: validation accuracy at three steps"
)
def figure_43(study: Study) -> Figure:
    """Paper: tickets at 0.01 only."""
    return _rates(study, "vgg19")


def _warmups(study: Study, network: str) -> Figure:
    """Tickets of every length of warmup."""
    found = curved(study, "train.schedule.warmup", f"{network}_warmups")
    looks = ordered([thousands(steps) for steps in found])
    drawn = [Drawn(look, run) for look, run in zip(looks, found.values(), strict=True)]
    return at_moments(network, drawn, title="steps of warmup")


@figure("44", "Resnet-18 after several lengths of warmup: test accuracy at three steps")
def figure_44(study: Study) -> Figure:
    """Paper: longer is better, with most of the gain before 5,000 steps."""
    return _warmups(study, "resnet18")


@figure("45", "VGG-19 after several lengths of warmup: test accuracy at three steps")
def figure_45(study: Study) -> Figure:
    """Paper: longer is better, with most of the gain before 5,000 steps."""
    return _warmups(study, "vgg19")
