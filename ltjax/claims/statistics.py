"""The numbers that claims are judged by: tables of rounds × trials, differences to dense, crossings, words.

Diverged lanes are not-a-number throughout: means pass over them, and where nothing else is left every
comparison is false, so no claim holds for want of numbers.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pandas as pd

from ltjax.analysis.results import Results
from ltjax.claims.kinds import Measured
from ltjax.lanes.history import LANE
from ltjax.settings.schema import Experiment

STOP = "early_stop_step"
LOSS = "early_stop_validation_loss"
TEST = "early_stop_test_accuracy"
FINAL = "final_test_accuracy"
FINAL_TRAIN = "final_train_accuracy"
"""Columns of runs whose metric is accuracy, as a paper's are."""


def test_of(run: Results) -> str:
    """The column of the run's metric on test, at the early stop."""
    return f"early_stop_test_{run.metric.name}"


def by_trial(run: Results, column: str, arm: str = "ticket") -> pd.DataFrame:
    """A summary column of an arm, rounds × trials: a trial's repeats averaged, diverged lanes left out."""
    rows = run.rows(arm)
    sound = rows[column].where(~rows["diverged"])
    return sound.groupby([rows["round"], rows["trial"]]).mean().unstack("trial")


def sizes(run: Results, column: str = "percent_remaining") -> pd.Series:
    """Every round's size: percent remaining, or ``weights_remaining``."""
    return run.rows().groupby("round")[column].mean()


def gain(run: Results, column: str, arm: str = "ticket") -> pd.DataFrame:
    """A column of the metric less that of the same trial's dense network, rounds × trials.

    In percentage points where the metric is told in per cent, as accuracy is; negative where less.
    """
    return run.metric.factor * (by_trial(run, column, arm) - at(by_trial(run, column), 0))


def earlier(run: Results, arm: str = "ticket") -> pd.DataFrame:
    """How much earlier than the same trial's dense network an arm stops, in percent of dense's step."""
    return 100 * (1 - by_trial(run, STOP, arm) / at(by_trial(run, STOP), 0))


def sooner(run: Results, arm: str = "ticket") -> pd.DataFrame:
    """How many times sooner than the same trial's dense network an arm stops, rounds × trials."""
    return by_trial(run, STOP, arm).rdiv(at(by_trial(run, STOP), 0), axis="columns")


def mean(table: pd.DataFrame) -> pd.Series:
    """The mean over trials, for every round."""
    return table.mean(axis=1)


def at(table: pd.DataFrame, round: int) -> pd.Series:
    """A round's value in every trial."""
    return table.loc[[round]].iloc[0]


def over(table: pd.DataFrame, rounds: Iterable[int]) -> pd.Series:
    """The mean over some rounds, for every trial."""
    return table.loc[list(rounds)].mean(axis=0)


def best(table: pd.DataFrame) -> int:
    """The round with the highest mean over trials."""
    means = mean(table).fillna(-np.inf)
    return int(means.index.to_numpy()[means.argmax()])


def peak(table: pd.DataFrame) -> float:
    """The highest mean over trials; not-a-number where a round has no value, which might have been higher."""
    return float(mean(table).max(skipna=False))


def lasts(advantage: pd.Series, least: float) -> float:
    """The last round up to which an advantage, a value per round, is at least ``least`` throughout.

    Not-a-number where a round has no value.

    Example:
        >>> lasts(pd.Series([0.0, 0.2, -0.1, -0.9, 0.3]), -0.5)
        2.0
    """
    if advantage.isna().any():
        return float("nan")
    gone = advantage.index[advantage < least]
    return float(gone[0] - 1 if len(gone) else advantage.index[-1])


def back(advantage: pd.Series) -> float:
    """The first round after the best at which an advantage over dense, a value per round, is gone.

    Round 0 is dense itself, with no advantage. Not-a-number where the advantage never goes, or where a round
    has no value.

    Example:
        >>> back(pd.Series([0.0, -1.0, 2.0, 1.0, -0.5, 0.1]))
        4.0
    """
    if advantage.isna().any():
        return float("nan")
    after = advantage.iloc[int(advantage.argmax()) + 1 :]
    gone = [round for round, value in after.items() if value <= 0]
    return float(str(gone[0])) if gone else float("nan")


def reaching(run: Results, threshold: float | pd.Series) -> pd.DataFrame:
    """The first evaluated step at which tickets are as good on test, rounds × trials; ``inf`` for never.

    Args:
        run: a run with its curves.
        threshold: a value of the metric (of accuracy a fraction of 1), or one for every trial.
    """
    assert run.curves is not None
    seen = run.curves[(run.curves["arm"] == "ticket") & (run.curves["split"] == "test")]
    asked = seen["trial"].map(threshold) if isinstance(threshold, pd.Series) else threshold
    sign = run.metric.sign
    step = seen["step"].where(sign * seen[run.metric.name] >= sign * asked, np.inf)
    first = step.groupby([seen["round"], seen["trial"]]).min().unstack("trial")
    return first.where(by_trial(run, STOP).notna())


def along(run: Results, share: float, split: str = "test", arm: str = "ticket") -> pd.DataFrame:
    """An arm's metric at its first evaluation after a share of training, rounds × trials, of its curves."""
    assert run.curves is not None
    seen = run.curves[(run.curves["split"] == split) & (run.curves["arm"] == arm)]
    seen = seen[seen["step"] >= round(share * run.experiment.train.steps)]
    sound = seen.merge(run.summary.loc[~run.summary["diverged"], LANE])
    first = sound.sort_values("step").groupby(LANE)[run.metric.name].first()
    whole = by_trial(run, STOP, arm)  # has the rounds of which no lane is left, too
    return first.groupby(["round", "trial"]).mean().unstack("trial").reindex_like(whole)


def at_sizes(table: pd.DataFrame, size: pd.Series, wanted: Sequence[float]) -> pd.DataFrame:
    """A table of rounds × trials at other sizes, linear in the logarithm of the size; NaN beyond its own."""
    known = np.log(size.to_numpy(float))[::-1]
    columns = {
        trial: np.interp(np.log(wanted), known, table[trial].loc[size.index].to_numpy()[::-1],
                         left=np.nan, right=np.nan)
        for trial in table
    }  # fmt: skip
    return pd.DataFrame(columns, index=list(wanted))


def rank_correlation(one: pd.Series, two: pd.Series) -> float:
    """Spearman's: 1 where two series have the same order, -1 where the opposite one."""
    return float(one.rank().corr(two.rank()))


def measured(
    ours: str, each: pd.Series, holds: bool | np.bool, *runs: Results,
    paper_steps: Callable[[Experiment], int | None],
) -> Measured:  # fmt: skip
    """What was measured, told with what differs from the paper: its number of steps, and diverged lanes.

    Args:
        ours: the means in words.
        each: the claim's quantity in every trial.
        holds: whether the claim does.
        runs: what it was measured on.
        paper_steps: the updates of a training in the paper's own experiment; None where it has none.
    """
    finite = each.replace([np.inf, -np.inf], np.nan).dropna()
    if finite.empty:
        ours, holds = "no lane that it needs has a finite value", False
    lengths = {(run.experiment.train.steps, paper_steps(run.experiment)) for run in runs}
    steps = sorted({ours for ours, paper in lengths if paper not in (ours, None)})
    lost = sum(int(run.summary["diverged"].sum()) for run in runs)
    ours += f", at {' and '.join(f'{n:,}' for n in steps)} steps" if steps else ""
    ours += f" ({lost} diverged lane{'s' * (lost > 1)} left out)" if lost else ""
    least, most = (float(finite.min()), float(finite.max())) if len(finite) else (float("nan"),) * 2
    return Measured(ours, least, most, len(finite), bool(holds))


def place(run: Results, round: float) -> str:
    """A round in words, with its size: ``21.1% (r7)``; of a round that is not there, ``no trained size``."""
    size = sizes(run)
    return f"{size[round]:.1f}% (r{int(round)})" if round in size.index else "no trained size"
