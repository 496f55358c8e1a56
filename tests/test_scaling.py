"""The arithmetic of docs/scaling.md, by hand-computed cases."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))
import scaling
from scaling import Load, hours, loads_of, side_by_side, step_seconds

from ltjax import load_experiment
from ltjax.lottery.dry_run import plan
from ltjax.lottery.resolving import resolve
from ltjax.settings.loading import experiments

SECONDS = {"1": 0.36, "5": 0.36, "10": 0.72}
"""As on an accelerator: up to five lanes cost what one does."""


@pytest.mark.parametrize(
    ("lanes", "seconds"), [(1, 0.36), (3, 0.36), (5, 0.36), (7, 0.504), (10, 0.72), (30, 2.16)]
)
def test_a_step_takes_what_was_measured_and_beyond_that_as_many_times_more(lanes, seconds):
    assert step_seconds(SECONDS, lanes) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("devices", "expected"),
    [
        (1, 2.0 + 1.0),  # ten lanes at 0.72 s, then five at 0.36
        (2, 1.0 + 1.0),  # five and five; three and two take no less than five
        (10, 1.0 + 1.0),
        (256, 1.0 + 1.0),  # beyond a device for each lane nothing is gained
    ],
)
def test_a_round_waits_for_the_device_with_the_most_lanes(devices, expected):
    assert hours(Load("lenet", (10, 5), 10_000), SECONDS, devices) == pytest.approx(expected)


def test_a_larger_network_takes_time_by_its_flops_and_an_empty_round_none():
    assert hours(Load("lenet", (1, 0), 10_000, size=2.5), SECONDS, 1) == pytest.approx(2.5)


def test_experiments_side_by_side_take_no_less_than_the_longest():
    every = {"lenet": {"short": [Load("lenet", (5,), 1000)], "long": [Load("lenet", (5,) * 3, 10_000)]}}
    told = side_by_side(every, {"lenet": {"seconds": SECONDS}}, 4)
    assert "at least 0.8 hours" in told and "no less than 3.0, which long's rounds" in told


def test_the_lanes_of_a_sweeps_points_are_shared_out_together():
    experiment = load_experiment("lenet_adam_rates")
    flops = plan(resolve(load_experiment("lenet_iterative"))).step_flops
    (load,) = loads_of(experiment, "lenet", flops)
    points = len(experiment.sweep["train.learning_rate"])
    assert set(load.lanes) == {points * experiment.trials}
    assert load.size == pytest.approx(1.0) and load.steps == experiment.train.steps


def test_every_experiment_of_the_paper_is_counted_once_under_its_own_network(monkeypatch):
    monkeypatch.setattr(scaling, "plan", lambda experiment: SimpleNamespace(step_flops=1.0))
    monkeypatch.setattr(scaling, "loads_of", lambda experiment, network, flops: experiment)
    counted = scaling.study()
    assert sorted(name for each in counted.values() for name in each) == sorted(
        name for name in experiments() if name not in ("digits", "mnist_5k")
    )
    for network, named in counted.items():
        assert {experiment.model.name for experiment in named.values()} == {network}
