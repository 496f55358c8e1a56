"""The picture that answers a study: of one run its arms, of a sweep its points, of several runs all."""

from matplotlib.figure import Figure

from ltjax.analysis.results import RUN, Absent, Study
from ltjax.plots.comparing import every_arm
from ltjax.plots.gallery import figure as entered
from ltjax.plots.metrics import titled
from ltjax.studies.frankle2019.figures.compared import controlled


@entered("arms", "Tickets and the other arms of the run: early stopping and accuracies there")
def arms(study: Study) -> Figure:
    """Figure 4a's panels for a run that the paper's figure is not about."""
    if len(study.runs) != 1:
        raise Absent("one run alone, without a sweep", f"{RUN} mnist_5k")
    if _is_figure_4(study):
        raise Absent("a run that Figure 4a does not show already", f"{RUN} conv2_iterative")
    figure = every_arm(study.runs[0])
    titled(figure, study.runs[0].metric, "Tickets and the other arms of the run: early stopping and {} there")
    return figure


def picture(study: Study) -> str:
    """The name of the figure, in ``FIGURES``, that answers a study; it can be drawn if all have one metric.

    Of one run it is Figure 4a, or the same panels where the paper's is of another network; of a sweep, its
    points; of several runs, all of them side by side, but for an iterative and a one-shot run trained alike.
    """
    families = list(study.families.values())
    if len(families) == 1:
        return "sweep" if len(families[0]) > 1 else "4a" if _is_figure_4(study) else "arms"
    return "4a" if len(study.runs) == 2 and _is_figure_4(study, both=True) else "runs"


def _is_figure_4(study: Study, both: bool = False) -> bool:
    """Whether Figure 4a can be drawn, with ``both`` of an iterative and a one-shot run."""
    try:
        _, drawn = controlled(study)
    except Absent:
        return False
    return not both or any(line.look.label.endswith("(one-shot)") for line in drawn)
