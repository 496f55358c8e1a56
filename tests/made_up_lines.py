"""Made-up tables of connectivity: what an analysis of lines would tell of a run, without training."""

from dataclasses import replace

import pandas as pd

from ltjax.analysis.analyses import folder_of
from ltjax.core.choices import Choice
from ltjax.runs import paths
from ltjax.settings.loading import load_experiment

from .made_up import made_up

ALPHAS = (0.0, 0.5, 1.0)
MIDDLE = {"ticket": (0.01, 0.01, 0.04), "reinit": (0.05, 0.06, 0.07)}
"""How much lower the accuracy is in the middle than at both ends, by arm and trial."""

SIZES = (100.0, 50.0, 25.0, 12.5)


def table(round, analysis="connectivity", arms=("ticket", "reinit")):
    return pd.DataFrame([
        {"round": round, "arm": arm, "trial": trial, "repeat": 0, "other": "repeat 1",
         "percent_remaining": SIZES[round], "same_mask": True, "distance": 1.0,
         "statistics": "interpolated", "split": split, "alpha": alpha, "loss": 0.1,
         "accuracy": 0.9 - (round + 1) * MIDDLE[arm][trial] * (alpha == 0.5)}
        for arm in arms for trial in range(3) for split in ("train", "test") for alpha in ALPHAS
    ])  # fmt: skip


def asked(folder, rounds, analysis="connectivity", **more):
    """A run's folder in which an analysis was asked about rounds."""
    made = replace(made_up(load_experiment("lenet_iterative"), lambda *lane: {}, curves=False), folder=folder)
    home = folder_of(folder, Choice("analysis", analysis))
    home.mkdir(parents=True)
    for round in rounds:
        table(round, **more).to_parquet(paths.analysis(home, round), index=False)
    return made
