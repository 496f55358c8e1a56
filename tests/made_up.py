"""Made-up runs: tables of any shape without training, for what draws and judges them."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from ltjax.analysis.results import Results
from ltjax.core.trees import stack
from ltjax.core.types import Mask, Params
from ltjax.lanes import history
from ltjax.runs import checkpoints, paths
from ltjax.settings import compatible, sweeps
from ltjax.settings.loading import load_experiment
from ltjax.settings.schema import Data, Experiment, Model, Prune
from ltjax.sparsity import counts
from ltjax.training.tasks import task_of

Course = Callable[[str, int, int, int], Mapping[str, float]]
"""(arm, round, trial, repeat) to the columns of that summary row that are not the default's."""


def remaining(experiment: Experiment, round: int) -> int:
    """The network's surviving weights in a round, by the experiment's schedule."""
    return _surviving(experiment.model, experiment.data.name, experiment.prune)[round]


@cache
def _surviving(model: Model, data: str, prune: Prune) -> list[int]:
    shapes, kinds = _sizes(replace(model, init=Model().init, init_std=None, dropout=0.0), data)
    return counts.surviving(shapes, prune, kinds)


@cache
def _sizes(model: Model, data: str) -> tuple[Params, Mapping[str, str]]:
    """The shapes and kinds of a network's params."""
    task = task_of(Experiment(model=model, data=Data(name=data)))
    return task.shapes[0], task.kinds


def made_up(experiment: Experiment | str, course: Course, *, point: str = "", curves: bool = True) -> Results:
    """A run of any network whose every row is what ``course`` says, with curves that agree with it.

    By default a lane stops early at step 8,000 with 98% on test and 97.9% on validation, and ends at 97.8%
    on test and 100% on train; accuracies differ by 0.01 points from trial to trial.
    """
    if isinstance(experiment, str):
        experiment = load_experiment(experiment)
    lanes = [
        (arm, round, trial, repeat)
        for round in range(experiment.prune.rounds + 1)
        for arm, repeats in sorted(experiment.arms.items())
        for trial in range(experiment.trials)
        for repeat in range(repeats)
    ]
    rows, blocks = [], []
    for lane in lanes:
        row, validation = _row(experiment, lane, course(*lane))
        rows.append(row)
        if curves:
            blocks.append(_curves(experiment, row, validation))
    run = Results(Path("made-up"), experiment, pd.DataFrame(rows, columns=history.SUMMARY), point)
    columns = {name: np.concatenate([block[name] for block in blocks]) for name in history.CURVES if curves}
    run.__dict__["curves"] = pd.DataFrame(columns) if curves else None
    return run


def made_up_sweep(name: str, course: Callable[[Experiment], Course], **changes) -> list[Results]:
    """A run of every point of a named sweep; ``course`` is told the point's experiment."""
    swept = replace(load_experiment(name), **changes)
    return [made_up(each, course(each), point=point) for point, each in sweeps.points(swept).items()]


def made_up_folder(
    folder: Path, experiment: Experiment, theta0: list[Params], masks: dict[int, list[Mask]],
    trained: list[Params],
) -> Path:  # fmt: skip
    """A run's folder with checkpoints of tickets: θ₀, each round's masks and the trained params, by trial.

    The same params count as trained in all rounds.
    """
    paths.config(folder).parent.mkdir(parents=True, exist_ok=True)
    paths.config(folder).write_text(compatible.to_json(experiment))
    for trial, params in enumerate(theta0):
        checkpoints.save(paths.theta0(folder, trial), params, {"trial": trial})
    for round, found in masks.items():
        rows = [{"arm": "ticket", "trial": trial, "repeat": 0} for trial in range(len(found))]
        tree = {"mask": stack(found), "trained": stack(trained)}
        checkpoints.save(paths.part(folder, round, 0), tree, {"rows": rows, "seconds": 0.0})
    return folder


def _row(experiment, lane, changes) -> tuple[dict, float]:
    arm, round, trial, repeat = lane
    count, total = remaining(experiment, round), remaining(experiment, 0)
    jitter = 1e-4 * (trial - (experiment.trials - 1) / 2)
    row = {
        "arm": arm, "trial": trial, "repeat": repeat, "round": round,
        "weights_remaining": count, "weights_total": total, "percent_remaining": 100 * count / total,
        "early_stop_step": 8_000, "early_stop_validation_loss": 0.07,
        "early_stop_test_accuracy": 0.98 + jitter, "early_stop_train_accuracy": 0.995,
        "initial_test_accuracy": 0.1, "final_test_accuracy": 0.978 + jitter, "final_train_accuracy": 1.0,
        "diverged": False,
    }  # fmt: skip
    validation = changes.get("validation", 0.979 + jitter)
    return {**row, **{key: value for key, value in changes.items() if key != "validation"}}, validation


def _curves(experiment, row, validation) -> dict[str, np.ndarray]:
    """Straight lines through the row's values at steps 0, the early stop and the end, in 51 points."""
    last, stop = experiment.train.steps, row["early_stop_step"]
    steps = np.unique(np.append(np.linspace(0, last, 51).round(-2).astype(int), stop))
    knots, least = [0, max(stop, 1), max(last, stop + 1)], row["early_stop_validation_loss"]
    values = {
        "train": (
            row["initial_test_accuracy"],
            row["early_stop_train_accuracy"],
            row["final_train_accuracy"],
        ),
        "validation": (row["initial_test_accuracy"], validation, validation),
        "test": (
            row["initial_test_accuracy"],
            row["early_stop_test_accuracy"],
            row["final_test_accuracy"],
        ),
    }
    return {
        **{name: np.full(len(values) * len(steps), row[name]) for name in history.LANE},
        "step": np.tile(steps, len(values)), "split": np.repeat(list(values), len(steps)),
        "loss": np.tile(np.interp(steps, knots, [2.3, least, 2 * least]), len(values)),
        "accuracy": np.concatenate([np.interp(steps, knots, points) for points in values.values()]),
    }  # fmt: skip
