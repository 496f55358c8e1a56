"""From a study to verdicts, and from verdicts to the table in claims.csv."""

from collections.abc import Mapping, Sequence

import pandas as pd

from ltjax.claims.evidence import STEPS, papers
from ltjax.claims.kinds import CLAIMS, Claim, Status, Verdict
from ltjax.study import Absent, Study

TABLE = [
    "id", "figure", "paper", "ours", "quantity", "minimum", "maximum", "trials", "verdict", "measured",
    "tolerance", "missing", "command",
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
    steps = {run.experiment.train.steps for run in papers(study).runs}
    if len(steps) != 1 or STEPS in steps or "--train.steps" in command:
        return command
    return f"{command} --train.steps {steps.pop()}"


def table(verdicts: Sequence[Verdict]) -> pd.DataFrame:
    """A row per verdict: columns ``TABLE``, the content of claims.csv."""
    rows = [{**vars(verdict.claim), **vars(verdict), "verdict": verdict.status} for verdict in verdicts]
    return pd.DataFrame(rows, columns=TABLE)
