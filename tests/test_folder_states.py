"""What a folder is to the experiment asked for, a row for each kind of folder; and what follows from that."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ltjax.core.errors import UserError
from ltjax.runs import checkpoints, paths
from ltjax.runs.folder import read_config
from ltjax.runs.merging import Taken, merge
from ltjax.runs.state import Another, Bare, Damaged, Foreign, New, Ours, State, state_of, will_hold
from ltjax.settings import compatible
from ltjax.settings.plain import plain
from ltjax.settings.schema import Experiment
from ltjax.settings.sweeps import points

from .conftest import TINY
from .test_merge import contents, halves, sweep  # noqa: F401
from .test_runs import assert_same_results

MORE, OTHER = replace(TINY, trials=5), replace(TINY, seed=4)
SWEPT = replace(TINY, sweep={"train.learning_rate": (0.1, 0.2)})
POINT = "learning_rate=0.1"

SEED = Another(("seed: the run has 4, asked is 3",))

Make = Callable[[Path], object]
"""Puts something into a folder."""


def file(name: str, text: str = "") -> Make:
    def make(folder: Path) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)

    return make


def config(experiment: Experiment) -> Make:
    return file("config.json", compatible.to_json(experiment))


def by_hand(**settings: Any) -> Make:
    return file("config.json", json.dumps({**plain(TINY), **settings}))


def begun(experiment: Experiment, trial: int = 0) -> Make:
    """The θ₀ of a trial, whose note says what it is of."""
    return kept({"experiment": plain(experiment)}, f"theta0/trial_{trial}")


def kept(note: dict[str, Any], name: str = "theta0/trial_0") -> Make:
    return lambda folder: checkpoints.save(folder / "checkpoints" / name, {"w": np.zeros(3)}, note)


def damaged_note(folder: Path) -> None:
    (paths.theta0(folder, 0) / "_CHECKPOINT_METADATA").write_text("{")


FOLDERS: dict[str, tuple[list[Make], Experiment, type[State] | State]] = {
    "no folder": ([], TINY, New()),
    "an empty folder": ([Path.mkdir], TINY, New()),
    "hidden files": ([file(".lock"), file(".config.json.x7.ltjax-unfinished", "{")], TINY, New()),
    "a run refused before it trained": ([config(OTHER)], TINY, Bare()),
    "a run stopped before it trained": (
        [config(OTHER), *map(file, ("environment.json", "tensorboard/a", "wandb/b", ".lock"))], TINY, Bare(),
    ),
    "a sweep refused before it trained": ([config(SWEPT)], TINY, Bare()),
    "a run": ([config(TINY), begun(TINY)], TINY, Ours(TINY)),
    "a run of which less is asked": ([config(MORE), begun(MORE)], TINY, Ours(MORE)),
    "a run of which more is asked": ([config(TINY), begun(TINY)], MORE, Ours(TINY)),
    "a run that has trained nothing": ([config(TINY)], TINY, Ours(TINY)),
    "a configuration written by hand": ([by_hand()], TINY, Ours(TINY)),
    "a run with a file of the user's": ([config(TINY), file("thesis.tex")], TINY, Ours(TINY)),
    "a sweep": ([config(SWEPT), file("summary.csv"), file(f"{POINT}/config.json")], SWEPT, Ours(SWEPT)),
    "a run without its configuration": (
        [begun(TINY), *map(file, ("summary.csv", "report.html", ".lock"))], TINY, Ours(TINY),
    ),
    "a run without its configuration or θ₀": (
        [kept({"experiment": plain(MORE)}, "rounds/round_000_part_0")], TINY, Ours(MORE),
    ),
    "a run that grew, without its configuration": ([begun(TINY), begun(MORE, 4)], TINY, Ours(MORE)),
    "a run without its configuration or checkpoints that were finished": (
        [file("checkpoints/rounds/round_000_part_0.orbax-checkpoint-tmp/d")], TINY, Ours(TINY),
    ),
    "a sweep without its configuration": ([file(f"{POINT}/config.json")], SWEPT, Ours(SWEPT)),
    "another run": ([config(OTHER), begun(OTHER)], TINY, SEED),
    "another run's tables": ([config(OTHER), file("summary.csv")], TINY, SEED),
    "another configuration written by hand": ([by_hand(seed=4)], TINY, SEED),
    "another run without its configuration": ([begun(OTHER)], TINY, SEED),
    "a run, where a sweep is asked": (
        [config(TINY), begun(TINY)], SWEPT,
        Another(("sweep: the run varies nothing, asked is train.learning_rate",)),
    ),
    "a configuration that is cut off": ([file("config.json", "{")], TINY, Damaged),
    "a configuration that is out of bounds": ([by_hand(trials=-1)], TINY, Damaged),
    "a configuration with another digit": (
        [file("config.json", compatible.to_json(TINY).replace('"seed": 3', '"seed": 4'))], TINY, Damaged,
    ),
    "a folder for a configuration": ([file("config.json/a")], TINY, Damaged),
    "a run's tables": ([config(TINY), file("summary.csv")], TINY, Damaged),
    "a run without its configuration, its checkpoint damaged": ([begun(TINY), damaged_note], TINY, Damaged),
    "an export": ([config(TINY), file("mask.safetensors")], TINY, Damaged),
    "a file": ([lambda path: path.write_text("years of work")], TINY, Foreign()),
    "a folder of the user's": ([file("thesis.tex")], TINY, Foreign()),
    "a run without its configuration, with a file of the user's": (
        [begun(TINY), file("thesis.tex")], TINY, Foreign(),
    ),
    "tables without a configuration": ([file("summary.csv"), file("curves/a.parquet")], TINY, Foreign()),
    "a run of an older version without its configuration": ([kept({})], TINY, Foreign()),
    "a run of another version's settings without its configuration": (
        [kept({"experiment": {"seeed": 3}})], TINY, Foreign(),
    ),
    "a sweep without its configuration, where a run is asked": (
        [file(f"{POINT}/config.json")], TINY, Foreign(),
    ),
}  # fmt: skip
"""What lies in a folder, what is asked for, and the state; of a damaged folder the type alone."""


@pytest.mark.parametrize("kind", FOLDERS)
def test_a_folder_is_in_one_state_and_looking_at_it_changes_nothing(kind, tmp_path):
    makes, asked, state = FOLDERS[kind]
    for make in makes:
        make(tmp_path / "run")
    before = contents(tmp_path)
    found = state_of(tmp_path / "run", asked, points(asked))
    assert isinstance(found, state) if isinstance(state, type) else found == state
    assert contents(tmp_path) == before


ANSWERS: dict[str, Experiment | str] = {
    "no folder": TINY,
    "a run refused before it trained": TINY,
    "a run of which more is asked": MORE,
    "a run of which less is asked": MORE,
    "another run": "holds another experiment; choose another --to. They differ in seed: the run has 4, asked",
    "a configuration that is cut off": "config.json' is damaged.*remove that file and repeat the command",
    "a run's tables": "the tables of a run without its checkpoints, so it cannot be continued",
    "an export": "is an export of one lane and no run",
    "a folder of the user's": "holds something that is no run of ltjax; choose another --to",
}
"""What a folder will hold, or why it cannot."""


@pytest.mark.parametrize("kind", ANSWERS)
def test_a_folder_becomes_or_grows_to_what_is_asked_or_is_refused(kind, tmp_path):
    makes, asked, _ = FOLDERS[kind]
    for make in makes:
        make(tmp_path / "run")
    match ANSWERS[kind]:
        case str(message):
            with pytest.raises(UserError, match=message):
                will_hold(tmp_path / "run", asked, points(asked), "--to")
        case experiment:
            assert will_hold(tmp_path / "run", asked, points(asked), "--to") == experiment


def test_a_point_of_a_sweep_that_is_another_run_is_refused(tmp_path):
    for make, home in ((config(SWEPT), tmp_path), (config(OTHER), tmp_path / POINT)):
        make(home)
    begun(OTHER)(tmp_path / POINT)
    with pytest.raises(UserError, match=f"'{tmp_path / POINT}' holds another experiment"):
        will_hold(tmp_path, SWEPT, points(SWEPT))


def test_a_folder_that_trained_nothing_may_become_what_is_merged_into_it(halves, finished, tmp_path):  # noqa: F811
    config(OTHER)(tmp_path)
    merge(halves, tmp_path)
    assert_same_results(tmp_path, finished.folder)


def test_a_merged_run_that_lost_its_configuration_is_mended_by_merging_again(halves, finished, tmp_path):  # noqa: F811
    merge(halves[:1], tmp_path)
    paths.config(tmp_path).unlink()
    assert merge(halves, tmp_path) == [Taken(halves[0], 0, 6), Taken(halves[1], 6, 0)]
    assert_same_results(tmp_path, finished.folder)
    assert read_config(tmp_path) == TINY


def test_a_sweep_that_lost_a_points_configuration_is_not_merged_without_it(finished, tmp_path):
    source = sweep(tmp_path / "source", finished, 0.1, 0.2)
    paths.config(source / POINT).unlink()
    with pytest.raises(UserError, match=f"{POINT}' holds no run of ltjax"):
        merge([source], tmp_path / "to")
    assert not (tmp_path / "to").exists()
