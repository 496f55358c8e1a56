"""From a study to verdicts, and from verdicts to the table in claims.csv."""

import shlex
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from ltjax.analysis.results import Absent, Study
from ltjax.claims.kinds import CLAIMS, Claim, Status, Verdict
from ltjax.core.errors import UserError
from ltjax.settings.loading import load_experiment
from ltjax.settings.schema import Experiment

TABLE = [
    "id", "network", "figure", "paper", "ours", "quantity", "minimum", "maximum", "trials", "verdict",
    "measured", "tolerance", "missing", "command",
]  # fmt: skip


def judge(study: Study, claims: Mapping[str, Claim] = CLAIMS) -> list[Verdict]:
    """The claims judged in order, by default the whole registry; verdicts follow from the runs alone."""
    return [_verdict(each, study) for each in claims.values()]


def _verdict(claim: Claim, study: Study) -> Verdict:
    try:
        found = claim.measure(study)
    except Absent as absent:
        command = _as_long(absent.command, study)
        return Verdict(claim, "not run", missing=absent.what, command=command)
    status: Status = "reproduced" if found.holds else "not reproduced"
    return Verdict(claim, status, found.ours, found.minimum, found.maximum, found.trials)


def _as_long(command: str, study: Study) -> str:
    """The command, with trainings as long as the runs at hand have, so that it continues or matches them."""
    asked = _asked(command)
    if asked is None or "--train.steps" in command:
        return command
    lengths = {
        (run.experiment.train.steps, _drops(run.experiment))
        for run in study.runs if _network(run.experiment) == _network(asked)
    }  # fmt: skip
    if len(lengths) != 1 or (asked.train.steps, _drops(asked)) in lengths:
        return command
    steps, drops = lengths.pop()
    told = "" if drops == _drops(asked) else " --train.schedule.drops " + " ".join(map(str, drops))
    return f"{command} --train.steps {steps}{told}"


def _drops(experiment: Experiment) -> tuple[int, ...]:
    """The steps at which the learning rate drops, by the schedule of that name."""
    drops: tuple[int, ...] = experiment.train.schedule.parameters.get("drops", ())
    return drops


def _asked(command: str) -> Experiment | None:
    """The experiment that a command runs, if it is one of ``ltjax.run`` by name or by folder."""
    words = shlex.split(command)
    try:
        return load_experiment(words[words.index("--config") + 1])
    except (ValueError, IndexError, UserError):
        return None


def _network(experiment: Experiment) -> tuple[str, str, bool]:
    """Of what trainings are compared in length: dropout has lengths of its own (paper, Figure 2)."""
    return experiment.data.name, experiment.model.name, experiment.model.dropout > 0


def elsewhere(verdicts: Sequence[Verdict], study: Study, networks: Iterable[str]) -> dict[str, list[Verdict]]:
    """The claims not run on networks that none of the runs is of, by network: too many to be told singly.

    Args:
        verdicts: of all claims.
        study: the runs.
        networks: those that the claims are about, by their names as models, in the order to be told.
    """
    here = {run.experiment.model.name for run in study.runs}
    found: dict[str, list[Verdict]] = {name: [] for name in networks if name not in here}
    for verdict in verdicts:
        if verdict.status == "not run" and verdict.claim.network in found:
            found[verdict.claim.network].append(verdict)
    return {name: away for name, away in found.items() if away}


def table(verdicts: Sequence[Verdict]) -> pd.DataFrame:
    """A row per verdict: columns ``TABLE``, the content of claims.csv."""
    rows = [{**vars(verdict.claim), **vars(verdict), "verdict": verdict.status} for verdict in verdicts]
    return pd.DataFrame(rows, columns=TABLE)
