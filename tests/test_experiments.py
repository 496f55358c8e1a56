"""Every named experiment runs end to end, made tiny: on digits, a few steps, one trial, few rounds and points."""

from dataclasses import replace

import pandas as pd
import pytest

from ltjax import paths, sweeps, tables
from ltjax.catalogue import experiments, load_experiment
from ltjax.config import Data
from ltjax.lottery import find_tickets
from ltjax.runs import open_runs, write_points
from ltjax.search import lanes_of
from ltjax.validation import validate

ROUNDS = 2


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
        prune=replace(named.prune, rounds=min(ROUNDS, named.prune.rounds)),
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


@pytest.mark.parametrize("name", sorted(experiments()))
def test_a_named_experiment_is_valid_as_it_stands_and_bears_its_own_name(name):
    experiment = load_experiment(name)
    validate(experiment)
    assert experiment.name == name
