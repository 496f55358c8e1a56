"""Faults from outside: full and read-only disks, two writers at once, clocks that jump, what kills leave.

Each is survived, or refused with one message, and nothing that was finished is lost.
"""

import errno
import os
import shutil
import signal
import subprocess
import threading
import time
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from ltjax import Data
from ltjax.cli.commands import merge
from ltjax.core import files, locks
from ltjax.data import cache, prepared
from ltjax.runs import checkpoints, opening, paths, tables
from ltjax.runs.folder import Run
from ltjax.runs.opening import open_run
from ltjax.runs.state import New, state_of

from .conftest import TINY
from .damage import read, rounds_of, write
from .test_cli import SMALL, command, start, wait_for
from .test_merge import contents
from .test_runs import assert_same_results, copy  # noqa: F401
from .test_snapshots import Killed, same, train, undisturbed  # noqa: F401


@pytest.fixture(scope="module")
def rounds(finished):
    return rounds_of(finished)


def mounted(folder: Path, options: str) -> bool:
    """Mount a file system in memory, where this system lets us."""
    folder.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    return bool(shutil.which("mount")) and not subprocess.run(mount, capture_output=True).returncode


@pytest.fixture
def disk(tmp_path):
    """A small disk of its own."""
    if not mounted(tmp_path / "disk", "size=16m"):
        pytest.skip("this system does not let us mount a small disk")
    yield tmp_path / "disk"
    subprocess.run(["umount", "--lazy", str(tmp_path / "disk")], check=True)


def fill(disk: Path) -> None:
    """Write until there is no room for another byte."""
    with (disk / "filler").open("ab", buffering=0) as filler:
        for size in (2**20, 2**12, 1):
            try:
                while True:
                    filler.write(bytes(size))
            except OSError as error:
                assert error.errno == errno.ENOSPC


WRITES = ["config", "environment", "begun", "theta0", "round_000", "rounds", "round_002", "summary"]


@pytest.mark.parametrize("kind", WRITES)
def test_a_disk_that_is_full_at_any_write_loses_nothing(kind, disk, rounds, finished, monkeypatch):
    """The disk really is full, from just before that write on; then room is made, and the run goes on."""
    mkstemp, save = files.tempfile.mkstemp, checkpoints._save

    def write_file(suffix, prefix, folder):
        if prefix.startswith(f".{kind}"):
            fill(disk)
        return mkstemp(suffix, prefix, folder)

    def write_checkpoint(path, *rest):
        if kind in (path.parent.name, path.name):
            fill(disk)
        return save(path, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(files.tempfile, "mkstemp", write_file)
        patched.setattr(checkpoints, "_save", write_checkpoint)
        with pytest.raises(OSError, match="(?i)no space"):
            write(disk / "run", rounds)
    before = contents(disk / "run")
    (disk / "filler").unlink()
    write(disk / "run", rounds)
    assert_same_results(disk / "run", finished.folder)
    parts = {
        path for path in before if path.parent.name.startswith(("round", "trial")) and "tmp" not in str(path)
    }
    assert {path: before[path] for path in parts}.items() <= contents(disk / "run").items()


def test_a_read_only_folder_is_told_and_can_be_read(disk, finished, rounds, tmp_path, capfd):
    shutil.copytree(finished.folder, disk / "run")
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    command(*SMALL, "--workdir", str(disk / "run"), expect=1)
    err = capfd.readouterr().err
    assert "Read-only file system" in err and err.count("\n") == 1
    read(disk / "run")
    merge.main([str(disk / "run"), "--to", str(tmp_path / "merged")])
    assert_same_results(tmp_path / "merged", finished.folder)


def test_writes_that_are_refused_are_told(tmp_path, capfd, monkeypatch):
    """As on a read-only disk, where none can be mounted."""

    def refused(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(locks.FileLock, "acquire", refused)
    command(*SMALL, "--workdir", str(tmp_path / "run"), expect=1)
    said = (
        "Read-only file system. Choose another place by --workdir. Nothing that was written before is lost."
    )
    assert said in capfd.readouterr().err


def test_what_killed_writes_left_is_swept_and_nothing_else(copy, finished):  # noqa: F811
    shutil.copy(paths.curves(copy, 2, 0), paths.curves(copy, 2, 1))  # its checkpoint was never finished
    left = [paths.curves(copy, 2, 1)]
    for path in (paths.summary(copy), paths.config(copy), paths.curves(copy, 1, 0)):
        left.append(path.with_name(f".{path.name}.x7_a0b1c{files.UNFINISHED}"))
        left[-1].write_text("half")
    kept = [copy / ".notes", copy / f".thesis.tex.x7{files.UNFINISHED}", copy / "curves" / ".mine"]
    for path in kept:
        path.write_text("years of work")
    open_run(copy, TINY)
    assert not any(path.exists() for path in left) and all(path.exists() for path in kept)
    assert_same_results(copy, finished.folder)


def test_lanes_whose_curves_were_orphaned_may_be_trained_as_another_part(tmp_path, rounds, finished):
    write(tmp_path / "run", rounds[:2])
    tables.write_curves(paths.curves(tmp_path / "run", 2, 1), rounds[2].curves)
    write(tmp_path / "run", rounds)
    assert_same_results(tmp_path / "run", finished.folder)


def test_a_removal_that_was_killed_leaves_no_checkpoint(copy, monkeypatch):  # noqa: F811
    monkeypatch.setattr(checkpoints.shutil, "rmtree", lambda *_, **__: None)
    checkpoints.remove(paths.part(copy, 2, 0))
    assert [path.name for path in checkpoints.finished(paths.rounds(copy))] == [
        "round_000_part_0", "round_001_part_0",
    ]  # fmt: skip
    monkeypatch.undo()
    paths.summary(copy).unlink()
    open_run(copy, TINY)
    assert len(list(paths.rounds(copy).iterdir())) == 2


@pytest.mark.long
def test_of_two_runs_that_are_started_in_one_folder_one_runs_and_the_other_is_told(tmp_path, finished):
    folder = tmp_path / "run"
    first = start(folder)
    wait_for(first, paths.config(folder).exists)
    os.kill(first.pid, signal.SIGSTOP)  # or it may have ended before the second has begun
    second = start(folder)
    out, _ = second.communicate()
    os.kill(first.pid, signal.SIGCONT)
    assert second.returncode == 2 and f"is being written by process {first.pid} on " in out, out
    assert first.wait() == 0, first.stdout.read()
    first.stdout.close()
    assert_same_results(folder, finished.folder)
    assert not list(folder.glob(".*")), "neither a lock nor anything else is left"


def test_a_second_writer_is_told_who_is_writing_and_changes_nothing(copy, finished, capfd):  # noqa: F811
    with opening.writing(copy):
        before = contents(copy)
        command(*SMALL, "--trials", "3", "--workdir", str(copy), expect=2)
        with pytest.raises(SystemExit, match="2"):
            merge.main([str(finished.folder), "--to", str(copy)])
        assert contents(copy) == before
    err = capfd.readouterr().err
    assert err.count("is being written by process") == 2 and "wait until that has finished" in err
    assert err.count("\n") == 2
    with opening.writing(copy):  # it is free again
        pass


def test_a_file_system_without_locks_is_gone_on_without(tmp_path, monkeypatch):
    def without(*_, **__):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locks.FileLock, "acquire", without)
    with opening.writing(tmp_path / "run"):
        open_run(tmp_path / "run", TINY)
    assert Run(tmp_path / "run").experiment == TINY


def test_a_folder_that_was_only_locked_is_new_and_one_that_was_made_for_it_is_removed(tmp_path):
    with opening.writing(tmp_path / "run"):
        assert state_of(tmp_path / "run", TINY, {"": TINY}) == New()
    assert not (tmp_path / "run").exists()


def test_two_that_prepare_one_data_set_wait_for_each_other(tmp_path, monkeypatch, capsys):
    arrays = tuple(np.arange(3, dtype=np.uint8) for _ in range(4))
    times = []

    def slowly(name, folder, raw):
        times.append(name)
        time.sleep(0.5)
        cache.write(folder / name / "3.0.1" / cache.NAME, arrays)
        return arrays

    monkeypatch.setattr(prepared, "_prepared", slowly)
    data = Data("mnist", dir=str(tmp_path / "data"))
    threads = [threading.Thread(target=prepared.load_prepared, args=("mnist", data)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert times == ["mnist"] and "Waiting for" in capsys.readouterr().out


@pytest.mark.parametrize("days", [-20, 20])
def test_a_clock_that_jumps_changes_nothing(days, undisturbed, tmp_path, monkeypatch):  # noqa: F811
    now, asked = time.time, count()

    def jumping():
        return now() + next(asked) // 100 * days * 86400.0 % 1e7

    with monkeypatch.context() as patched:
        patched.setattr("time.time", jumping)
        with pytest.raises(Killed):
            train(tmp_path, (1, 40))
    run, steps = train(tmp_path)  # by the right time again
    same(run, undisturbed)
    assert steps[0] == (1, 20), "the snapshot of the step before"
