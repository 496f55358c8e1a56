"""Several processes: the same numbers as one, by whatever they were started, and continued by any number."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from unittest.mock import ANY

import chex
import jax
import numpy as np
import pandas as pd
import pytest

from ltjax.cli import main
from ltjax.core.errors import UserError
from ltjax.core.types import Lane
from ltjax.lanes.distributed import Distributed, check, job
from ltjax.lanes.history import SUMMARY
from ltjax.runs import parts, paths
from ltjax.runs.folder import Run

from .jobs import TINY, Ended, Job, free_port, open_mpi, run, slurm

SNAPSHOTS = ["--compute.snapshot-minutes", "1e-9"]
"""At every evaluation."""


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> Path:
    """The folder of the run that one process made, undisturbed: this one."""
    return by_oneself(TINY, tmp_path_factory.mktemp("alone") / "run")


def by_oneself(command: list[str], folder: Path) -> Path:
    """A folder into which this process has run the command."""
    with contextlib.suppress(SystemExit):
        main.main(["run", *command, "--workdir", str(folder), "--quiet"])
    return folder


def same(folder: Path, other: Path) -> None:
    """Two runs' folders hold the same tables, byte for byte, and the same bits of θ₀, masks and params."""
    assert paths.summary(folder).read_bytes() == paths.summary(other).read_bytes()
    one, two = Run(folder), Run(other)
    order = ["round", "arm", "trial", "repeat", "split", "step"]
    curves = [
        pd.read_parquet(each / "curves").sort_values(order, ignore_index=True) for each in (folder, other)
    ]
    pd.testing.assert_frame_equal(*curves)
    for trial in range(one.experiment.trials):
        chex.assert_trees_all_equal(one.theta0(trial), two.theta0(trial))
    for round in one.parts:
        assert one.lanes(round) == two.lanes(round)
        for lane in one.lanes(round):
            chex.assert_trees_all_equal(one.mask(round, lane), two.mask(round, lane))
            if lane.arm == "ticket":  # whose params are kept by default
                chex.assert_trees_all_equal(one.outcome(round, lane), two.outcome(round, lane))
        kept = [sorted(parts.kept(note)) for run in (one, two) for _, note in run.parts[round]]
        assert kept[0] == kept[1] == [Lane("ticket", trial) for trial in range(one.experiment.trials)]


def told(ended: list[Ended], killed: int) -> None:
    """All have ended; all but the killed say that others are gone, in a sentence or by JAX's abort."""
    assert ended.pop(killed) == (-signal.SIGKILL, ANY, ANY)
    for each in ended:
        sentence = each.status == 1 and "lost the others: one of them has ended" in each.errors
        abort = each.status == -signal.SIGABRT and "JAX distributed service" in each.errors
        assert (sentence or abort) and "Traceback" not in each.errors, each.errors


def close(folder: Path, other: Path) -> None:
    """Two runs' tables agree to float tolerance."""
    one, two = (pd.read_csv(paths.summary(each)) for each in (folder, other))
    numbers = [name for name in SUMMARY if one[name].dtype.kind == "f"]
    pd.testing.assert_frame_equal(one.drop(columns=numbers), two.drop(columns=numbers))
    np.testing.assert_allclose(one[numbers], two[numbers], atol=0.01)


def test_two_processes_with_an_uneven_share_of_lanes_write_what_one_writes(tmp_path):
    """Six lanes on four devices: two have one lane each and padding, which no table shows."""
    folder, alone = tmp_path / "run", tmp_path / "alone"
    command = [*TINY, *"--trials 6 --arms.reinit 0 --prune.rounds 1".split()]  # rounds share a program
    first, second = Job(2, [*command, "--workdir", str(folder)], devices=2).ended()
    assert (first.status, second.status) == (0, 0), first.errors + second.errors
    by_oneself(command, alone)
    same(folder, alone)
    assert "4 cpu devices of 2 processes" in first.output and "holds the tables" in first.output
    assert "round" not in second.output, "only the first process speaks"
    written = list(paths.part(folder, 0, 0).glob("state/ocdbt.process_*"))
    assert len(written) == 2, "each process writes its own lanes"


@pytest.mark.long
def test_two_processes_by_slurm_one_killed_go_on_as_one(alone, tmp_path):
    folder = tmp_path / "run"
    command = [*TINY, *SNAPSHOTS, "--workdir", str(folder)]
    started = Job(2, command, cluster=slurm)
    started.wait_for(paths.begun(folder), "round_001_step_000000020")
    started.processes[1].send_signal(signal.SIGKILL)
    told(started.ended(), killed=1)
    assert Run(folder).lanes(0) == Run(alone).lanes(0), "the round before is kept"
    ended = run(command)
    assert ended.status == 0 and "continuing" in ended.output, ended.errors
    same(folder, alone)


@pytest.mark.long
def test_four_processes_one_killed_go_on_as_two_by_slurm_and_then_as_one(alone, tmp_path):
    folder = tmp_path / "run"
    command = [*TINY, *SNAPSHOTS, "--workdir", str(folder)]
    started = Job(4, command)
    started.wait_for(paths.begun(folder), "round_001_step_000000020")
    started.processes[2].send_signal(signal.SIGKILL)
    ended = started.ended()
    told(ended, killed=2)
    assert Run(folder).lanes(0) == Run(alone).lanes(0), "the round before is kept"
    started = Job(2, command, cluster=slurm)
    started.wait_for(paths.begun(folder), "round_002_step_*")
    started.processes[0].send_signal(signal.SIGKILL)
    told(started.ended(), killed=0)
    ended = run(command)
    assert ended.status == 0 and "continuing" in ended.output, ended.errors
    same(folder, alone)


@pytest.mark.long
def test_one_lane_on_the_devices_of_two_processes_by_open_mpi(alone, tmp_path):
    folder = tmp_path / "run"
    command = [*TINY, *SNAPSHOTS, "--compute.data", "2", "--workdir", str(folder)]
    for each in Job(2, command, cluster=open_mpi).ended():
        assert each.status == 0, each.errors
    close(folder, alone)


@pytest.mark.long
def test_what_the_readme_says_of_two_processes_works_word_for_word(tmp_path):
    readme = Path(__file__).parent.parent / "README.md"
    block = readme.read_text().split("<!-- two processes -->\n```sh\n")[1].split("```")[0]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "4 cpu devices of 2 processes" in done.stdout
    told = json.loads((tmp_path / "runs" / "two" / "environment.json").read_text())
    assert told["processes"] == 2
    assert set(pd.read_csv(tmp_path / "runs" / "two" / "summary.csv")["round"]) == {0, 1, 2}


@pytest.mark.long
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interruption_of_all_ends_all_and_says_how_to_continue(number, status, tmp_path):
    folder = tmp_path / "run"
    started = Job(2, [*TINY, *SNAPSHOTS, "--train.steps", "600000", "--workdir", str(folder)])
    started.wait_for(paths.begun(folder), "round_000_step_*")
    for process in started.processes:
        process.send_signal(number)
    for each in started.ended():
        assert each.status == status and "to continue, repeat" in each.errors, each.errors
        assert "Traceback" not in each.errors, each.errors


def test_processes_that_were_given_different_commands_are_told(tmp_path):
    ended = Job(2, [*TINY, "--workdir", str(tmp_path / "run"), "--seed", "{process}"]).ended()
    for each in ended:
        assert each.status == 2 and "given different commands" in each.errors, each.errors
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("number", [0, pytest.param(1, marks=pytest.mark.long)])
def test_a_process_whose_others_do_not_come_says_so(number, tmp_path):
    alone = [
        "--distributed.coordinator", f"localhost:{free_port()}", "--distributed.processes", "2",
        "--distributed.process", str(number), "--distributed.wait", "3",
    ]  # fmt: skip
    ended = run([*TINY, "--workdir", str(tmp_path / "run"), *alone])
    assert ended.status == 2 and "not all processes of the job came within 3 seconds" in ended.errors
    assert "Traceback" not in ended.errors and not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"coordinator": "localhost:1"}, "also needs --distributed.processes and --distributed.process"),
        ({"processes": 2, "process": 1}, "also needs --distributed.coordinator"),
        ({"coordinator": "localhost", "processes": 2, "process": 0}, "must be HOST:PORT, not 'localhost'"),
        ({"coordinator": "host:99999", "processes": 2, "process": 0}, "must be HOST:PORT"),
        ({"coordinator": "host:1", "processes": 0, "process": 0}, "processes must be at least 1, not 0"),
        ({"coordinator": "host:1", "processes": 2, "process": 2}, "process must lie between 0 and 1, not 2"),
        ({"patience": 0}, "patience must lie between 1 and 1000000 seconds"),
    ],
)
def test_what_cannot_be_a_job_is_told_before_anything_starts(options, told):
    with pytest.raises(UserError, match=told):
        check(Distributed(**options))


@pytest.mark.parametrize(
    ("variables", "several"),
    [
        ({}, False),
        (slurm(0, 2, 1234), True),
        (slurm(0, 1, 1234), False),
        # one interactive task within a larger allocation
        ({**slurm(0, 4, 1234), "SLURM_STEP_NUM_TASKS": "1"}, False),
        (open_mpi(0, 2, 1234), True),
        (open_mpi(0, 1, 1234), False),
        ({"OMPI_COMM_WORLD_SIZE": "many"}, False),
        ({"JOB_COMPLETION_INDEX": "0", "KUBERNETES_SERVICE_HOST": "10.0.0.1"}, True),
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, False),
        ({"TPU_WORKER_HOSTNAMES": "host-0,host-1"}, True),
        ({"TPU_WORKER_HOSTNAMES": "localhost"}, False),
    ],
)
def test_jax_is_asked_for_the_others_only_where_there_are_others(variables, several, monkeypatch):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    asked = []

    def initialize(*_: object, **options: object) -> None:
        asked.append(options["cluster_detection_method"])

    monkeypatch.setattr(jax.distributed, "initialize", initialize)
    for cluster in ("auto", "none"):
        with job(Distributed(cluster=cluster), "the command"):
            pass
    assert asked == ([None] if several else [])


def test_an_open_mpi_of_which_jax_finds_nothing_is_told_what_would(monkeypatch):
    """Version 5 no longer tells its processes where the first one is."""
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "2")
    told = r"could not be met .* see --distributed\.coordinator, .*mpi4py"
    with pytest.raises(UserError, match=told), job(Distributed(), "the command"):
        pass
