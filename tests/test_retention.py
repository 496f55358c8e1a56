"""What a run's folder keeps of trained params, what that changes (nothing that is measured), and thinning."""

import shutil
from dataclasses import replace
from pathlib import Path

import chex
import jax
import pandas as pd
import pytest

from ltjax import load_ticket, load_trained
from ltjax.analysis import weight_statistics
from ltjax.cli.commands import keep
from ltjax.core.errors import UserError
from ltjax.core.types import Lane
from ltjax.lottery.arms import ARMS
from ltjax.lottery.loop import find_tickets
from ltjax.lottery.resolving import resolve
from ltjax.runs import checkpoints, opening, parts, paths
from ltjax.runs.folder import Run, read_config
from ltjax.runs.merging import merge
from ltjax.runs.opening import open_run
from ltjax.runs.retention import disk, wanted
from ltjax.runs.thinning import thin
from ltjax.settings.schema import Compute, Experiment, Keep, Prune
from ltjax.sparsity import schedules
from ltjax.sparsity.schedules import OneShot

from .conftest import TINY, finish, with_prune
from .test_merge import halves  # noqa: F401
from .test_runs import assert_same_results, copy, curves  # noqa: F401

TICKET, REINIT, CONTINUED = (Lane(arm, 0) for arm in ("ticket", "reinit", "continued"))
LANES = [CONTINUED, REINIT, TICKET]


def keeping(what: Keep, experiment: Experiment = TINY) -> Experiment:
    return replace(experiment, compute=Compute(keep=what))


@pytest.fixture(scope="module")
def thinned(finished, tmp_path_factory) -> dict[Keep, Path]:
    """Finished runs that kept less from the beginning; read only."""
    home = tmp_path_factory.mktemp("thinned")
    return {what: finish(keeping(what), home / what).folder for what in ("tickets", "masks")}


ITERATIVE, ONESHOT = Prune(rounds=2), Prune(rounds=2, schedule=OneShot((0.5, 0.75)))
AHEAD: set[int] = {0}


@pytest.mark.parametrize(
    ("prune", "round", "what", "ahead", "kept"),
    [
        (ITERATIVE, 1, "all", AHEAD, LANES),
        (ITERATIVE, 1, "tickets", AHEAD, [TICKET]),
        (ITERATIVE, 1, "masks", AHEAD, []),
        (ITERATIVE, 1, "masks", (), [TICKET]),  # without the next mask the run could not go on
        (ITERATIVE, 2, "masks", AHEAD, []),  # the last round may be followed by more
        (ONESHOT, 0, "masks", (), [TICKET]),  # all sizes are cut from the dense network
        (ONESHOT, 1, "masks", (), []),
        (Prune(rounds=2, schedule="continued"), 1, "masks", AHEAD, [CONTINUED]),
        (Prune(rounds=2, schedule="continued"), 1, "tickets", AHEAD, [CONTINUED, TICKET]),
    ],
)
def test_params_are_kept_that_are_asked_for_or_that_the_schedule_needs(prune, round, what, ahead, kept):
    arms = ("ticket", "reinit", "continued") if prune.schedule.name == "continued" else ("ticket", "reinit")
    experiment = Experiment(prune=prune, arms=dict.fromkeys(arms, 1))
    reads_trained = bool(experiment.arms.get("continued"))
    assert wanted(experiment, round, LANES, what, ahead, reads_trained) == kept


@pytest.mark.parametrize(
    ("prune", "round", "later"),
    [(ITERATIVE, 0, [1]), (ITERATIVE, 2, [3]), (ONESHOT, 0, [1, 2]), (ONESHOT, 1, [])],
)
def test_the_rounds_after_a_round_are_those_pruned_from_it_and_one_beyond_the_last(prune, round, later):
    assert schedules.after(prune, round) == later


def test_the_disk_that_each_choice_takes_is_known_before(finished):
    """1,336 weights and 38 biases: 5,496 bytes, or 173 of bits; three rounds of four lanes."""
    masks = 3 * (4 + 2) * 173
    found = disk(resolve(TINY))
    assert found == {"all": masks + (2 + 12) * 5496, "tickets": masks + (2 + 6) * 5496, "masks": masks}
    trees = [checkpoints.load(paths.part(finished.folder, round, 0)) for round in range(3)]
    held = sum(leaf.nbytes for leaf in jax.tree.leaves(trees))
    assert held == found["all"] - 2 * 5496, "θ₀ lies apart"


@pytest.mark.parametrize("what", ["tickets", "masks"])
def test_rows_curves_masks_and_tickets_do_not_depend_on_what_is_kept(what, thinned, finished):
    folder = thinned[what]
    assert paths.summary(folder).read_bytes() == paths.summary(finished.folder).read_bytes()
    pd.testing.assert_frame_equal(curves(folder), curves(finished.folder), check_exact=True)
    run = Run(folder)
    for round in run.parts:
        for lane in run.lanes(round):
            chex.assert_trees_all_equal(run.mask(round, lane), finished.mask(round, lane))
        tickets = (load_ticket(each, trial=1, round=round) for each in (folder, finished.folder))
        chex.assert_trees_all_equal(*(ticket._asdict() for ticket in tickets))


def test_a_ticket_is_kept_by_default_and_a_controls_params_are_told_to_be_gone(thinned, finished):
    assert Compute().keep == "tickets"
    chex.assert_trees_all_equal(
        load_trained(thinned["tickets"], round=2), load_trained(finished.folder, round=2)
    )
    with pytest.raises(UserError, match=r"reinit, trial 1, repeat 0, round 2, .* --keep all keeps them"):
        load_trained(thinned["tickets"], round=2, arm="reinit", trial=1)
    with pytest.raises(UserError, match=r"ticket, .* round 0, .* --keep tickets or --keep all keeps them"):
        load_trained(thinned["masks"], round=0)


def test_masks_alone_are_an_eighth_of_a_byte_a_weight_and_initial_params_are_drawn_again(thinned):
    assert not list(paths.theta0(thinned["masks"], 0).parent.glob("*"))
    part = paths.part(thinned["masks"], 0, 0)
    tree = checkpoints.load(part)
    assert tree.keys() == {"mask", "ahead"}, "no params"
    assert tree["mask"]["fc1"]["kernel"].shape == (4, 64 * 16 / 8)
    assert tree["ahead"]["1"]["fc1"]["kernel"].shape == (64 * 16 / 8,)


@pytest.mark.long
@pytest.mark.parametrize("what", ["tickets", "masks"])
def test_more_rounds_and_another_arm_continue_a_run_of_masks_to_the_same_bits(
    what, thinned, finished, tmp_path
):
    """The next round's mask was kept after the last round, too."""
    more = keeping("all", replace(with_prune(TINY, rounds=3), arms={"ticket": 1, "reinit": 2}))
    folders = [tmp_path / "thinned", tmp_path / "whole"]
    for source, folder in zip([thinned[what], finished.folder], folders, strict=True):
        shutil.copytree(source, folder)
        finish(more, folder)
    one, two = map(Run, folders)
    assert paths.summary(folders[0]).read_bytes() == paths.summary(folders[1]).read_bytes()
    for lane in one.lanes(3):
        chex.assert_trees_all_equal(one.outcome(3, lane)._asdict(), two.outcome(3, lane)._asdict())


def test_a_lane_whose_params_were_dropped_is_not_trained_again(thinned):
    assert not list(find_tickets(TINY, past=open_run(thinned["masks"], keeping("masks"))))


def test_checkpoints_that_were_removed_by_hand_are_told_and_nothing_is_trained_or_lost(copy):  # noqa: F811
    shutil.rmtree(paths.part(copy, 1, 0))
    before = paths.summary(copy).read_bytes()
    with pytest.raises(UserError, match="has rows of round 1 whose checkpoints are gone; put them back, or"):
        open_run(copy, TINY)
    assert paths.summary(copy).read_bytes() == before and paths.curves(copy, 1, 0).exists()


@pytest.mark.parametrize("what", ["tickets", "masks"])
def test_thinning_makes_of_a_run_what_it_would_have_kept_from_the_beginning(what, copy, thinned):  # noqa: F811
    dropped = thin(open_run(copy, TINY), what)
    assert dropped == {"tickets": 6, "masks": 12}[what]
    assert thin(open_run(copy, TINY), what) == 0, "once more there is nothing to drop"
    for round in range(3):
        one, two = (_stored(folder, round) for folder in (copy, thinned[what]))
        assert one.kept == two.kept
        chex.assert_trees_all_equal(one[2:], two[2:])
    names = [
        sorted(each.name for each in paths.theta0(folder, 0).parent.glob("*"))
        for folder in (copy, thinned[what])
    ]
    assert names[0] == names[1]


def _stored(folder: Path, round: int) -> parts.Stored:
    path = paths.part(folder, round, 0)
    return parts.read(path, checkpoints.note(path))


def test_thinned_runs_are_merged_into_one_that_goes_on(halves, finished, tmp_path):  # noqa: F811
    """With the masks of the rounds that are still to come."""
    thin_halves = [Path(shutil.copytree(half, tmp_path / half.name)) for half in halves]
    for half in thin_halves:
        thin(open_run(half, keeping("masks", read_config(half))), "masks")
    merge(thin_halves, tmp_path / "whole")
    whole = Run(tmp_path / "whole")
    assert paths.summary(whole.folder).read_bytes() == paths.summary(finished.folder).read_bytes()
    for trial in range(2):
        chex.assert_trees_all_equal(whole.ticket_mask(3, trial), finished.ticket_mask(3, trial))
        for round in range(3):
            lanes = [Lane(arm, trial) for arm in ("ticket", "reinit")]
            for lane in lanes:
                chex.assert_trees_all_equal(whole.mask(round, lane), finished.mask(round, lane))


@pytest.mark.parametrize(
    "killed",
    [
        pytest.param("before", marks=pytest.mark.long),
        "between",
        pytest.param("after", marks=pytest.mark.long),
    ],
)
def test_thinning_that_is_killed_leaves_each_part_whole_and_is_completed(killed, copy, thinned, monkeypatch):  # noqa: F811
    """Before the new part has its place, when the old one is away, and before the next part."""
    at = {"before": "remove", "between": "shutil.rmtree", "after": None}[killed]
    run = open_run(copy, TINY)
    if at:
        with monkeypatch.context() as patch:
            patch.setattr(f"ltjax.runs.checkpoints.{at}", _killed)
            with pytest.raises(KeyboardInterrupt):
                thin(run, "masks")
    else:
        run.rewrite(*_first_part(run))
    thin(open_run(copy, TINY), "masks")
    assert_same_results_as_masks(copy, thinned["masks"])


def _killed(*_, **__):
    raise KeyboardInterrupt


def _first_part(run: Run):
    path, note = run.parts[0][0]
    return path, run.part(path, note), [], note


def assert_same_results_as_masks(one: Path, two: Path) -> None:
    assert paths.summary(one).read_bytes() == paths.summary(two).read_bytes()
    for path in sorted(paths.rounds(two).iterdir()):
        ours = paths.rounds(one) / path.name
        assert checkpoints.checksums(checkpoints.load(ours)) == checkpoints.checksums(checkpoints.load(path))
    assert len(list(paths.rounds(one).iterdir())) == len(list(paths.rounds(two).iterdir()))


def test_a_run_from_before_masks_were_packed_is_read_continued_and_thinned(copy, finished, thinned):  # noqa: F811
    """Its masks are stacked arrays of bool, with no next one, and the params of all lanes."""
    for round in range(3):
        path = paths.part(copy, round, 0)
        note = checkpoints.note(path)
        stored = parts.read(path, note)
        old = {name: note[name] for name in ("rows", "seconds", "theta0", "experiment", "curves")}
        checkpoints.remove(path)
        checkpoints.save(path, {}, old, {"mask": stored.masks, "trained": stored.trained})
    assert_same_results(copy, finished.folder)
    assert thin(open_run(copy, TINY), "masks") == 12
    assert_same_results_as_masks(copy, thinned["masks"])


def test_the_command_thins_works_figures_out_first_and_records_what_is_kept(copy, finished, capsys):  # noqa: F811
    keep.main([str(copy), "--keep", "masks"])
    assert ": the params of 12 lanes dropped; " in capsys.readouterr().out
    assert read_config(copy).compute.keep == "masks"
    kept, whole = weight_statistics.find(copy), weight_statistics.find(finished.folder)
    pd.testing.assert_frame_equal(kept, whole)
    assert set(weight_statistics.OF_TRAINING) <= set(kept["what"]), "by the params that are gone now"
    finish(keeping("masks", with_prune(TINY, rounds=3)), copy)
    assert set(weight_statistics.OF_TRAINING) <= set(weight_statistics.find(copy)["what"])


def test_a_run_that_never_kept_params_lacks_only_what_they_would_show(thinned, finished):
    masked, whole = (weight_statistics.find(each) for each in (thinned["masks"], finished.folder))
    rest = whole[~whole["what"].isin(weight_statistics.OF_TRAINING)].reset_index(drop=True)
    pd.testing.assert_frame_equal(masked, rest)


@pytest.mark.parametrize(
    ("line", "said"),
    [("nowhere --keep masks", "holds no run of ltjax"), ("RUN --keep nothing", "invalid choice 'nothing'")],
)
def test_what_cannot_be_thinned_is_told(line, said, copy, capfd):  # noqa: F811
    with pytest.raises(SystemExit) as left:
        keep.main([str(copy) if word == "RUN" else word for word in line.split()])
    assert left.value.code == 2 and said in " ".join(capfd.readouterr().err.split())


def test_a_run_that_is_being_trained_is_not_thinned(copy, finished, capfd):  # noqa: F811
    with opening.writing(copy), pytest.raises(SystemExit) as left:
        keep.main([str(copy), "--keep", "masks"])
    assert left.value.code == 2 and "is being written by" in capfd.readouterr().err
    assert_same_results(copy, finished.folder)


def half(key, found, ticket, init):
    """Half way back."""
    return ticket if found.trained is None else ARMS["continued"](key, found, ticket, init)


def test_an_arm_that_reads_trained_weights_has_them_when_the_run_is_continued(tmp_path):
    """That it reads them is seen where it is rehearsed."""
    own = keeping("masks", replace(with_prune(TINY, rounds=0), arms={"ticket": 1, "half": 1}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ARMS, "half", half)
        finish(own, tmp_path / "run")
        finish(with_prune(own, rounds=1), tmp_path / "run")
        assert Lane("half", 1) in Run(tmp_path / "run").lanes(1)
