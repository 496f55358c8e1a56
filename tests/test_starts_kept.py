"""Dense networks that rewindings go back to: kept, continued from, merged, carried, and missed."""

import shutil
from dataclasses import replace
from functools import cache

import chex
import numpy as np
import pandas as pd
import pytest

from ltjax import UserError, load_ticket
from ltjax.cli.commands import export
from ltjax.core.choices import Choice
from ltjax.core.safetensors import load_tensors
from ltjax.core.types import Lane
from ltjax.lottery.loop import find_tickets
from ltjax.lottery.rewinding import LearningRate, Step
from ltjax.runs import paths
from ltjax.runs.folder import Run
from ltjax.runs.merging import merge
from ltjax.runs.opening import open_run
from ltjax.runs.packing import pack, unpack

from .conftest import TINY, finish, with_prune, with_train
from .test_snapshots import Killed, train

OWN = with_train(TINY, optimizer=Choice("optimizer", "momentum"), learning_rate=0.05, evaluate_every=10)
LATE = replace(with_prune(OWN, rewind=Step(15), rounds=2), arms={"ticket": 1})
REWOUND = {"step": LATE, "learning_rate": with_prune(LATE, rewind=LearningRate(15))}


def keeping(experiment, keep):
    return replace(experiment, compute=replace(experiment.compute, keep=keep))


@pytest.fixture(scope="module")
def finished_by(tmp_path_factory):
    """A run by a rewinding, never interrupted; read only."""

    @cache
    def run(name):
        return finish(REWOUND[name], tmp_path_factory.mktemp("whole") / name)

    return run


@pytest.fixture(params=list(REWOUND))
def whole(request, finished_by):
    return finished_by(request.param)


@pytest.fixture
def late(finished_by):
    return finished_by("step")


def assert_same(one, two):
    assert paths.summary(one).read_bytes() == paths.summary(two).read_bytes()
    tables = [pd.read_parquet(each / "curves") for each in (one, two)]
    order = ["round", "arm", "trial", "repeat", "step", "split"]
    pd.testing.assert_frame_equal(*(each.sort_values(order, ignore_index=True) for each in tables))


LONG = [pytest.param(dies_at, marks=pytest.mark.long) for dies_at in ((0, 10), (1, 30))]


@pytest.mark.parametrize("dies_at", [(0, 20), *LONG], ids=str)
def test_killed_before_and_after_a_capture_it_continues_to_the_same_bits(dies_at, late, tmp_path):
    with pytest.raises(Killed):
        train(tmp_path / "run", dies_at, experiment=LATE)
    run, _ = train(tmp_path / "run", experiment=LATE)
    assert_same(run.folder, late.folder)
    for trial in range(LATE.trials):
        chex.assert_trees_all_equal(run.starts(trial), late.starts(trial))


def test_a_run_kept_as_masks_continues_to_the_same_tables(whole, tmp_path):
    """The dense networks stay, since nothing else has them; trained weights while a rewinding needs them."""
    own = keeping(whole.experiment, "masks")
    for rounds in (0, 1, 2):
        finish(with_prune(own, rounds=rounds), tmp_path / "run")
    assert_same(tmp_path / "run", whole.folder)
    assert Run(tmp_path / "run").starts(0).keys() == whole.starts(0).keys()


def test_a_packed_run_continues_elsewhere_to_the_same_tables(whole, tmp_path):
    finish(with_prune(whole.experiment, rounds=1), tmp_path / "begun")
    pack(tmp_path / "begun", tmp_path / "run.tar.gz")
    unpack(tmp_path / "run.tar.gz", tmp_path / "carried")
    finish(keeping(whole.experiment, "masks"), tmp_path / "carried")
    assert_same(tmp_path / "carried", whole.folder)


def halves(folder):
    for trial in range(LATE.trials):
        run = open_run(folder / f"{trial}", LATE)
        for part in find_tickets(LATE, past=run, only=[trial]):
            run.save(part, seconds=1.0)
    return [folder / f"{trial}" for trial in range(LATE.trials)]


def test_merged_halves_are_the_whole_with_their_dense_networks(late, tmp_path):
    merge(halves(tmp_path), tmp_path / "merged")
    assert_same(tmp_path / "merged", late.folder)
    for trial in range(LATE.trials):
        chex.assert_trees_all_equal(Run(tmp_path / "merged").starts(trial), late.starts(trial))


def test_runs_whose_dense_networks_differ_are_not_merged(late, tmp_path):
    copy = shutil.copytree(late.folder, tmp_path / "copy")
    shutil.rmtree(paths.start(copy, 0, 15))
    shutil.copytree(paths.start(copy, 1, 15), paths.start(copy, 0, 15))
    with pytest.raises(UserError, match="different params of trial 0 at step 15"):
        merge([late.folder, copy], tmp_path / "merged")


def test_a_dense_network_that_is_lost_is_told_and_nothing_is_trained(late, tmp_path):
    copy = shutil.copytree(late.folder, tmp_path / "copy")
    shutil.rmtree(paths.start(copy, 1, 15))
    with pytest.raises(UserError, match="dense network of trial 1 at step 15 is lost"):
        finish(with_prune(LATE, rounds=3), copy)
    assert sorted(Run(copy).parts) == [0, 1, 2]


def test_what_is_loaded_and_exported_is_the_rewound_ticket(whole, tmp_path):
    ticket = load_ticket(whole.folder, trial=0, round=2)
    began = {"step": whole.starts(0).get(15), "learning_rate": whole.outcome(1, Lane("ticket", 0)).start}
    kernel, mask = ticket.params["fc1"]["kernel"], ticket.mask["fc1"]["kernel"]
    own = began[whole.experiment.prune.rewind.name].params["fc1"]["kernel"]
    np.testing.assert_array_equal(kernel, np.where(mask, own, 0))
    assert ticket.step == {"step": 15, "learning_rate": 25}[whole.experiment.prune.rewind.name]
    export.main([str(whole.folder), "--round", "2", "--to", str(tmp_path / "ticket"), "--no-measure"])
    exported = load_tensors(tmp_path / "ticket" / "initial.safetensors")
    chex.assert_trees_all_equal(exported, ticket.params)
