"""Comparing two revisions: whatever differs is told by name, and the cases cover what there is to cover."""

import json
import typing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from orbax.checkpoint import v1 as ocp

import ltjax

from . import same_bits
from .same_bits_runs import cases, known, nested, plain, registries, renamed, translate

PART, CURVES = "checkpoints/rounds/round_001_part_0", "curves/round_001_part_0.parquet"

UNSEEN = {"name", "data.dir", "data.raw", "analyses", "compute.memory", "compute.snapshot_minutes"}
"""What a run is called, where things lie, what it is asked, and how much is used and how often."""

LATER = {
    "numerics.convolution", "numerics.random_numbers", "numerics.x64", "compute.batching=unrolled",
    "compute.keep", "compute.keep=all", "compute.keep=masks",
    "task", "loss", "metric", "prune.output", "prune.rate_by_path", "prune.rates.attention",
    "prune.rates.recurrent", "prune.rates.embedding", "prune.rates.shortcut",
}  # fmt: skip
"""Settings and choices that revisions before have not, so that no case can name them."""


TABLE = same_bits.RENAMED["settings"]


@pytest.fixture(autouse=True)
def unnamed(monkeypatch):
    """The tables say nothing, but where a test says otherwise."""
    monkeypatch.setitem(same_bits.RENAMED, "settings", {})


def values() -> dict:
    """What a made-up run holds, by file."""
    return {
        "config.json": {"name": "case", "train": {"steps": 2, "warmup": 0}, "sweep": {"train.batch": [5, 6]}},
        "point=1/summary.csv": {"arm": ["ticket"], "early_stop_step": [1], "final_test_accuracy": [0.1]},
        CURVES: {"arm": ["ticket", "ticket"], "step": [0, 1], "loss": np.float32([np.nan, 2])},
        PART: {"mask": {"fc1": np.array([True, False])}, "trained": {"fc1": np.float32([0.5, 0])}},
        "checkpoints/theta0/trial_0": {"fc1": {"kernel": np.float32([0.5, 0.25])}},
    }


def write(home: Path, files: dict, case: str = "case") -> Path:
    """A made-up run's folder in a home."""
    for name, content in files.items():
        path = home / case / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".json"):
            path.write_text(json.dumps({**content, "crc32": hash(json.dumps(content))}))
        elif name.endswith(".csv"):
            pd.DataFrame(content).to_csv(path, index=False)
        elif name.endswith(".parquet"):
            pd.DataFrame(content).to_parquet(path)
        else:
            ocp.save(path, content)
    return home


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    return write(tmp_path_factory.mktemp("first"), values())


def next_to(number: float) -> np.float32:
    return np.nextafter(np.float32(number), np.float32(9))


def test_the_same_bits_are_the_same(first, tmp_path):
    assert same_bits.compared("case", first, write(tmp_path, values())) == []


@pytest.mark.parametrize(
    ("file", "change", "expected"),
    [
        (PART, {"trained": {"fc1": np.float32([next_to(0.5), 0])}}, "trained/fc1: 1 of 2 differ"),
        (PART, {"trained": {"fc1": np.float32([0.5, -0.0])}}, "trained/fc1: 1 of 2 differ"),
        (PART, {"trained": {"fc1": np.array([0.5, 0])}}, "trained/fc1: float32 [2] became float64 [2]"),
        (PART, {"mask": {"fc1": np.array([False, True])}}, "mask/fc1: 2 of 2 differ"),
        (PART, {"mask": {"fc2": np.array([True, False])}}, "mask/fc1: is missing"),
        (PART, {"collections": {"mean": np.float32([1])}}, "collections/mean: is new"),
        ("checkpoints/theta0/trial_0", {"fc1": {"kernel": np.float32([0.5, next_to(0.25)])}},
         "fc1/kernel: 1 of 2 differ"),
        (CURVES, {"loss": np.float32([np.nan, next_to(2)])}, "loss: 1 of 2 differ"),
        (CURVES, {"arm": ["ticket", "reinit"]}, "arm: 1 of 2 differ"),
        ("point=1/summary.csv", {"final_test_accuracy": [0.1 + 2e-17]}, "final_test_accuracy: 1 of 1 differ"),
        ("config.json", {"train": {"steps": 3, "warmup": 0}}, "train.steps: 2 became 3"),
    ],
)  # fmt: skip
def test_what_differs_is_told_by_its_file_and_name(first, tmp_path, file, change, expected):
    files = values()
    files[file] |= change
    found = same_bits.compared("case", first, write(tmp_path, files))
    assert found[0] == f"{file}: {expected}"


@pytest.mark.parametrize("file", values())
def test_a_file_that_only_one_has_is_told(first, tmp_path, file):
    second = write(tmp_path, {name: content for name, content in values().items() if name != file})
    assert same_bits.compared("case", first, second) == [f"{file} is missing"]
    assert same_bits.compared("case", second, first) == [f"{file} is new"]


@pytest.mark.parametrize(
    ("kind", "name", "file", "change"),
    [
        ("columns", "final_test_accuracy", "point=1/summary.csv",
         {"arm": ["ticket"], "early_stop_step": [1], "accuracy": [0.1]}),
        ("settings", "train.warmup", "config.json",
         {"name": "case", "train": {"steps": 2, "rise": 0}, "sweep": {"train.batch": [5, 6]}}),
        ("settings", "train.batch", "config.json",
         {"name": "case", "train": {"steps": 2, "warmup": 0}, "sweep": {"data.batch": [5, 6]}}),
    ],
)  # fmt: skip
def test_another_name_is_a_difference_until_it_is_in_the_table(
    first, tmp_path, monkeypatch, kind, name, file, change
):
    second = write(tmp_path, {**values(), file: change})
    shown = f"sweep.{name}" if name == "train.batch" else name
    assert same_bits.compared("case", first, second) == [f"{file}: {shown}: is missing"]
    new = {"final_test_accuracy": "accuracy", "train.warmup": "train.rise", "train.batch": "data.batch"}
    monkeypatch.setitem(same_bits.RENAMED, kind, {name: new[name]})
    assert same_bits.compared("case", first, second) == []


def test_columns_and_settings_that_only_the_second_has_are_no_difference(first, tmp_path):
    files = values()
    files[CURVES]["rate"] = [0.1, 0.1]
    files["config.json"]["train"]["decay"] = 0.0
    assert same_bits.compared("case", first, write(tmp_path, files)) == []


def test_a_run_that_failed_was_not_shown_to_be_the_same(first, tmp_path):
    second = write(tmp_path, values())
    (second / "case.failed").write_text("UserError: no")
    assert same_bits.compared("case", first, second) == ["failed in the second revision: UserError: no"]
    assert same_bits.compared("case", second, first) == ["failed in the first revision: UserError: no"]
    assert same_bits.compared("case", second, second) != []


@pytest.mark.parametrize("different", [False, True])
def test_the_status_is_1_where_something_differs(tmp_path, monkeypatch, capsys, different):
    def drive(work, order):
        home = Path(order.home)
        home.mkdir()
        files = values()
        if order.before and different:
            files[PART]["trained"] = {"fc1": np.float32([0.25, 0])}
        write(home, files, "arms")
        (home / "names.json").write_text(json.dumps({"registries": registries(), "settings": known()}))
        (home / "experiments.json").write_text(json.dumps({"digits": {"seed": 0}}))

    monkeypatch.setattr(same_bits, "drive", drive)
    assert same_bits.compare([tmp_path, tmp_path], tmp_path, ["arms"], False) == different
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines[:1]] == [["named", "experiments", "same"]]
    end = f"DIFFERS: {PART}: trained/fc1: 1 of 2 differ" if different else "same"
    assert len(lines) == 2 and lines[1].startswith("arms ") and lines[1].endswith(end)


def test_named_experiments_are_compared_setting_by_setting(tmp_path):
    for home, rate in (("first", 1e-3), ("second", 2e-3)):
        (tmp_path / home).mkdir()
        said = {"digits": {"seed": 0}, "conv2": {"train": {"learning_rate": rate}}}
        (tmp_path / home / "experiments.json").write_text(json.dumps(said))
    found = same_bits.compared_experiments(tmp_path / "first", tmp_path / "second")
    assert found == ["conv2.json: train.learning_rate: 0.001 became 0.002"]


def stages():
    return [settings for each in cases(registries(), known()).values() for settings in each]


def test_a_revision_is_asked_in_its_own_words():
    asked = {"train.warmup": 1, "arms": {"ticket": 1}, "sweep": {"train.warmup": [1], "train.batch": [2]}}
    assert nested(asked, {"train.warmup": "train.rise.steps"}) == {
        "train": {"rise": {"steps": 1}}, "arms": {"ticket": 1},
        "sweep": {"train.rise.steps": [1], "train.batch": [2]},
    }  # fmt: skip
    assert renamed("train.batch_size", {"train.batch": "data.batch"}) == "train.batch_size"


def test_every_entry_of_the_registries_is_in_a_case():
    said = json.dumps(stages())
    missing = [name for names in registries().values() for name in names if f'"{name}"' not in said]
    assert missing == []
    assert set(ltjax.ARMS) == set(registries()["ARMS"])


def test_every_setting_is_another_than_its_default_in_a_case(tmp_path):
    untouched = set(same_bits.settings(plain(ltjax.Experiment()))) - UNSEEN
    untouched |= {f"{section}.{field}={choice}" for section, field, choice in choices()}
    for settings in stages():
        (tmp_path / "case.json").write_text(json.dumps(nested(settings, {})))
        asked = ltjax.load_experiment(tmp_path / "case.json")  # and each is one that can be loaded
        default = same_bits.settings(plain(ltjax.Experiment()))
        flat = same_bits.settings(plain(asked))
        untouched -= {name for name in flat if name not in default or flat[name] != default[name]}
        untouched -= {f"{name}={json.loads(str(value))}" for name, value in flat.items()}
        untouched -= set(asked.sweep)
        untouched -= {f"{name}={value}" for name, values in asked.sweep.items() for value in values}
    assert untouched == LATER


def choices():
    """Every value of every setting that is a choice of few."""
    for section in ("data", "model", "train", "prune", "compute"):
        kind = type(getattr(ltjax.Experiment(), section))
        for field, hint in typing.get_type_hints(kind).items():
            if typing.get_origin(hint) is typing.Literal:
                yield from ((section, field, choice) for choice in typing.get_args(hint))


def test_a_configuration_from_before_choices_is_compared_and_continued_under_the_new_names(
    tmp_path, monkeypatch
):
    monkeypatch.setitem(same_bits.RENAMED, "settings", TABLE)
    old = {
        "train": {"optimizer": "sgd", "momentum": 0.9, "warmup": 3, "drops": [], "learning_rate": 0.1},
        "prune": {"schedule": "oneshot", "fractions": [0.5], "scope": "layer", "score": "random"},
        "sweep": {"train.warmup": [1, 2]}, "crc32": 1,
    }  # fmt: skip
    write(tmp_path / "old", {"config.json": old, "warmup=1,scope=layer/config.json": old})
    write(tmp_path / "new", {"config.json": old, "warmup=1,structure=layer/config.json": old})
    called = {new: before for before, new in TABLE.items()}
    translate(tmp_path / "new", called)
    again = (tmp_path / "new" / "case" / "config.json").read_bytes()
    translate(tmp_path / "new", called)
    assert (tmp_path / "new" / "case" / "config.json").read_bytes() == again
    asked = ltjax.load_experiment(tmp_path / "new" / "case" / "config.json")
    assert asked.prune.schedule.parameters == {"fractions": (0.5,)} and asked.prune.criterion.name == "random"
    assert asked.train.schedule.parameters == {"warmup": 3}
    assert asked.sweep == {"train.schedule.warmup": (1, 2)}
    assert same_bits.compared("case", tmp_path / "old", tmp_path / "new") == []
