"""Every named experiment runs end to end, made tiny: digits, few steps, one trial, few rounds and points."""

from dataclasses import replace

import pandas as pd
import pytest

from ltjax import paths, sweeps, tables
from ltjax.catalogue import experiments, load_experiment
from ltjax.config import Data
from ltjax.figures import FIGURES
from ltjax.lottery import find_tickets
from ltjax.opening import open_runs, write_points
from ltjax.search import lanes_of
from ltjax.study import read_study
from ltjax.validation import validate

ROUNDS = 2
DEEP = {"lenet_iterative": 4, "lenet_sgd": 4}  # the first round that Figures 21 to 24 look into

DRAWS = {
    "lenet_iterative": ["15", "19", "20", "21", "23", "layers", "pixels", "untrained"],
    "lenet_controls": ["1", "4a", "4b", "12", "14"],
    "lenet_oneshot": ["4c"],
    "lenet_resample": ["17"],
    "lenet_noise": ["25"],
    "lenet_sgd": ["16", "22", "24"],
    "lenet_adam_rates": ["26"],
    "lenet_sgd_rates": ["27"],
    "lenet_momentum_rates": ["28"],
    "lenet_pruning_rates": ["29"],
    "lenet_init_scales": ["30"],
    "lenet_sizes": ["31"],
    "lenet_continued": [],  # Figures 9 and 18 set these beside another run
    "lenet_step0": [],
    "digits": [],
}
"""The figures that an experiment is there for and suffices to draw (3 and 11 need LeNet's own sizes)."""


def tiny(name):
    """A named experiment with its arms, schedule, optimizer and sweep as they are, and all else small."""
    named = load_experiment(name)
    sweep = {setting: (values[0], values[-1]) for setting, values in named.sweep.items()}
    if "prune.rounds" in sweep:
        sweep["prune.rounds"] = (ROUNDS, 1)
    return replace(
        named,
        trials=1,
        sweep=sweep,
        arms=dict.fromkeys(named.arms, 1),
        data=Data(name="digits", validation=100),
        model=replace(named.model, widths=(12, 8)),
        train=replace(named.train, steps=4, batch=30, evaluate_every=2, evaluate_batch=500),
        prune=replace(named.prune, rounds=DEEP.get(name, ROUNDS)),
    )


@pytest.mark.parametrize("name", sorted(experiments()))
def test_a_named_experiment_runs_end_to_end(name, tmp_path):
    experiment = tiny(name)
    runs = open_runs(tmp_path, experiment)
    for found in find_tickets(experiment, past=runs):
        runs[found.point].save(found, 0.0)
        write_points(tmp_path, runs)
    for point, each in sweeps.points(experiment).items():
        rows = tables.read_summary(paths.summary(paths.point(tmp_path, point)))
        lanes = [len(lanes_of(each, round)) for round in range(each.prune.rounds + 1)]
        assert rows["round"].value_counts(sort=False).tolist() == lanes
        assert set(rows["arm"]) == set(each.arms) and not rows["diverged"].any()
    assert not list(find_tickets(experiment, past=open_runs(tmp_path, experiment)))
    assert len(pd.read_csv(paths.summary(tmp_path)))
    study = read_study([tmp_path])
    for figure in DRAWS[name]:
        assert FIGURES[figure].draw(study).axes


@pytest.mark.parametrize("name", sorted(experiments()))
def test_a_named_experiment_is_valid_as_it_stands_and_bears_its_own_name(name):
    experiment = load_experiment(name)
    validate(experiment)
    assert experiment.name == name
