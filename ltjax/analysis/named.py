"""Analyses that an experiment names: asked as soon as a round is saved, before params are dropped.

As long as analyses are named, a round's trained params are all kept until the next round has been asked about
too, and those of round 0 until the last one has. Then the run keeps what ``compute.keep`` says. A job of
several processes keeps all, until ``ltjax keep`` thins its run: what they wrote together one of them alone
cannot write anew.
"""

import time
from collections.abc import Callable, Collection

from ltjax.analysis.analyses import ANALYSES, folder_of, tables_of
from ltjax.analysis.lanes import Examined
from ltjax.core.choices import Choice
from ltjax.core.types import Lane
from ltjax.data import Dataset
from ltjax.lanes import processes
from ltjax.runs import paths
from ltjax.runs.folder import Run
from ltjax.runs.thinning import Writing, thin
from ltjax.settings.schema import Experiment


def check(experiment: Experiment) -> None:
    """Check that there are the analyses that an experiment names.

    Raises:
        UserError: there is none of a name.
    """
    for name in experiment.analyses:
        ANALYSES.find(name)


def lacking(run: Run, rounds: Collection[int]) -> bool:
    """Whether a round was not asked about."""
    folders = [folder_of(run.folder, Choice("analysis", name)) for name in run.experiment.analyses]
    return any(set(rounds) - set(paths.analysed(folder)) for folder in folders)


class Asked:
    """What asks a run about its rounds, one after the other; all processes of a job call it together.

    Args:
        run: the run, opened for writing.
        lanes: those of a round that it is to have.
        load: loads its data.
        writing: what to be in while something is written.
    """

    def __init__(
        self, run: Run, lanes: Callable[[int], Collection[Lane]], load: Callable[[], Dataset],
        writing: Writing,
    ) -> None:  # fmt: skip
        self.run, self.lanes, self.writing = run, lanes, writing
        self.names, self.wanted = run.experiment.analyses, run.keep
        self.examined = Examined(run, load=load)
        if self.names:
            run.keep = "all"

    def catch_up(self) -> None:
        """Ask about the rounds that are there already.

        Raises:
            UserError: as ``about``.
        """
        for round in sorted(self.run.parts):
            self.about(round)

    def about(self, round: int) -> float:
        """Ask about a round once all of its lanes are there, and drop what only the one before it needed.

        Returns:
            The seconds that it took.

        Raises:
            UserError: an analysis failed; the round is saved, and is asked about again by the same command.
        """
        began, lanes = time.monotonic(), self.lanes(round)
        if self.names and lanes and self.run.lanes(round).issuperset(lanes):
            processes.first_alone(lambda: self._ask(round))
            self._thin({round - 1} - {0})
        return time.monotonic() - began

    def finish(self) -> None:
        """Drop what no analysis needs any more."""
        if self.names:
            self._thin(self.run.parts)

    def _ask(self, round: int) -> None:
        for name in self.names:
            with self.writing():
                list(tables_of([self.examined], Choice("analysis", name), [round]))

    def _thin(self, rounds: Collection[int]) -> None:
        if processes.count() == 1:
            own = [round for round in rounds if round in self.run.parts]
            thin(self.run, self.wanted, self.writing, own)
