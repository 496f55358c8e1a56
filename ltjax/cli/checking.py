"""Whether a run's code, data and random numbers are here as they were where it was begun."""

from pathlib import Path

from ltjax.data import Dataset
from ltjax.runs import identity, opening
from ltjax.settings.schema import Experiment


def check_identity(
    run: Path, experiment: Experiment, dataset: Dataset, config: Path | None, accept: bool, program: str
) -> None:
    """Refuse other code, data or random numbers than a run's, or write down that they were others.

    Args:
        run: the run's folder.
        experiment: what was run in it.
        dataset: its data, as they are now.
        config: the ``.py`` file that was run for it, if one was.
        accept: whether changes are accepted.
        program: what is told to have met them.

    Raises:
        UserError: something is another, and that is not accepted.
    """
    ours, here = identity.identity_of(experiment, dataset, config), identity.numerics_here(experiment)
    if changed := identity.check(run, ours, accept, here, other=""):
        with opening.writing(identity.home(run)):
            identity.record(run, changed, program)
