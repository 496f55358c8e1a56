"""Snapshots: killed in the middle of a round, a run continues from minutes before, to the same bits."""

from dataclasses import replace

import chex
import numpy as np
import pandas as pd
import pytest

from ltjax.core.errors import UserError
from ltjax.core.types import Lane
from ltjax.lanes.snapshots import Snapshots
from ltjax.lottery.loop import find_tickets
from ltjax.runs import checkpoints, paths
from ltjax.runs.opening import open_run
from ltjax.runs.partial import Begun

from .conftest import TINY, with_prune, with_train

LONG = with_prune(replace(with_train(TINY, steps=60, evaluate_every=20, optimizer="momentum")), rounds=1)
ALWAYS = 1e-9
"""Minutes: a snapshot at every evaluation."""


class Killed(Exception):
    """Stands for a kill: nothing of ltjax catches it."""


def train(folder, dies_at=None, minutes=ALWAYS, experiment=LONG):
    """Run in a folder, as the command line does, to the end or until (round, step) has been seen."""
    run, steps = open_run(folder, experiment), []

    def observe(round, lanes, step, seen):
        steps.append((round, step))
        if (round, step) == dies_at:
            raise Killed

    begun = Begun(folder, minutes)
    for found in find_tickets(experiment, past=run, observe=observe, snapshots=begun.of):
        run.save(found, 0.0)
    begun.clear()
    return run, steps


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    return train(tmp_path_factory.mktemp("undisturbed") / "run", minutes=1e9)[0]


def same(one, two):
    pd.testing.assert_frame_equal(one.summary(), two.summary())
    for round in range(LONG.prune.rounds + 1):
        for lane in one.lanes(round):
            chex.assert_trees_all_equal(one.outcome(round, lane), two.outcome(round, lane))
    curves = [pd.read_parquet(run.folder / "curves") for run in (one, two)]
    pd.testing.assert_frame_equal(*curves)


@pytest.mark.parametrize(("dies_at", "again"), [((0, 0), 0), ((0, 40), 20), ((1, 20), 0), ((1, 60), 40)])
def test_a_killed_round_continues_from_its_snapshot_to_the_same_bits(dies_at, again, undisturbed, tmp_path):
    """Observers are told one interval late, so that the snapshot before is the one of the step before."""
    with pytest.raises(Killed):
        train(tmp_path, dies_at)
    run, steps = train(tmp_path)
    same(run, undisturbed)
    assert steps[0] == (dies_at[0], again)
    assert not paths.begun(tmp_path).exists(), "nothing is left of the snapshots of a finished run"


def test_only_the_last_snapshot_is_kept_and_a_killed_save_leaves_no_harm(undisturbed, tmp_path):
    with pytest.raises(Killed):
        train(tmp_path, (0, 60))
    (kept,) = checkpoints.finished(paths.begun(tmp_path))
    assert checkpoints.note(kept)["step"] == 40
    (kept.parent / f"other{checkpoints.UNFINISHED}-1").mkdir()
    run, steps = train(tmp_path)
    assert steps[0] == (0, 40)
    same(run, undisturbed)


def test_a_snapshot_is_of_its_own_lanes_only(tmp_path):
    """With more trials asked for, the round is another part, and begins anew."""
    with pytest.raises(Killed):
        train(tmp_path, (0, 40))
    _, steps = train(tmp_path, experiment=replace(LONG, trials=4, prune=replace(LONG.prune, rounds=0)))
    assert steps[0] == (0, 0)


def test_lanes_that_were_not_saved_continue_from_the_snapshot_that_they_share(undisturbed, tmp_path):
    """As those of a sweep's second point, killed after the first was saved: here one trial is done."""
    with pytest.raises(Killed):
        train(tmp_path, (1, 60))
    note, *_ = (checkpoints.note(each) for each in checkpoints.finished(paths.begun(tmp_path)))
    begun = Begun(tmp_path, 1e9)
    part = [("", Lane("ticket", 1)), ("", Lane("reinit", 0))]
    whole, some = (
        begun.of(1, each).begun for each in ([(point, Lane(*lane)) for point, *lane in note["lanes"]], part)
    )
    places = [note["lanes"].index([point, *lane]) for point, lane in part]
    assert some.step == whole.step == 40 and len(places) < len(note["lanes"])
    chex.assert_trees_all_equal(some.state, [leaf[places] for leaf in whole.state])
    chex.assert_trees_all_equal(
        some.seen["loss"], {split: values[:, places] for split, values in whole.seen["loss"].items()}
    )
    assert begun.of(1, [*part, ("", Lane("ticket", 2))]).begun is None


def test_a_damaged_snapshot_is_told_and_never_trained_on(tmp_path):
    with pytest.raises(Killed):
        train(tmp_path, (0, 40))
    for path in paths.begun(tmp_path).rglob("*"):
        if path.is_file() and path.stat().st_size > 1000:
            path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(UserError, match="is damaged or incomplete; remove it"):
        train(tmp_path)


def test_snapshots_come_every_so_many_minutes(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    kept = []
    snapshots = Snapshots(None, kept.append, minutes=5)
    due = []
    for minute in range(12):
        now[0] = 60.0 * minute
        if snapshots.due():
            due.append(minute)
            snapshots.keep(minute)
    assert due == kept == [5, 10]


def test_none_is_taken_of_a_short_round(tmp_path):
    run, _ = train(tmp_path, minutes=5.0)
    assert not paths.begun(tmp_path).exists()
    assert np.isfinite(run.summary()["final_test_accuracy"]).all()
