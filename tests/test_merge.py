"""Merging: halves are the whole, bit for bit; what disagrees is refused; what was cut short is completed."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from ltjax.cli.commands import merge
from ltjax.core.errors import UserError
from ltjax.lottery.loop import find_tickets
from ltjax.runs import checkpoints, paths
from ltjax.runs.folder import Run, read_config
from ltjax.runs.merging import Taken
from ltjax.runs.merging import merge as merged
from ltjax.runs.opening import open_run
from ltjax.settings import compatible
from ltjax.settings.schema import Experiment

from .conftest import TINY, finish
from .test_runs import assert_same_results, largest_file, truncate, without_last_round


@pytest.fixture(scope="module")
def halves(tmp_path_factory) -> list[Path]:
    """Each trial of TINY trained in a folder of its own; read only."""
    folders = [tmp_path_factory.mktemp("halves") / f"trial_{trial}" for trial in range(2)]
    for trial, folder in enumerate(folders):
        run = open_run(folder, TINY)
        for found in find_tickets(TINY, past=run, only=[trial]):
            run.save(found, seconds=1.0)
    return folders


@pytest.fixture
def half(halves, tmp_path) -> Path:
    """A copy of the half that holds trial 0, to be changed."""
    return Path(shutil.copytree(halves[0], tmp_path / "half"))


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def command(*arguments: object, expect: int = 0) -> None:
    """Run ``ltjax merge`` in this process and check its exit status."""
    status = 0
    try:
        merge.main([str(argument) for argument in arguments])
    except SystemExit as left:
        status = left.code or 0
    assert status == expect


def configure(folder: Path, experiment: Experiment) -> Path:
    folder.mkdir(exist_ok=True)
    paths.config(folder).write_text(compatible.to_json(experiment))
    return folder


def alter_results(folder: Path) -> None:
    """As if the lanes of round 1 had come out otherwise."""
    path = paths.part(folder, 1, 0)
    tree, note = checkpoints.load(path), checkpoints.note(path)
    note["rows"][0]["final_test_accuracy"] += 0.1
    shutil.rmtree(path)
    checkpoints.save(path, tree, note)


def alter_theta0(folder: Path) -> None:
    path = paths.theta0(folder, 0)
    tree = checkpoints.load(path)
    tree["fc1"]["bias"] += 1
    shutil.rmtree(path)
    checkpoints.save(path, tree, {})


def test_two_halves_are_the_whole_bit_for_bit_and_stay_as_they_are(halves, finished, tmp_path, capsys):
    before = [contents(folder) for folder in halves]
    command(*halves, "--to", tmp_path / "whole")
    assert_same_results(tmp_path / "whole", finished.folder)
    assert [contents(folder) for folder in halves] == before
    assert f"{halves[0]}: 6 lanes taken\n" in capsys.readouterr().out
    assert read_config(tmp_path / "whole") == TINY
    assert not list(find_tickets(TINY, past=open_run(tmp_path / "whole", TINY))), "nothing is left to train"


def test_the_order_of_the_runs_does_not_matter(halves, finished, tmp_path):
    merged(halves[::-1], tmp_path / "whole")
    assert_same_results(tmp_path / "whole", finished.folder)


def test_lanes_that_several_runs_hold_are_taken_once_and_parts_that_overlap_are_parted(
    halves, finished, tmp_path
):
    """A whole round is one part of the finished run: of it only trial 1 is still missing."""
    to = tmp_path / "whole"
    taken = merged([halves[0], finished.folder, halves[1], halves[0]], to)
    assert taken == [Taken(halves[0], 6, 0), Taken(finished.folder, 6, 6), Taken(halves[1], 0, 6)]
    assert_same_results(to, finished.folder)
    assert sorted(checkpoints.note(paths.part(to, 0, 1))) == [
        "curves", "experiment", "params", "reads_trained", "rows", "seconds", "shapes", "starts", "theta0",
    ]  # fmt: skip


def test_merging_into_a_run_adds_to_it_and_again_adds_nothing(half, halves, finished):
    assert merged([halves[1]], half) == [Taken(halves[1], 6, 0)]
    assert_same_results(half, finished.folder)
    before = contents(half)
    assert merged([halves[1]], half) == [Taken(halves[1], 0, 6)]
    assert contents(half) == before


def test_rounds_are_merged_as_trials_are(half, halves, finished, tmp_path):
    without_last_round(half)
    merged([half, halves[1], halves[0]], tmp_path / "whole")
    assert_same_results(tmp_path / "whole", finished.folder)


def test_a_merged_run_continues(half, finished, tmp_path):
    """Half a run, half of which was lost, grows to the whole."""
    without_last_round(half)
    configure(half, replace(TINY, trials=1))
    merged([half], tmp_path / "whole")
    finish(TINY, tmp_path / "whole")
    assert_same_results(tmp_path / "whole", finished.folder)


def test_the_configuration_grows_to_hold_all(tmp_path):
    one = configure(tmp_path / "one", replace(TINY, arms={"ticket": 1}, trials=7, name="one"))
    two = configure(tmp_path / "two", replace(TINY, arms={"ticket": 1, "random": 2}, name="two"))
    merged([one, two], tmp_path / "to")
    assert read_config(tmp_path / "to") == replace(
        TINY, arms={"ticket": 1, "random": 2}, trials=7, name="one"
    )


def test_a_time_is_shared_out_with_the_lanes(halves, finished, tmp_path):
    merged([halves[0]], tmp_path / "one")
    seconds = [note["seconds"] for parts in Run(tmp_path / "one").parts.values() for _, note in parts]
    assert seconds == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("after", "failure"),
    [(0, KeyboardInterrupt()), (4, OSError(28, "No space left")), (7, KeyboardInterrupt())],
)
def test_what_was_interrupted_is_completed_by_repeating_it(
    after, failure, halves, finished, tmp_path, monkeypatch, capsys
):
    """Wherever it was: at the first of two θ₀ and six parts, in the middle, at the last."""
    save, calls = checkpoints.save, []

    def failing(*arguments):
        calls.append(arguments)
        if len(calls) > after:
            raise failure
        save(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(checkpoints, "save", failing)
        command(*halves, "--to", tmp_path / "whole", expect=1 if isinstance(failure, OSError) else 130)
    assert "Traceback" not in capsys.readouterr().err
    open_run(tmp_path / "whole", TINY).verify()
    command(*halves, "--to", tmp_path / "whole")
    assert_same_results(tmp_path / "whole", finished.folder)


def test_where_each_run_was_trained_is_kept(half, halves, tmp_path):
    paths.environment(half).write_text('{"devices": ["abacus"], "earlier": []}')
    for _ in range(2):
        command(half, halves[1], "--to", tmp_path / "whole")
    kept = json.loads(paths.environment(tmp_path / "whole").read_text())
    assert kept["merged"] == [
        {"folder": str(half), "devices": ["abacus"], "earlier": []}, {"folder": str(halves[1])}
    ]  # fmt: skip
    assert kept["versions"]["jax"] and len(kept["earlier"]) == 1


def sweep(folder: Path, finished: Run, *rates: float) -> Path:
    """A swept run whose points have the finished run's results: merging asks not whether they are true."""
    configure(folder, replace(TINY, sweep={"train.learning_rate": rates}))
    for rate in rates:
        point = shutil.copytree(finished.folder, folder / f"learning_rate={rate}")
        configure(point, replace(TINY, train=replace(TINY.train, learning_rate=rate)))
    return folder


def test_swept_runs_are_merged_point_by_point(finished, tmp_path):
    one, two = sweep(tmp_path / "one", finished, 0.2), sweep(tmp_path / "two", finished, 0.3, 0.2)
    shutil.rmtree(paths.part(two / "learning_rate=0.2", 2, 0))
    assert merged([two, one], tmp_path / "all") == [Taken(two, 20, 0), Taken(one, 4, 8)]
    experiment = replace(TINY, sweep={"train.learning_rate": (0.3, 0.2)})
    assert read_config(tmp_path / "all") == experiment
    for rate in (0.2, 0.3):
        assert_same_results(tmp_path / "all" / f"learning_rate={rate}", finished.folder)
    rows = pd.read_csv(paths.summary(tmp_path / "all"))
    assert rows["point"].value_counts().to_dict() == {f"learning_rate={rate}": 12 for rate in (0.2, 0.3)}


def test_other_results_of_one_lane_are_refused(half, finished, tmp_path, capsys):
    alter_results(half)
    command(finished.folder, half, "--to", tmp_path / "to", expect=2)
    assert (
        f"'{finished.folder}' and '{half}' both hold reinit of trial 0, repeat 0, round 1, "
        "with different results." in capsys.readouterr().err
    )
    assert not (tmp_path / "to").exists()


def test_other_results_than_the_target_holds_are_refused_and_it_stays(half, finished, tmp_path, capsys):
    alter_results(half)
    before = contents(half)
    command(finished.folder, "--to", half, expect=2)
    assert "with different results" in capsys.readouterr().err
    assert contents(half) == before


def test_other_initial_params_of_one_trial_are_refused(half, finished, tmp_path):
    alter_theta0(half)
    with pytest.raises(UserError, match="hold different initial params of trial 0"):
        merged([finished.folder, half], tmp_path / "to")
    assert not (tmp_path / "to").exists()


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        (replace(TINY, seed=4), "seed: '{one}' has 3, '{two}' has 4."),
        (replace(TINY, sweep={"seed": (3,)}), "sweep: '{one}' varies nothing, '{two}' has seed."),
    ],
)
def test_other_experiments_are_refused_with_the_difference(
    other, difference, half, finished, tmp_path, capsys
):
    configure(half, other)
    command(finished.folder, half, "--to", tmp_path / "to", expect=2)
    assert difference.format(one=finished.folder, two=half) in capsys.readouterr().err
    assert not (tmp_path / "to").exists()


BAD = [
    ("--to {tmp}/to", "name the folder of at least one run"),
    ("{run}", "--to"),
    ("{run} {tmp}/nowhere --to {tmp}/to", "'{tmp}/nowhere' holds no run of ltjax"),
    ("{run} --to {run}", "which is to stay as it is; choose another --to"),
    ("{run} --to {run}/inside", "which is to stay as it is; choose another --to"),
    ("{run} --to {tmp}/thesis", "holds something that is no run of ltjax; choose another --to"),
    ("{run} --to {tmp}/thesis/thesis.tex", "holds something that is no run of ltjax; choose another --to"),
]


@pytest.mark.parametrize(("line", "message"), BAD, ids=[line for line, _ in BAD])
def test_bad_input_is_one_clear_message_and_writes_nothing(line, message, finished, tmp_path, capsys):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.tex").write_text("years of work")
    before = contents(tmp_path), contents(finished.folder)
    command(*line.format(run=finished.folder, tmp=tmp_path).split(), expect=2)
    out, err = capsys.readouterr()
    assert message.format(tmp=tmp_path) in err and "Traceback" not in out + err
    assert (contents(tmp_path), contents(finished.folder)) == before


def test_a_damaged_part_is_told_and_does_not_spread(half, tmp_path):
    truncate(largest_file(paths.part(half, 2, 0)))
    with pytest.raises(UserError, match=f"'{paths.part(half, 2, 0)}' is damaged or incomplete"):
        merged([half], tmp_path / "to")
    kept = open_run(tmp_path / "to", TINY)
    assert [len(kept.lanes(round)) for round in range(3)] == [2, 2, 0]


def test_damaged_curves_are_told_before_anything_is_written(half, halves, tmp_path):
    truncate(paths.curves(half, 1, 0))
    with pytest.raises(UserError, match="cannot be read"):
        merged([halves[1], half], tmp_path / "to")
    assert not (tmp_path / "to").exists()
