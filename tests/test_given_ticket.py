"""The ticket of another run: round 0 has its masks, all arms are its controls, rounds prune on from it."""

import shutil
from dataclasses import replace
from pathlib import Path

import chex
import jax
import numpy as np
import pandas as pd
import pytest

from ltjax import DATASETS, Compute, Lane
from ltjax.core.errors import UserError
from ltjax.lottery.loop import find_tickets
from ltjax.lottery.resolving import resolve
from ltjax.lottery.rewinding import Step
from ltjax.lottery.search import begin
from ltjax.runs import packing, paths
from ltjax.runs.folder import Run, read_config
from ltjax.runs.merging import merge
from ltjax.runs.opening import open_run, open_runs
from ltjax.sparsity import masks
from ltjax.training.tasks import network_of

from .conftest import TINY, finish, with_prune, with_train
from .test_command import answer

SHORT = with_train(TINY, steps=6, evaluate_every=3)
SOURCE = replace(SHORT, seed=8, arms={"ticket": 1}, compute=Compute(keep="masks"),
                 data=replace(SHORT.data, name="mirrored"))  # fmt: skip
"""Another seed, other data, and of its tickets only the masks."""

GIVEN = with_prune(
    replace(SHORT, ticket="runs/a:2", arms=dict.fromkeys(("ticket", "reinit", "random", "shuffle"), 1)),
    rounds=1,
)
ALIVE, TOTAL = 655 + 123 + 97, 1024 + 192 + 120
"""Weights of a ticket of round 2, and all: layers that lost 20, 20 and 10% twice."""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder in which ``runs/a`` is the run whose tickets are given."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("given"))
        with pytest.MonkeyPatch.context() as own:  # whoever is given the masks need not know of the data
            digits = DATASETS["digits"]
            own.setitem(DATASETS, "mirrored", digits._replace(load=mirrored))
            finish(SOURCE, Path("runs/a"))
        yield Path()


def mirrored(data):
    found = DATASETS["digits"].load(data)
    return found._replace(train_inputs=found.train_inputs[:, ::-1])


@pytest.fixture(scope="module")
def whole(place):
    """A run that is given the tickets of round 2, in one go."""
    return finish(GIVEN, Path("runs/whole"))


@pytest.fixture
def swapped(place):
    """Where ``runs/a`` was, the run of another seed lies while a test runs."""
    shutil.move("runs/a", "runs/elsewhere")
    finish(replace(SOURCE, seed=9, data=SHORT.data, compute=Compute(keep="all")), Path("runs/a"))
    yield
    shutil.rmtree("runs/a")
    shutil.move("runs/elsewhere", "runs/a")


@pytest.fixture
def gone(place):
    """While a test runs, ``runs/a`` is not there."""
    shutil.move("runs/a", "runs/elsewhere")
    yield
    shutil.move("runs/elsewhere", "runs/a")


def table(folder):
    return paths.summary(Path(folder)).read_bytes()


def kept(mask):
    return {path: int(leaf.sum()) for path, leaf in masks.kernels(mask).items()}


def test_round_0_has_the_masks_of_the_other_runs_tickets_on_its_own_initial_params(whole):
    for trial in range(2):
        ticket, given = whole.ticket(0, trial), Run(Path("runs/a")).mask(2, Lane("ticket", trial))
        chex.assert_trees_all_equal(ticket.mask, given)
        drawn = begin(replace(GIVEN, ticket=None), network_of(GIVEN), trial)
        chex.assert_trees_all_equal(ticket.params, drawn.params)
        trained = whole.outcome(0, Lane("ticket", trial)).trained
        assert not any(np.any(leaf[~alive]) for leaf, alive in
                       zip(jax.tree.leaves(trained), jax.tree.leaves(given), strict=True))  # fmt: skip
    one, two = (whole.mask(0, Lane("ticket", trial)) for trial in range(2))
    assert masks.count(one) == (ALIVE, TOTAL) and (one["fc1"]["kernel"] != two["fc1"]["kernel"]).any()


def test_the_arms_of_round_0_are_controls_of_that_ticket(whole):
    ticket, reinit, random, shuffle = (
        whole.mask(0, Lane(arm, 0)) for arm in ("ticket", "reinit", "random", "shuffle")
    )
    chex.assert_trees_all_equal(reinit, ticket)
    assert kept(random) == kept(shuffle) == kept(ticket)
    different = [(one["fc1"]["kernel"] != other["fc1"]["kernel"]).any()
                 for one, other in ((ticket, random), (ticket, shuffle), (random, shuffle))]  # fmt: skip
    assert all(different)
    rows = pd.read_csv(paths.summary(whole.folder))
    first = rows[rows["round"] == 0]
    assert set(first["weights_remaining"]) == {ALIVE} and set(first["weights_total"]) == {TOTAL}
    np.testing.assert_allclose(first["percent_remaining"], 100 * ALIVE / TOTAL)
    assert first.groupby("trial")["initial_test_accuracy"].nunique().min() > 1


def test_round_1_prunes_on_from_it_by_what_training_left(whole):
    for trial in range(2):
        left = whole.outcome(0, Lane("ticket", trial))
        rates = {"fc1/kernel": 0.2, "fc2/kernel": 0.2, "output/kernel": 0.1}
        after = masks.kernels(whole.mask(1, Lane("ticket", trial)))
        for path, weights in masks.kernels(left.trained).items():
            alive = masks.kernels(left.mask)[path]
            gone = round(rates[path] * int(alive.sum()))
            order = np.argsort(np.abs(weights)[alive], kind="stable")
            expected = alive.copy()
            expected[tuple(axis[order[:gone]] for axis in np.nonzero(alive))] = False
            np.testing.assert_array_equal(after[path], expected)


@pytest.mark.parametrize("missing", [False, True])
def test_it_is_continued_to_the_same_table_whether_or_not_the_other_run_is_still_there(
    missing, whole, tmp_path, request
):
    finish(with_prune(replace(GIVEN, compute=Compute(keep="masks")), rounds=0), tmp_path / "run")
    if missing:
        request.getfixturevalue("gone")
        packing.pack(tmp_path / "run", tmp_path / "packed")
        packing.unpack(tmp_path / "packed", tmp_path / "unpacked")
    last = tmp_path / ("unpacked" if missing else "run")
    run = finish(GIVEN, last)
    assert table(last) == table(whole.folder)
    chex.assert_trees_all_equal(run.mask(1, Lane("ticket", 1)), whole.mask(1, Lane("ticket", 1)))


def test_a_trial_that_was_not_begun_needs_the_other_run(gone, whole, tmp_path):
    run = open_run(tmp_path / "run", replace(GIVEN, trials=1))
    with pytest.raises(UserError, match=r"ticket runs/a:2 cannot be read: 'runs/a' holds no run"):
        list(find_tickets(replace(GIVEN, trials=1), past=run))
    with pytest.raises(UserError, match=r"ticket runs/a:2 cannot be read"):
        list(find_tickets(replace(GIVEN, trials=3), past=whole))


def part_by_part(experiment, folder, parts):
    """A run that trains its lanes one by one, and is stopped after some."""
    run, alone = open_run(folder, experiment), replace(experiment, compute=Compute(lanes=1))
    for found, _ in zip(find_tickets(alone, past=run), range(parts), strict=False):
        run.save(found, seconds=0.0)
    return run


def test_other_masks_than_a_trial_began_with_are_refused(place, tmp_path, request):
    """Also where only a control has been trained, whose mask is another."""
    run = part_by_part(GIVEN, tmp_path / "run", 1)
    assert [lane.arm for lane in run.lanes(0)] == ["random"]
    request.getfixturevalue("swapped")
    with pytest.raises(UserError, match="runs/a:2 has another mask than trial 0 began with here") as told:
        list(find_tickets(GIVEN, past=Run(tmp_path / "run")))
    assert str(told.value).count(".") == 1
    first, *_ = find_tickets(GIVEN, past=Run(tmp_path / "run"), only=[1])
    assert first.given.keys() == {1}


def test_trials_trained_apart_are_merged_and_other_masks_of_a_trial_are_not(
    place, whole, tmp_path, request
):  # fmt: skip
    for trial in range(2):
        run = open_run(tmp_path / f"{trial}", GIVEN)
        for found in find_tickets(GIVEN, past=run, only=[trial]):
            run.save(found, seconds=0.0)
    merge([tmp_path / "0", tmp_path / "1"], tmp_path / "both")
    assert table(tmp_path / "both") == table(whole.folder)
    assert {Run(tmp_path / "both").given(trial) for trial in range(2)} == {whole.given(0), whole.given(1)}
    request.getfixturevalue("swapped")
    part_by_part(GIVEN, tmp_path / "other", 1)
    with pytest.raises(UserError, match="were given different masks of trial 0 by ticket runs/a:2"):
        merge([tmp_path / "both", tmp_path / "other"], tmp_path / "all")


def test_points_that_differ_in_it_are_lanes_of_one_program_and_as_runs_of_their_own(whole):
    swept = replace(GIVEN, ticket=None, sweep={"ticket": ("runs/a:0", "runs/a:2")})
    resolved = resolve(swept)
    assert len(resolved.programs()) == 1
    lane = Lane("ticket", 0)
    assert len({resolved.identity(point, 0, lane) for point in resolved.points}) == 2
    runs = open_runs(Path("runs/swept"), swept)
    for found in find_tickets(swept, past=runs):
        runs[found.point].save(found, seconds=0.0)
    assert table("runs/swept/ticket=runs_a:2") == table(whole.folder)
    dense = pd.read_csv(paths.summary(Path("runs/swept/ticket=runs_a:0")))
    assert set(dense.loc[dense["round"] == 0, "percent_remaining"]) == {100.0}
    finish(replace(GIVEN, ticket=None), Path("runs/dense"))
    assert table("runs/swept/ticket=runs_a:0") == table("runs/dense"), "the ticket of round 0 is dense"


def test_late_rewinding_goes_back_to_the_given_tickets_own_training(place, tmp_path):
    late = replace(with_prune(GIVEN, rewind=Step(3)), arms={"ticket": 2, "reinit": 1}, trials=1)
    run = finish(late, tmp_path / "run")
    start, mask = run.starts(0)[3].params, run.mask(0, Lane("ticket", 0))
    for path, kernel in masks.kernels(start).items():
        assert not kernel[~masks.kernels(mask)[path]].any() and kernel[masks.kernels(mask)[path]].all()
    curves = pd.read_parquet(tmp_path / "run" / "curves").groupby(["arm", "repeat", "round"])["step"].min()
    assert curves.to_dict() == {
        ("ticket", 0, 0): 0, ("ticket", 1, 0): 3, ("reinit", 0, 0): 0,
        ("ticket", 0, 1): 3, ("ticket", 1, 1): 3, ("reinit", 0, 1): 0,
    }  # fmt: skip


OPTIONS = (
    "run --config digits --trials 2 --seed 3 --data.validation 100 --model.widths 16 12 --train.steps 6 "
    "--train.batch 30 --train.evaluate-every 3 --train.evaluate-batch 128 --prune.rounds 1 --arms.reinit 1"
).split()


def test_the_dry_run_counts_what_is_left_of_it(place, capsys):
    status, out, _ = answer(capsys, *OPTIONS, "--ticket", "runs/a:2", "--dry-run")
    assert status == 0 and "weights         1,336\n" in out
    assert "0:        875   65.49" in out and "1:        709   53.07" in out
    assert "64 × 16  fc           0.2  655 524\n" in out
    status, out, _ = answer(
        capsys, *OPTIONS, "--ticket", "runs/a:2", "--dry-run", "--prune.structure", "global",
        "--prune.rates.output", "0.2",
    )  # fmt: skip
    assert status == 0 and "655, then as it ranks among the others" in out


def test_the_command_says_whose_masks_it_has_and_what_they_are_compared_with(place, capsys):
    words = [*OPTIONS, "--ticket", "runs/a:2", "--prune.rounds", "0", "--workdir", "runs/said"]
    status, out, err = answer(capsys, *words)
    assert status == 0 and "round 0 has the masks of runs/a:2" in out, err
    assert "The ticket of runs/a:2 stops at step" in " ".join(out.split())
    assert "(reinit) stop at step" in " ".join(out.split())
    assert read_config(Path("runs/said")).ticket == "runs/a:2"
    assert "nothing left to train" in answer(capsys, *words)[1]
    status, _, err = answer(capsys, *words[:-1], "runs/said", "--ticket", "runs/a:1")
    assert status == 2 and "ticket: the run has 'runs/a:2', asked is 'runs/a:1'" in err


BAD = [
    ("--ticket runs/a:3", "'runs/a' has no ticket of trial 0, repeat 0, round 3; it has rounds 0 to 2"),
    ("--ticket runs/a:2 --trials 3", "'runs/a' has no ticket of trial 2"),
    ("--ticket runs/b:2", "'runs/b' holds no run of ltjax"),
    ("--ticket runs/a", "ticket must be a run's folder and a round, as in runs/lenet:7, not 'runs/a'"),
    ("--ticket runs/a:x", "not 'runs/a:x'"),
    ("--ticket runs/a:-1", "not 'runs/a:-1'"),
    ("--ticket runs/a:", "not 'runs/a:'"),
    ("--ticket :2", "not ':2'"),
    ("--ticket runs/a:²", "not 'runs/a:²'"),
    ("--ticket runs/swept:0", "'runs/swept' is a sweep; name the folder of one of its points: 'runs/swept/"),
    ("--ticket runs/a:2 --model.widths 16 8",
     "the mask of ticket runs/a:2 has a leaf 'fc2/bias' of shape [12], where the params have [8]"),
    ("--ticket runs/a:2 --model.widths 16",
     "must have the structure of the params, which have no 'fc2/bias'"),
    ("--sweep ticket=runs/a:2,runs/a:7", "round 7"),
    ("--ticket runs/a:2 --prune.schedule at_init --prune.schedule.densities 0.1",
     "pruned on from there, which prune.schedule at_init does not do"),
    ("--ticket runs/a:2 --arms.invert 1", "have no reverse"),
    ("--ticket runs/a:2 --prune.structure n_of_m --prune.structure.m 2 --prune.structure.n 1",
     "the structure 'n_of_m' must keep 512 of the weights"),
]  # fmt: skip
"""Lines that cannot be run, and what is said of each."""


@pytest.mark.parametrize(("line", "message"), BAD, ids=[line for line, _ in BAD])
def test_what_cannot_be_given_is_one_sentence_before_anything_is_written(line, message, place, capsys):
    if not Path("runs/swept").exists():
        open_runs(Path("runs/swept"), replace(GIVEN, ticket=None, sweep={"seed": (0, 1)}))
    status, out, err = answer(capsys, *OPTIONS, *line.split(), "--workdir", "runs/bad")
    assert status == 2 and message in " ".join(err.split()), err
    assert out == "" and not Path("runs/bad").exists()


def test_an_arm_that_needs_the_reverse_is_trained_from_round_1_on(place, tmp_path):
    own = replace(GIVEN, arms={"ticket": 1, "invert": 1}, control_rounds=(1,), trials=1)
    _, last = find_tickets(own)
    ticket, invert = (kept(last.mask(Lane(arm, 0))) for arm in ("ticket", "invert"))
    assert ticket == invert
