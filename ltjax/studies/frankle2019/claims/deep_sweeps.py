"""R5 and R6: learning rates and lengths of warmup, of Resnet-18 and VGG-19 (Appendices I.4 and I.5).

As in the appendix, accuracies are on validation, here at the end of training.
"""

from collections.abc import Mapping
from functools import partial, update_wrapper

import pandas as pd

from ltjax.analysis.results import Results, Study
from ltjax.claims.kinds import Measured, claim
from ltjax.claims.statistics import along, at, over, rank_correlation
from ltjax.studies.frankle2019.claims.deep import LEAST
from ltjax.studies.frankle2019.facts import DEEP, Deep
from ltjax.studies.frankle2019.requirements import measured, points


def no_tickets_without_warmup(study: Study, network: Deep) -> Measured:
    """Whether any higher learning rate has tickets of its own."""
    rounds = network.shown
    name = f"{network.key}_rates"
    runs = points(study, "train.learning_rate", name, rounds[-1], values=(0.1,), reinit=rounds)
    high = {rate: run for rate, run in runs.items() if rate > 0.01}
    below = {rate: _above_dense(run, rounds) for rate, run in high.items()}
    lead = {rate: _above_reinit(run, rounds) for rate, run in high.items()}
    ours = "; ".join(
        f"{rate:g} {below[rate].mean():+.2f} pp against dense and {lead[rate].mean():+.2f} against reinit"
        for rate in high
    )
    holds = all(below[rate].mean() < LEAST or lead[rate].mean() <= -LEAST for rate in high)
    return measured(ours, pd.DataFrame(below).mean(axis=1), holds, *high.values())


def _end(run: Results, arm: str = "ticket") -> pd.DataFrame:
    return 100 * along(run, 1.0, "validation", arm)


def _above_dense(run: Results, rounds: tuple[int, ...]) -> pd.Series:
    return over(_end(run) - at(_end(run), 0), rounds)


def _above_reinit(run: Results, rounds: tuple[int, ...]) -> pd.Series:
    return over(_end(run) - _end(run, "reinit"), rounds)


def longer_warmup_is_better(study: Study, network: Deep) -> Measured:
    """What the length of warmup is worth."""
    rounds, name = network.shown, f"{network.key}_warmups"
    runs = points(study, "train.schedule.warmup", name, rounds[-1], values=(0, 5_000, 20_000))
    each: Mapping[int, pd.Series] = {k: over(_end(run), rounds) for k, run in sorted(runs.items())}
    level = pd.Series({k: values.mean() for k, values in each.items()})
    order = rank_correlation(level, pd.Series(level.index, index=level.index))
    first, then = level[5_000] - level[0], level[20_000] - level[5_000]
    ours = (
        f"rank correlation {order:.2f}; {first:+.2f} pp from 0 to 5,000 steps, "
        f"{then:+.2f} pp from there to 20,000"
    )
    holds = order > 0 and level.notna().all() and level[20_000] > level[0] and first > then
    return measured(ours, each[20_000] - each[0], holds, *runs.values())


def _sizes(network: Deep) -> str:
    *some, last = (f"r{round}" for round in network.shown)
    return f"{', '.join(some)} and {last}"


for _net in DEEP:
    claim(
        f"R5-{_net.key}",
        network=_net.key,
        figure=_net.rates_figure,
        paper=f"Without warmup {_net.name} has no winning tickets at any learning rate above 0.01.",
        measured="At every trained learning rate above 0.01, at least at 0.1: validation accuracy at the "
        "end, of tickets less that of the same trial's dense network, and less their reinitialisations', "
        f"means over {_sizes(_net)} and over trials.",
        tolerance="At each rate tickets are below dense by more than 0.5 points or no more than 0.5 above "
        "reinitialised, twice the standard error of such a difference of three trials.",
        quantity="points above dense, mean of the learning rates",
    )(update_wrapper(partial(no_tickets_without_warmup, network=_net), no_tickets_without_warmup))

for _net in DEEP:
    claim(
        f"R6-{_net.key}",
        network=_net.key,
        figure=_net.warmups_figure,
        paper=f"The longer its warmup, the more accurate {_net.name}'s tickets: most is gained "
        "before 5,000 steps, and less and less after.",
        measured=f"Validation accuracy of tickets at the end, mean of {_sizes(_net)} and of trials, for "
        "each length of warmup: its rank correlation with the length, what 5,000 steps gain on none, and "
        "what 20,000 gain on those.",
        tolerance="Direction only: a positive correlation, 20,000 steps above none, and the first 5,000 "
        "gaining more than the 15,000 after.",
        quantity="points gained by 20,000 steps of warmup",
    )(update_wrapper(partial(longer_warmup_is_better, network=_net), longer_warmup_is_better))
