"""What a run's command ends with: what was found, in a sentence and a picture."""

from pathlib import Path

from rich.console import Console

from ltjax import studies
from ltjax.analysis.results import Study, read_study
from ltjax.claims.finding import finding, swept_finding
from ltjax.runs import paths


def answer(folder: Path, console: Console, *, picture: bool) -> None:
    """Say what a run found, draw the picture that shows it, and say where it lies.

    Args:
        folder: the run's folder, with something trained in it.
        console: where to say it.
        picture: whether to draw; else nothing is written.

    Raises:
        UserError: the folder's tables are damaged.
        OSError: the picture could not be written.
    """
    study = read_study([folder])
    said = finding(study.runs[0]) if len(study.runs) == 1 else swept_finding(study.runs)
    console.print(said, highlight=False, markup=False)
    if picture and (drawn := _picture(study, paths.figures(folder))):
        console.print(f"the picture: {drawn}", highlight=False, soft_wrap=True)


def _picture(study: Study, folder: Path) -> Path | None:
    """The file of the one figure that answers a study; None where it lacks what the figure needs."""
    [drawn] = studies.draw(study, folder, [studies.picture(study)])
    return folder / f"{drawn.stem}.png" if drawn.stem else None
