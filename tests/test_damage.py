"""Damaged files: each is healed, or told with what to remove, which mends it; none is trained on."""

import re
import shutil
from dataclasses import replace

import numpy as np
import pytest

from ltjax.analysis.results import read_study
from ltjax.core.errors import UserError
from ltjax.core.types import Start
from ltjax.data import cache, prepared
from ltjax.runs import checkpoints, opening, parts, paths, tables
from ltjax.runs.folder import Run
from ltjax.runs.opening import open_run

from .conftest import TINY
from .damage import KINDS, advised, damaged, damages, files, rounds_of, write
from .test_data import as_sets, made, published  # noqa: F401
from .test_merge import contents
from .test_runs import assert_same_results, copy  # noqa: F401


@pytest.fixture(scope="module")
def rounds(finished):
    return rounds_of(finished)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, rounds):
    """A finished run in which a snapshot lies still; read only."""
    return write(tmp_path_factory.mktemp("whole") / "run", rounds).folder


MANY_FILES = {"checkpoints/theta0/trial_1", "checkpoints/rounds/round_000_part_0", "checkpoints/begun"}
"""Kinds of many files, Orbax's own among them, which are the long form."""


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=pytest.mark.long if kind in MANY_FILES else ()) for kind in KINDS]
)
def test_a_file_that_is_damaged_is_healed_or_told_and_the_advice_mends_it(
    kind, whole, rounds, tmp_path, capfd
):
    """A file cut off and with a flipped bit, of many each one; ``python -m tests.faults`` does more."""
    several = not (whole / kind).is_file()
    told = []
    for number, file in enumerate(file for file in files(whole) if str(file).startswith(kind)):
        all_of_them = damages(4, seed=number)
        for damage in all_of_them[number % 4 : number % 4 + 1] if several else all_of_them[::2]:
            heard, right = damaged(whole, file, damage, rounds, tmp_path / "damaged")
            assert right, f"{file}, {damage}"
            told.append(heard)
    assert any(told) or kind in ("environment.json", "summary.csv"), "these are written anew"
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("kind", ["digit", "name"])
def test_a_configuration_that_is_another_valid_one_by_a_flipped_bit_is_told(kind, copy):  # noqa: F811
    text = paths.config(copy).read_text()
    changed = text.replace('"trials": 2', '"trials": 3') if kind == "digit" else text.replace("tiny", "tinx")
    assert changed != text
    paths.config(copy).write_text(changed)
    with pytest.raises(UserError, match="its settings are not those that were written"):
        open_run(copy, TINY)


def test_a_note_with_another_digit_is_told(copy):  # noqa: F811
    note = paths.part(copy, 1, 0) / "_CHECKPOINT_METADATA"
    step = re.search(r'"early_stop_step": (\d)', note.read_text())
    content = bytearray(note.read_bytes())
    content[step.start(1)] ^= 1
    note.write_bytes(content)
    with pytest.raises(UserError, match="round_001_part_0' is damaged"):
        Run(copy)


def test_a_summary_with_another_digit_is_told_by_who_only_reads_it(copy):  # noqa: F811
    text = paths.summary(copy).read_text()
    paths.summary(copy).write_text(text.replace("ticket,0,0,1,", "ticket,0,0,1,1"))
    with pytest.raises(
        UserError, match=r"summary\.csv' is damaged: its line 'ticket,0,0,1,1.*repeat the command"
    ):
        read_study([copy])


def test_curves_with_another_digit_are_told_even_without_their_checkpoints(copy, tmp_path):  # noqa: F811
    path = paths.curves(copy, 0, 0)
    told = 0
    for at in range(8, 400):
        content = bytearray(path.read_bytes())
        content[at] ^= 0x10
        (tmp_path / "flipped.parquet").write_bytes(content)
        try:
            assert tables.read_curves(tmp_path / "flipped.parquet").equals(tables.read_curves(path))
        except UserError:
            told += 1
    assert told > 200, "the others change nothing"


def test_older_runs_without_these_checksums_are_read(copy, finished, monkeypatch):  # noqa: F811
    text = re.sub(r',\s*"crc32": \d+', "", paths.config(copy).read_text())
    paths.config(copy).write_text(text)
    for path in checkpoints.finished(paths.rounds(copy)):
        tree, note = checkpoints.load(path), checkpoints.note(path)
        shutil.rmtree(path)
        with monkeypatch.context() as patched:
            patched.setattr(checkpoints, "_signed", lambda note: note)
            kept = ("rows", "seconds", parts.SHAPES, parts.KEPT)
            checkpoints.save(path, tree, {key: note[key] for key in kept})
    open_run(copy, TINY)
    assert_same_results(copy, finished.folder)


def test_initial_params_that_cannot_be_drawn_again_are_told(copy, monkeypatch):  # noqa: F811
    """As with a version of JAX that draws other numbers: nothing is trained from them."""
    shutil.rmtree(paths.theta0(copy, 1))
    monkeypatch.setattr("ltjax.runs.folder.begin", lambda *_: Start({"fc1": np.zeros(3)}, {}))
    with pytest.raises(UserError, match="initial params of trial 1 .* drawn again they are others"):
        opening.restore_theta0(Run(copy))


def test_a_run_without_its_configuration_is_not_continued_as_another(copy):  # noqa: F811
    paths.config(copy).unlink()
    with pytest.raises(UserError, match="seed: the run has 3, asked is 4"):
        open_run(copy, replace(TINY, seed=4))
    (copy / "thesis.tex").write_text("years of work")
    with pytest.raises(UserError, match="no run of ltjax"):
        open_run(copy, TINY)


def test_a_run_that_was_logged_is_continued_without_its_configuration(copy, finished):  # noqa: F811
    paths.config(copy).unlink()
    for folder in (paths.tensorboard(copy), paths.wandb(copy)):
        (folder / "round_00").mkdir(parents=True)
    open_run(copy, TINY)
    assert_same_results(copy, finished.folder)


def test_a_run_of_another_versions_settings_without_its_configuration_is_refused(
    copy,  # noqa: F811
    monkeypatch,
):
    paths.config(copy).unlink()
    told = checkpoints.note
    monkeypatch.setattr(opening.checkpoints, "note", lambda path: {**told(path), "experiment": {"seeed": 3}})
    with pytest.raises(UserError, match="no run of ltjax"):
        open_run(copy, TINY)


def test_tables_without_their_checkpoints_are_not_overwritten(copy):  # noqa: F811
    shutil.rmtree(copy / "checkpoints")
    before = contents(copy)
    with pytest.raises(UserError, match="without its checkpoints"):
        open_run(copy, TINY)
    assert contents(copy) == before


@pytest.mark.parametrize("damage", damages(4, seed=0), ids=["cut", "empty", "flip", "flip elsewhere"])
def test_a_file_of_a_data_set_that_is_damaged_is_healed_or_told(damage, made):  # noqa: F811
    folder, data, arrays = made
    before = contents(folder)
    for path in before:
        for each, content in before.items():
            each.write_bytes(content)
        if path.name != cache.NAME:
            (folder / cache.NAME).unlink()  # or nothing else would be read
        damage[0](path, damage[1])
        try:
            found = prepared.load_prepared("mnist", data)
        except UserError as error:
            shutil.rmtree(advised(str(error)))
            found = prepared.load_prepared("mnist", data)
        assert as_sets(found) == as_sets(arrays)
