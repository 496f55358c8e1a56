"""Jobs of several real processes on this machine, over the loopback interface."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

TINY = [
    "--trials", "3", "--arms.reinit", "1", "--model.widths", "16", "12", "--train.steps", "60",
    "--train.evaluate-every", "20", "--prune.rounds", "2",
]  # fmt: skip
"""Six lanes a round; of digits."""


class Ended(NamedTuple):
    """What became of a process."""

    status: int
    output: str
    errors: str


def run(arguments: Sequence[str], devices: int = 2) -> Ended:
    """Run ltjax in one process."""
    process = _start(arguments, {"JAX_NUM_CPU_DEVICES": str(devices)})
    return _ended(process)


class Job:
    """Processes that have begun a command together, each with ``devices`` devices.

    Args:
        processes: how many.
        arguments: what each is given; of ``{process}`` in one, the number of the process is made.
        cluster: environment variables by which they find one another, by the number of a process; without it
            they are told by ``--distributed``.
    """

    def __init__(
        self, processes: int, arguments: Sequence[str], devices: int = 1,
        cluster: Callable[[int, int, int], Mapping[str, str]] | None = None,
    ) -> None:  # fmt: skip
        port = free_port()
        self.processes = []
        for number in range(processes):
            own = [each.format(process=number) for each in arguments]
            found = dict(cluster(number, processes, port)) if cluster else {}
            told = [] if cluster else _told(number, processes, port)
            self.processes.append(_start([*own, *told], {"JAX_NUM_CPU_DEVICES": str(devices), **found}))

    def wait_for(self, folder: Path, pattern: str) -> None:
        """Wait until a file or folder is there, or a process has ended."""
        while not list(folder.glob(pattern)):
            assert all(each.poll() is None for each in self.processes), self.ended()
            time.sleep(0.02)

    def ended(self) -> list[Ended]:
        """Wait for all processes."""
        return [_ended(each) for each in self.processes]


def slurm(number: int, processes: int, port: int) -> dict[str, str]:
    """The variables that ``srun`` sets, on one machine."""
    return {
        # JAX makes the port of the job's number
        "SLURM_JOB_ID": str(port), "JAX_COORDINATOR_PORT": str(port), "SLURM_STEP_NODELIST": "localhost",
        "SLURM_NTASKS": str(processes), "SLURM_STEP_NUM_TASKS": str(processes),
        "SLURM_PROCID": str(number), "SLURM_LOCALID": str(number), "SLURM_STEP_NUM_NODES": "1",
    }  # fmt: skip


def open_mpi(number: int, processes: int, port: int) -> dict[str, str]:
    """The variables that Open MPI 4's ``mpirun`` sets, on one machine."""
    return {
        "OMPI_MCA_orte_hnp_uri": f"{port * 4096}.0;tcp://127.0.0.1:1", "JAX_COORDINATOR_PORT": str(port),
        "OMPI_COMM_WORLD_SIZE": str(processes), "OMPI_COMM_WORLD_RANK": str(number),
        "OMPI_COMM_WORLD_LOCAL_RANK": str(number),
    }  # fmt: skip


def _told(number: int, processes: int, port: int) -> list[str]:
    return [
        "--distributed.coordinator", f"localhost:{port}", "--distributed.processes", str(processes),
        "--distributed.process", str(number),
    ]  # fmt: skip


def _start(arguments: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "ltjax.run", *arguments], env={**os.environ, **environment},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def _ended(process: subprocess.Popen[str]) -> Ended:
    output, errors = process.communicate(timeout=900)
    return Ended(process.returncode, output, errors)


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return int(probe.getsockname()[1])
