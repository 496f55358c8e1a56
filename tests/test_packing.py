"""A packed run: small, whole, and continued as the run itself would have been."""

import shutil
from dataclasses import replace
from pathlib import Path

import chex
import numpy as np
import pytest

from ltjax.cli.commands import pack as packing_command
from ltjax.cli.commands import unpack as unpacking_command
from ltjax.core.errors import UserError
from ltjax.core.types import Lane
from ltjax.data import DATASETS
from ltjax.lanes.snapshots import Snapshot
from ltjax.runs import opening, parts, paths
from ltjax.runs.folder import Run, read_config
from ltjax.runs.opening import open_run
from ltjax.runs.packing import EQUAL, WHOLE, WITHIN, Coder, pack, unpack
from ltjax.runs.partial import Begun
from ltjax.runs.thinning import thin
from ltjax.settings.schema import Compute, Prune
from ltjax.sparsity.schedules import OneShot

from .conftest import TINY, finish, with_prune
from .damage import SNAPSHOT, damages
from .test_merge import contents
from .test_retention import assert_same_results_as_masks, keeping
from .test_runs import copy  # noqa: F401


@pytest.fixture(scope="module")
def packed(finished, tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("packed") / "run.tar.gz"
    pack(finished.folder, file)
    return file


def test_an_unpacked_run_has_the_same_tables_curves_and_masks_and_no_params(packed, finished, tmp_path):
    before = contents(finished.folder)
    unpack(packed, tmp_path / "run")
    ours = contents(tmp_path / "run")
    for path in [paths.summary, lambda run: paths.curves(run, 2, 0)]:
        assert ours[path(tmp_path / "run")] == before[path(finished.folder)]
    run = Run(tmp_path / "run")
    for round in run.parts:
        for lane in run.lanes(round):
            chex.assert_trees_all_equal(run.mask(round, lane), finished.mask(round, lane))
        assert [parts.kept(note) for _, note in run.parts[round]] == [()]
    assert read_config(tmp_path / "run") == keeping("masks")


def test_it_continues_to_the_bits_of_the_run_that_was_packed(packed, finished, tmp_path):
    more = with_prune(TINY, rounds=3)
    unpack(packed, tmp_path / "carried")
    shutil.copytree(finished.folder, tmp_path / "stayed")
    for name in ("carried", "stayed"):
        finish(keeping("masks", more), tmp_path / name)
    tables = [paths.summary(tmp_path / name).read_bytes() for name in ("carried", "stayed")]
    assert tables[0] == tables[1]


def test_the_same_run_gives_the_same_file_and_packing_an_unpacked_run_gives_its_masks(
    packed, finished, tmp_path
):
    pack(finished.folder, tmp_path / "again.tar.gz")
    assert (tmp_path / "again.tar.gz").read_bytes() == packed.read_bytes()
    for name in ("once", "twice"):
        unpack(packed if name == "once" else tmp_path / "once.tar.gz", tmp_path / name)
        pack(tmp_path / name, tmp_path / f"{name}.tar.gz")
    assert_same_results_as_masks(tmp_path / "twice", tmp_path / "once")


@pytest.mark.parametrize("schedule", [OneShot((0.5, 0.75)), "continued"], ids=str)
def test_params_that_the_schedule_needs_go_along(schedule, tmp_path):
    arms = {"ticket": 1} | ({"continued": 1} if schedule == "continued" else {})
    prune = Prune(rounds=1, schedule=schedule)
    own = replace(TINY, trials=1, arms=arms, prune=prune, compute=Compute(keep="masks"))
    finish(own, tmp_path / "stayed")
    pack(tmp_path / "stayed", tmp_path / "run.tar.gz")
    unpack(tmp_path / "run.tar.gz", tmp_path / "carried")
    for name in ("stayed", "carried"):
        finish(with_prune(own, rounds=2), tmp_path / name)
    tables = [paths.summary(tmp_path / name).read_bytes() for name in ("carried", "stayed")]
    assert tables[0] == tables[1]
    needed = Lane("continued" if schedule == "continued" else "ticket", 0)
    runs = [Run(tmp_path / name) for name in ("carried", "stayed")]
    chex.assert_trees_all_equal(*(run.outcome(0, needed)._asdict() for run in runs))


def test_initial_params_from_a_file_go_along(tmp_path, monkeypatch, finished):
    """The file itself need not."""
    from ltjax.core.safetensors import save_tensors

    monkeypatch.chdir(tmp_path)
    save_tensors(Path("start.safetensors"), finished.theta0(0), {})
    own = with_prune(replace(TINY, trials=1), rounds=0)
    own = keeping("masks", replace(own, model=replace(own.model, start="start.safetensors")))
    finish(own, Path("run"))
    Path("start.safetensors").unlink()
    pack(Path("run"), Path("run.tar.gz"))
    unpack(Path("run.tar.gz"), Path("carried"))
    chex.assert_trees_all_equal(Run(Path("carried")).theta0(0), finished.theta0(0))


@pytest.mark.parametrize("along", [True, False])
def test_a_round_in_the_middle_of_its_training_goes_along_unless_told_otherwise(along, copy, tmp_path):  # noqa: F811
    part = [("", lane) for lane in sorted(Run(copy).lanes(2))]
    Begun(copy, 0.0).of(2, part).keep(Snapshot(*SNAPSHOT))
    pack(copy, tmp_path / "run.tar.gz", snapshot=along)
    unpack(tmp_path / "run.tar.gz", tmp_path / "run")
    begun = Begun(tmp_path / "run", 0.0).of(2, part).begun
    assert (begun is not None) == along
    if begun:
        np.testing.assert_array_equal(begun.state[0], SNAPSHOT.state[0])


def test_a_swept_run_is_packed_with_all_of_its_points(tmp_path):
    own = with_prune(replace(TINY, trials=1, sweep={"train.learning_rate": (1e-3, 2e-3)}), rounds=1)
    from ltjax import run_experiment

    run_experiment(own, tmp_path / "stayed", quiet=True)
    pack(tmp_path / "stayed", tmp_path / "run.tar.gz")
    unpack(tmp_path / "run.tar.gz", tmp_path / "carried")
    for name in ("stayed", "carried"):
        run_experiment(with_prune(own, rounds=2), tmp_path / name, quiet=True)
    tables = [paths.summary(tmp_path / name).read_bytes() for name in ("carried", "stayed")]
    assert tables[0] == tables[1] and b"learning_rate=0.002" in tables[0]


MASKS = {
    "equal": ([1, 1, 0, 1], EQUAL, 0),
    "within": ([1, 0, 0, 1], WITHIN, 1),
    "beyond": ([0, 0, 1, 0], WHOLE, 1),
}
"""A mask after [1, 1, 0, 1] of the round before, how it is written and in how many bytes."""


@pytest.mark.parametrize("name", MASKS)
def test_a_mask_is_written_beside_the_one_before_and_comes_back(name):
    bits, kind, size = MASKS[name]
    first, second = ({"kernel": np.array(each, bool)} for each in ([1, 1, 0, 1], bits))
    writer, reader, ticket = Coder(), Coder(), Lane("ticket", 0)
    written = [writer.write(round, ticket, mask) for round, mask in enumerate([first, second])]
    assert written[1][0] == [kind] and len(written[1][1]) == size
    import io

    stream = io.BytesIO(b"".join(each for _, each in written))
    for round, (mask, (kinds, _)) in enumerate(zip([first, second], written, strict=True)):
        chex.assert_trees_all_equal(reader.read(round, ticket, first, kinds, stream), mask)


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def altered(content: bytes) -> bytes:
    changed = bytearray(content)
    changed[len(content) // 2] ^= 4
    return bytes(changed)


@pytest.mark.parametrize("damage", [cut, altered, lambda _: b"", lambda _: b"something else"])
def test_a_file_that_is_cut_off_altered_or_something_else_is_told_and_leaves_nothing(
    damage, packed, tmp_path
):
    file = tmp_path / "run.tar.gz"
    file.write_bytes(damage(packed.read_bytes()))
    with pytest.raises(UserError, match="is not a packed run, or was cut off or altered; pack the run again"):
        unpack(file, tmp_path / "run")
    assert list(tmp_path.iterdir()) == [file]


def test_no_damage_of_a_file_goes_unseen(packed, tmp_path):
    """What is unpacked nevertheless, as after a change of the date in the file, is the run."""
    unpack(packed, tmp_path / "whole")
    file = tmp_path / "run.tar.gz"
    for number, (damage, at) in enumerate(damages(40, seed=0)):
        file.write_bytes(packed.read_bytes())
        damage(file, at)
        try:
            unpack(file, tmp_path / str(number))
        except UserError:
            continue
        assert_same_results_as_masks(tmp_path / str(number), tmp_path / "whole")


def test_nothing_is_unpacked_over_what_is_there_nor_packed_over_another_file(packed, copy, tmp_path):  # noqa: F811
    before = contents(copy)
    with pytest.raises(UserError, match="holds something already; choose another folder with --to"):
        unpack(packed, copy)
    with pytest.raises(UserError, match="is not a packed run, and is left as it is"):
        pack(copy, paths.config(copy))
    assert contents(copy) == before
    pack(copy, packed)  # its own kind it replaces


def test_unpacking_that_is_killed_leaves_no_folder_and_is_done_by_repeating_it(packed, tmp_path, monkeypatch):
    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(parts, "write", killed)
        unpack(packed, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    unpack(packed, tmp_path / "run")
    open_run(tmp_path / "run", TINY)


def test_the_commands_pack_and_unpack_by_default_beside_the_run(copy, tmp_path, capsys):  # noqa: F811
    packing_command.main([str(copy)])
    file = Path(f"{copy}.tar.gz")
    assert f"; to continue it elsewhere: ltjax unpack {file}" in capsys.readouterr().out
    moved = Path(shutil.move(file, tmp_path / "moved.tar.gz"))
    unpacking_command.main([str(moved)])
    here = tmp_path / "moved"
    assert f"to continue it: ltjax run --config {here} --workdir {here}" in capsys.readouterr().out
    assert Run(here).summary().equals(Run(copy).summary())


def test_a_run_that_is_being_trained_is_not_packed(copy, capfd):  # noqa: F811
    with opening.writing(copy), pytest.raises(SystemExit) as left:
        packing_command.main([str(copy)])
    assert left.value.code == 2 and "is being written by" in capfd.readouterr().err
    assert not Path(f"{copy}.tar.gz").exists()


def test_a_run_on_data_of_ones_own_is_packed_thinned_and_unpacked_without_the_code_for_it(
    finished, tmp_path, monkeypatch
):
    """Where θ₀ cannot be drawn again for want of it, it stays."""
    shutil.copytree(finished.folder, tmp_path / "run")
    monkeypatch.delitem(DATASETS, "digits")
    pack(tmp_path / "run", tmp_path / "run.tar.gz")
    unpack(tmp_path / "run.tar.gz", tmp_path / "carried")
    assert thin(Run(tmp_path / "run"), "masks") == 12
    assert paths.theta0(tmp_path / "run", 1).exists()
    assert_same_results_as_masks(tmp_path / "run", tmp_path / "carried")
