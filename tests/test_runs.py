"""The run's folder: continuing, extending, refusing; and nothing lost whatever happens."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import chex
import numpy as np
import pandas as pd
import pytest

import ltjax
from ltjax.core.errors import UserError
from ltjax.core.types import Lane
from ltjax.lanes import history
from ltjax.lottery.loop import find_tickets
from ltjax.runs import checkpoints, opening, paths, tables
from ltjax.runs.folder import Run, read_config
from ltjax.runs.opening import open_run

from .conftest import TINY, finish, with_prune, with_train


@pytest.fixture
def copy(finished, tmp_path) -> Path:
    """A copy of the finished run, to be changed."""
    return Path(shutil.copytree(finished.folder, tmp_path / "copy"))


def curves(folder: Path) -> pd.DataFrame:
    order = ["round", "arm", "trial", "repeat", "split", "step"]
    return tables.read_curves(folder / "curves").sort_values(order, ignore_index=True)


def assert_same_results(one: Path, two: Path) -> None:
    """The tables are equal byte for byte and value for value, and so are all checkpoints' arrays."""
    assert paths.summary(one).read_bytes() == paths.summary(two).read_bytes()
    pd.testing.assert_frame_equal(curves(one), curves(two), check_exact=True)
    first, second = Run(one), Run(two)
    for round in range(TINY.prune.rounds + 1):
        assert first.lanes(round) == second.lanes(round)
        for lane in first.lanes(round):
            chex.assert_trees_all_equal(
                first.outcome(round, lane)._asdict(), second.outcome(round, lane)._asdict()
            )


def without_last_round(folder: Path) -> None:
    """As if the run had been killed before its last round was kept."""
    shutil.rmtree(paths.part(folder, 2, 0))
    paths.curves(folder, 2, 0).unlink()
    Run(folder).write_summary()


def remove(part: Path) -> None:
    """Remove a part, and the summary that has its rows, as messages advise."""
    shutil.rmtree(part)
    paths.summary(part.parents[2]).unlink()


def test_the_folder_holds_what_the_contract_says(finished):
    summary = pd.read_csv(finished.folder / "summary.csv")
    assert len(summary) == 3 * 2 * 2 and list(summary.columns) == history.SUMMARY
    assert summary.sort_values(["round", "arm", "trial", "repeat"]).index.tolist() == list(range(12))
    read = pd.read_parquet(finished.folder / "curves")
    assert len(read) == 12 * 3 * 3 and list(read.columns) == history.CURVES
    assert set(read["split"]) == {"train", "validation", "test"}
    assert ltjax.load_experiment(finished.folder) == TINY


def test_a_finished_run_has_nothing_left_to_do(finished):
    assert not list(find_tickets(TINY, past=finished))


@pytest.mark.parametrize("lost", ["nothing", "curves", "checkpoint", "summary", "rounds"])
def test_a_killed_run_continues_to_the_same_results(lost, copy, finished):
    """Whatever part of a round had been written when the process was killed."""
    if lost in ("curves", "rounds"):
        without_last_round(copy)
    if lost == "checkpoint":  # its curves are there already, and a checkpoint half-written
        part = paths.part(copy, 2, 0)
        part.rename(part.with_name(f"{part.name}.orbax-checkpoint-tmp"))
        Run(copy).write_summary()
    if lost == "summary":
        paths.summary(copy).unlink()
    finish(TINY, copy)
    assert_same_results(copy, finished.folder)
    assert not list(paths.rounds(copy).glob("*tmp*"))


def test_mending_a_part_of_a_round_of_several_touches_no_other(tmp_path):
    grown = with_prune(replace(TINY, trials=1), rounds=0)
    finish(replace(grown, arms={"ticket": 1}), tmp_path)
    finish(grown, tmp_path)
    before = curves(tmp_path)
    truncate(paths.curves(tmp_path, 0, 0))
    remove(paths.part(tmp_path, 0, 0))
    finish(grown, tmp_path)
    pd.testing.assert_frame_equal(curves(tmp_path), before, check_exact=True)


def test_a_copy_of_a_part_is_not_counted_twice(copy, finished):
    shutil.copytree(paths.part(copy, 0, 0), paths.rounds(copy) / "round_000_part_0.bak")
    finish(TINY, copy)
    assert_same_results(copy, finished.folder)


def test_curves_of_other_lanes_are_told(copy):
    shutil.copy(paths.curves(copy, 0, 0), paths.curves(copy, 1, 0))
    rows = tables.read_curves(paths.curves(copy, 1, 0)).assign(arm="random")
    tables.write_curves(paths.curves(copy, 1, 0), rows)
    with pytest.raises(UserError, match="holds other lanes"):
        open_run(copy, TINY)


def test_reading_a_run_leaves_alone_what_its_process_is_writing(copy):
    unfinished = paths.rounds(copy) / "round_003_part_0.orbax-checkpoint-tmp"
    unfinished.mkdir()
    ltjax.load_ticket(copy, trial=0, round=2)
    assert unfinished.is_dir()
    open_run(copy, TINY)
    assert not unfinished.exists()


def test_more_rounds_and_another_arm_extend_a_run_to_what_one_go_would_have_given(finished, tmp_path):
    small = with_prune(replace(TINY, arms={"ticket": 1}, trials=1), rounds=1)
    finish(small, tmp_path / "run")
    for grown in (with_prune(small, rounds=2), replace(TINY, trials=1), TINY):
        run = finish(grown, tmp_path / "run")
        assert read_config(tmp_path / "run") == run.experiment
    assert_same_results(tmp_path / "run", finished.folder)
    assert read_config(tmp_path / "run") == TINY


def test_fewer_rounds_or_trials_than_a_run_has_leave_it_as_it_is(copy, finished):
    finish(with_prune(replace(TINY, trials=1), rounds=1), copy)
    assert_same_results(copy, finished.folder)
    assert read_config(copy) == TINY


@pytest.mark.parametrize(
    ("asked", "difference"),
    [
        (replace(TINY, seed=4), "seed: the run has 3, asked is 4"),
        (with_train(TINY, steps=60), "train.steps: the run has 40, asked is 60"),
        (with_prune(TINY, criterion="random"), "prune.criterion: the run has 'magnitude', asked is 'random'"),
        (replace(TINY, model=replace(TINY.model, widths=(16, 13))), "model.widths: the run has"),
        (with_prune(TINY, rates=replace(TINY.prune.rates, fc=0.3)), "prune.rates.fc: the run has 0.2"),
    ],
)
def test_another_experiment_is_refused_and_the_difference_shown(asked, difference, copy, finished):
    with pytest.raises(UserError, match="holds another experiment") as error:
        open_run(copy, asked)
    assert difference in str(error.value)
    assert_same_results(copy, finished.folder)


def test_where_things_lie_and_run_makes_no_other_experiment(copy):
    asked = replace(
        TINY, name="other", data=replace(TINY.data, dir="elsewhere"), compute=ltjax.Compute(devices=1)
    )
    assert open_run(copy, asked).experiment == TINY


def test_a_folder_in_which_nothing_was_trained_may_become_another_run(tmp_path):
    """As where a run was refused for want of memory or of a logger, and its command corrected."""
    open_run(tmp_path, replace(TINY, seed=4))
    (tmp_path / "environment.json").write_text("{}")
    assert open_run(tmp_path, TINY).experiment == TINY == open_run(tmp_path, TINY).experiment
    by_hand = '{"seed": 4}'
    (tmp_path / "config.json").write_text(by_hand)
    with pytest.raises(UserError, match="holds another experiment"):
        open_run(tmp_path, TINY)
    assert (tmp_path / "config.json").read_text() == by_hand
    (tmp_path / "config.json").unlink()
    (tmp_path / "environment.json").unlink()
    run = open_run(tmp_path, TINY)
    run.save_theta0(0, {"fc1": {"kernel": np.zeros((2, 2), np.float32)}})
    with pytest.raises(UserError, match="holds another experiment"):
        open_run(tmp_path, replace(TINY, seed=4))


def test_an_export_is_no_run(tmp_path):
    (tmp_path / "mask.safetensors").touch()
    for refused in (
        lambda: Run(tmp_path),
        lambda: open_run(tmp_path, TINY),
        lambda: read_config(tmp_path),
    ):
        (tmp_path / "config.json").write_text("{}")
        with pytest.raises(UserError, match=f"is an export .*`ltjax evaluate {tmp_path}/final.safetensors"):
            refused()


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(UserError, match="no run of ltjax"):
        open_run(tmp_path, TINY)
    with pytest.raises(UserError, match="no run of ltjax"):
        open_run(tmp_path / "thesis.tex", TINY)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def largest_file(folder: Path) -> Path:
    return max((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x40
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [truncate, flip, Path.unlink])
def test_a_damaged_checkpoint_is_told_and_never_trained_on(damage, copy):
    damage(largest_file(paths.part(copy, 2, 0)))
    with pytest.raises(UserError, match="is damaged or incomplete; remove it and repeat"):
        list(find_tickets(with_prune(TINY, rounds=3), past=open_run(copy, with_prune(TINY, rounds=3))))


def test_following_the_advice_of_that_message_mends_the_run(copy, finished):
    truncate(largest_file(paths.part(copy, 2, 0)))
    remove(paths.part(copy, 2, 0))
    finish(TINY, copy)
    assert_same_results(copy, finished.folder)


@pytest.mark.parametrize("damage", [truncate, Path.unlink])
def test_damaged_curves_are_told_and_the_advice_mends_them(damage, copy, finished):
    damage(paths.curves(copy, 1, 0))
    with pytest.raises(
        UserError, match=r"cannot be read .* Remove '.*round_001_part_0' and '.*summary.csv' to train"
    ):
        open_run(copy, TINY)
    remove(paths.part(copy, 1, 0))
    finish(TINY, copy)
    assert_same_results(copy, finished.folder)


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '{"trials": "five"}', '{"nonsense": 1}', '{"data": 3}', '{"prune": {"rates": 0}}'],
)
def test_a_damaged_configuration_is_told(content, copy):
    paths.config(copy).write_text(content)
    with pytest.raises(UserError, match=r"config\.json' is damaged: this is no configuration of ltjax"):
        open_run(copy, TINY)


def test_a_damaged_summary_is_written_anew_from_the_checkpoints(copy, finished):
    truncate(paths.summary(copy))
    open_run(copy, TINY)
    assert_same_results(copy, finished.folder)


@pytest.mark.parametrize("broken", ["write_curves", "write_summary", "save"])
def test_a_full_disk_loses_nothing(broken, copy, finished, monkeypatch):
    """Each kind of write fails once; the next start goes on to the same results."""
    without_last_round(copy)
    home = checkpoints if broken == "save" else tables

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(home, broken, full)
        run = Run(copy)
        with pytest.raises(OSError, match="No space"):
            for found in find_tickets(TINY, past=run):
                run.save(found, 0.0)
    assert len(tables.read_summary(paths.summary(copy))) == 8
    finish(TINY, copy)
    assert_same_results(copy, finished.folder)


def test_load_ticket_and_load_trained(finished):
    ticket = ltjax.load_ticket(finished.folder, trial=1, round=2)
    trained = ltjax.load_trained(str(finished.folder), round=2, arm="ticket", trial=1, repeat=0)
    chex.assert_trees_all_equal_shapes(ticket.params, trained)
    kernel = trained["fc1"]["kernel"]
    assert ((kernel != 0) <= ticket.mask["fc1"]["kernel"]).all() and isinstance(kernel, np.ndarray)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"round": 9}, "no ticket of trial 0, repeat 0, round 9; it has rounds 0 to 2 of 2 trials"),
        ({"round": 0, "trial": 7}, "no ticket of trial 7"),
        ({"round": 0, "arm": "random"}, "no random of trial 0.*arms: reinit, ticket"),
    ],
)
def test_a_lane_that_was_not_trained_is_told_with_what_was(asked, message, finished):
    with pytest.raises(UserError, match=message):
        ltjax.load_trained(finished.folder, **asked)


def test_a_folder_without_a_run_is_told(tmp_path):
    with pytest.raises(UserError, match="holds no run of ltjax"):
        ltjax.load_ticket(tmp_path / "nowhere", trial=0, round=0)


def test_the_environment_of_every_start_is_kept(tmp_path):
    for number in range(3):
        opening.write_environment(tmp_path, {"start": number})
    kept = json.loads(paths.environment(tmp_path).read_text())
    assert kept == {"start": 2, "earlier": [{"start": 0}, {"start": 1}]}


def test_a_ticket_of_a_lane_among_parts_is_found(tmp_path):
    """Extending a run spreads a round over several parts; each lane is found in its own."""
    one = with_prune(replace(TINY, trials=1, arms={"ticket": 1}), rounds=0)
    finish(one, tmp_path)
    run = finish(replace(one, trials=2), tmp_path)
    assert run.lanes(0) == {Lane("ticket", 0), Lane("ticket", 1)} and len(run.parts[0]) == 2
    theta0 = run.theta0(1)
    assert (run.outcome(0, Lane("ticket", 1)).trained["fc1"]["kernel"] != theta0["fc1"]["kernel"]).any()
