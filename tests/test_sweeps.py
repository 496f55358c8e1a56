"""Sweeps: points by name, lanes of one program where only values differ, one folder that continues."""

from dataclasses import replace

import chex
import pandas as pd
import pytest

from ltjax.cli.parsing import read_sweep, show_sweep
from ltjax.core.errors import UserError
from ltjax.core.types import Lane
from ltjax.lanes import history, program
from ltjax.lottery.loop import find_tickets
from ltjax.runs import paths
from ltjax.runs.opening import open_run, open_runs, write_points
from ltjax.settings import compatible, sweeps

from .conftest import TINY, with_prune, with_train

RATES = {"train.learning_rate": (1e-3, 1e-2)}
MOMENTUM = with_train(TINY, optimizer="momentum")
SWEPT = replace(TINY, trials=1, arms={"ticket": 1}, sweep=RATES)


def finish(experiment, folder):
    """Run a swept experiment into a folder, as the command line does."""
    runs = open_runs(folder, experiment)
    for found in find_tickets(experiment, past=runs):
        runs[found.point].save(found, 0.0)
        write_points(folder, runs)
    return runs


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("swept")
    return folder, finish(SWEPT, folder)


@pytest.mark.parametrize(
    ("sweep", "names"),
    [
        ({}, [""]),
        (RATES, ["learning_rate=0.001", "learning_rate=0.01"]),
        ({"model.widths": ((25, 9), (9,))}, ["widths=25-9", "widths=9"]),
        ({"prune.rates.fc": (0.1,), "prune.rates.output": (0.05,)}, ["fc=0.1"]),
        ({"model.init_std": (0.1, None)}, ["init_std=0.1", "init_std=None"]),
        ({"model.start": ("a/b.safetensors",)}, ["start=a_b.safetensors"]),
    ],
)
def test_points_are_named_by_their_first_setting(sweep, names):
    assert list(sweeps.points(replace(TINY, sweep=sweep))) == names


def test_a_point_is_the_experiment_with_its_values():
    points = sweeps.points(replace(TINY, sweep={"prune.rates.fc": (0.4,), "prune.rounds": (9,)}))
    rates = replace(TINY.prune.rates, fc=0.4)
    assert points == {"fc=0.4": with_prune(TINY, rates=rates, rounds=9)}


@pytest.mark.parametrize(
    ("sweep", "message"),
    [
        ({"train.learning_rat": (1,)}, "no setting 'train.learning_rat'; did you mean 'train.learning_rate'"),
        ({"name": ("a",)}, "name cannot be swept"),
        ({"train.steps": (1, 2), "seed": (1,)}, "as many values each; train.steps has 2, seed has 1"),
        ({"train.steps": ("many",)}, "train.steps is 'many', where a whole number is expected"),
        ({"train.steps": (1, 1)}, "two points are called 'steps=1'"),
        ({"train.steps": ()}, "no values"),
        ({"data.name": ("digits", "mnist")}, "data.name cannot be swept"),  # all points train on one data set
        ({"seed": tuple(range(1001))}, "at most 1000 points"),
        ({"model.start": ("x" * 300,)}, "at most 255 bytes"),
    ],
)
def test_a_sweep_that_cannot_be_is_told(sweep, message):
    with pytest.raises(UserError, match=message):
        sweeps.points(replace(TINY, sweep=sweep))


@pytest.mark.parametrize(
    ("changes", "together"),
    [
        ({"train.learning_rate": (0.1, 0.2)}, True),
        ({"model.init_std": (0.1, 0.2)}, True),
        ({"prune.rates.fc": (0.1, 0.2), "prune.rounds": (1, 2)}, True),
        ({"model.widths": ((5,), (6,))}, False),
        ({"train.optimizer": ("sgd", "adam")}, False),
        ({"train.steps": (1, 2)}, False),
        ({"seed": (1, 2)}, False),  # the validation split differs
    ],
)
def test_points_share_a_program_where_only_values_differ(changes, together):
    one, two = sweeps.points(replace(TINY, sweep=changes)).values()
    assert (sweeps.program_key(one) == sweeps.program_key(two)) == together


def test_points_train_as_lanes_of_one_program_to_the_bits_they_have_alone(swept, monkeypatch):
    """Also with the learning rate an argument of the program and not a constant."""
    made = []
    monkeypatch.setattr(
        "ltjax.lottery.loop.LaneProgram",
        lambda *arguments: made.append(arguments[-1]) or program.LaneProgram(*arguments),
    )
    together = list(find_tickets(SWEPT))
    assert made == [2] and [found.point for found in together[:2]] == list(sweeps.points(SWEPT))
    lane = Lane("ticket", 0)
    for rate in RATES["train.learning_rate"]:
        alone = find_tickets(with_train(replace(SWEPT, sweep={}), learning_rate=rate))
        mine = [found for found in together if found.point == f"learning_rate={rate}"]
        for found, expected in zip(mine, alone, strict=True):
            chex.assert_trees_all_equal(found.lane(lane)._asdict(), expected.lane(lane)._asdict())
            pd.testing.assert_frame_equal(found.curves, expected.curves)
    kernels = [found.lane(lane).trained["fc1"]["kernel"] for found in together[-2:]]
    assert (kernels[0] != kernels[1]).any()


@pytest.mark.long
def test_points_of_other_shapes_and_rounds_each_have_their_own_program():
    experiment = with_train(
        replace(SWEPT, sweep={"model.widths": ((5, 4), (4, 3)), "prune.rounds": (0, 1)}), steps=20
    )
    found = [(each.point, each.index) for each in find_tickets(experiment)]
    assert found == [("widths=5-4", 0), ("widths=4-3", 0), ("widths=4-3", 1)]


def test_a_swept_folder_holds_a_run_for_every_point_and_a_table_of_all(swept):
    folder, _ = swept
    table = pd.read_csv(paths.summary(folder))
    assert list(table.columns) == ["point", *history.SUMMARY] and len(table) == 2 * 3
    for point, each in sweeps.points(SWEPT).items():
        alone = open_run(paths.point(folder, point), each)
        assert alone.lanes(2) == {Lane("ticket", 0)}
    assert not list(find_tickets(SWEPT, past=open_runs(folder, SWEPT)))


def test_a_killed_sweep_continues_to_the_same_table_and_grows_by_points(swept, tmp_path):
    folder, _ = swept
    runs = open_runs(tmp_path, SWEPT)
    for number, found in enumerate(find_tickets(SWEPT, past=runs)):
        if number == 3:  # between the two points of one round
            break
        runs[found.point].save(found, 0.0)
    finish(SWEPT, tmp_path)
    assert paths.summary(tmp_path).read_bytes() == paths.summary(folder).read_bytes()
    grown = replace(SWEPT, sweep={"train.learning_rate": (1e-1,)})
    assert list(finish(grown, tmp_path)) == [f"learning_rate={rate}" for rate in (0.001, 0.01, 0.1)]


def test_a_refused_sweep_changes_nothing(tmp_path):
    """The new point would have an older one's name and other values."""
    pair = {"train.learning_rate": (1e-3,), "prune.rates.fc": (0.2,)}
    first, clash = (
        replace(with_prune(SWEPT, rounds=0), sweep={**pair, "prune.rates.fc": (rate,)}) for rate in (0.2, 0.5)
    )
    finish(first, tmp_path)
    before = paths.config(tmp_path).read_bytes()
    with pytest.raises(UserError, match="two points are called 'learning_rate=0.001'"):
        open_runs(tmp_path, clash)
    assert paths.config(tmp_path).read_bytes() == before
    assert not list(find_tickets(first, past=open_runs(tmp_path, first)))


def test_another_spelling_of_a_number_is_the_same_point(swept):
    one, two = (replace(MOMENTUM, sweep={"train.optimizer.momentum": (value, 0.5)}) for value in (0, 0.0))
    assert list(sweeps.points(one)) == list(sweeps.points(two)) == ["momentum=0.0", "momentum=0.5"]
    with pytest.raises(UserError, match="two points are called"):
        sweeps.points(replace(MOMENTUM, sweep={"train.optimizer.momentum": (0, 0.0)}))


@pytest.mark.parametrize("asked", [replace(SWEPT, sweep={}), replace(SWEPT, sweep={"seed": (1,)})])
def test_another_sweep_is_refused(asked, swept):
    folder, _ = swept
    with pytest.raises(UserError, match="sweep: the run varies train.learning_rate, asked is"):
        open_runs(folder, asked)


def test_a_sweep_survives_its_configuration_file():
    for sweep in (RATES, {"model.widths": ((25, 9), (9,)), "model.init_std": (None, 0.5)}):
        swept = replace(TINY, sweep=sweep)
        assert compatible.from_json(compatible.to_json(swept)) == swept


@pytest.mark.parametrize(
    ("texts", "sweep"),
    [
        (["train.learning_rate=1e-3,1e-2"], RATES),
        (["train.learning-rate=1e-3,1e-2"], RATES),
        (["model.widths=(25,9),(9,)"], {"model.widths": ((25, 9), (9,))}),
        (["model.init_std=0.1,None"], {"model.init_std": (0.1, None)}),
        (["train.optimizer=sgd,adam"], {"train.optimizer": ("sgd", "adam")}),
        (["seed=1", "trials=2"], {"seed": (1,), "trials": (2,)}),
    ],
)
def test_a_sweep_is_written_on_the_command_line_and_read_back(texts, sweep):
    assert read_sweep(texts) == sweep
    assert read_sweep(show_sweep(sweep)) == sweep
