"""Joining the other processes of a job, by JAX's distributed runtime, and leaving it.

A process that ends early takes the whole job with it: no other could go on without its lanes. Where JAX tells
of the loss by an error it becomes one sentence; where JAX's runtime aborts the process, its own words stand.
"""

import hashlib
import importlib.util
import os
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import jax

from ltjax.core.errors import UserError, first_line
from ltjax.lanes import processes


@dataclass(frozen=True)
class Distributed:
    """The processes of a job on several machines; each is given the same command but for its own number.

    Nothing is needed where Slurm, Open MPI 4, Kubernetes or Cloud TPU started them.
    """

    coordinator: str | None = None
    """HOST:PORT of process 0, where the others meet it; any free port."""
    processes: int | None = None
    """How many processes the job has."""
    process: int | None = None
    """The number of this one, from 0; process 0 shows progress and writes the tables."""
    cluster: Literal["auto", "none", "slurm", "ompi", "mpi4py", "k8s", "gcetpu", "gketpu"] = "auto"
    """Who started the processes; auto has JAX find out, none runs by itself; mpi4py is for Open MPI 5."""
    patience: int = 100
    """Seconds without a sign of life after which a process counts as lost."""
    wait: int = 300
    """Seconds to wait at the start until all processes are there."""


def check(options: Distributed) -> None:
    """Check what was given, before anything is started.

    Raises:
        UserError: something is missing or impossible.
    """
    given = {name: getattr(options, name) for name in ("coordinator", "processes", "process")}
    missing = [f"--distributed.{name}" for name, value in given.items() if value is None]
    if 0 < len(missing) < 3 and _method(options) == "deactivate":
        raise UserError(f"a job of several processes also needs {' and '.join(missing)}.")
    host, _, port = (options.coordinator or "localhost:1").rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise UserError(f"--distributed.coordinator must be HOST:PORT, not {options.coordinator!r}.")
    if options.processes is not None and options.processes < 1:
        raise UserError(f"--distributed.processes must be at least 1, not {options.processes}.")
    last = (options.processes or 2**31) - 1
    if options.process is not None and not 0 <= options.process <= last:
        raise UserError(f"--distributed.process must lie between 0 and {last}, not {options.process}.")
    for name in ("patience", "wait"):
        if not 1 <= getattr(options, name) <= 10**6:
            raise UserError(f"--distributed.{name} must lie between 1 and 1000000 seconds.")


def started_together() -> bool:
    """Whether this process was started as one of several; which, and where the others are, JAX finds out."""
    pods = {"JOB_COMPLETION_INDEX", "KUBERNETES_SERVICE_HOST"} <= os.environ.keys()
    slices = "," in os.environ.get("TPU_PROCESS_ADDRESSES", os.environ.get("TPU_WORKER_HOSTNAMES", ""))
    tasks = (os.environ.get(name, "1") for name in ("SLURM_STEP_NUM_TASKS", "OMPI_COMM_WORLD_SIZE"))
    return pods or slices or any(each.isdecimal() and int(each) > 1 for each in tasks) or _on_tpu_machine()


def _on_tpu_machine() -> bool:
    """Whether this is a machine of Google's with a TPU, whose service knows of the others of its slice."""
    chips = [*Path("/dev").glob("accel[0-9]*"), *Path("/dev").glob("vfio/[0-9]*")]
    return bool(chips) and importlib.util.find_spec("libtpu") is not None


def _method(options: Distributed) -> str | None:
    """How JAX is to find the others; None leaves it to JAX, deactivate finds none."""
    if options.cluster == "auto":
        return None if started_together() else "deactivate"
    return "deactivate" if options.cluster == "none" else options.cluster


@contextmanager
def job(options: Distributed, command: str) -> Iterator[None]:
    """Be one process of a job while this lasts; without any options, and started alone, it does nothing.

    Args:
        options: who the others are.
        command: what continues the job, for the message of a process that is killed.

    Raises:
        UserError: they could not be met, or were given another command.
    """
    if _method(options) == "deactivate" and options.coordinator is None:
        yield
        return
    _join(options)
    if processes.count() == 1:
        yield
        return
    try:
        yield
        processes.barrier("the end")
    except (UserError, KeyboardInterrupt, SystemExit):
        raise
    except (jax.errors.JaxRuntimeError, OSError) as error:
        raise _told(error, command) from error
    except BaseException as error:
        if isinstance(error, ValueError) and "Gloo" in str(
            error
        ):  # so fails a gather that was compiled before
            raise _told(error, command) from error
        # a mistake of ltjax's; waiting for the others at exit would hide it
        traceback.print_exc()
        processes.leave(1)
    jax.distributed.shutdown()


def _join(options: Distributed) -> None:
    # JAX's service would take SIGTERM from us and end nothing
    jax.config.update("jax_enable_preemption_service", False)
    try:
        with _waiting(options.wait):
            jax.distributed.initialize(
                options.coordinator, options.processes, options.process,
                cluster_detection_method=_method(options), initialization_timeout=options.wait + 60,
                heartbeat_timeout_seconds=options.patience, shutdown_timeout_seconds=options.patience,
            )  # fmt: skip
    except Exception as error:  # of many types, by what was not there
        raise UserError(
            f"the other processes of the job could not be met ({first_line(error)}); see "
            "--distributed.coordinator, --distributed.processes and --distributed.process, or "
            "--distributed.cluster: none runs by itself, mpi4py asks Open MPI 5."
        ) from error


@contextmanager
def _waiting(seconds: int) -> Iterator[None]:
    """End the process, saying why, if this takes longer: JAX's own way would be an abort."""

    def give_up() -> None:
        print(
            f"ltjax: not all processes of the job came within {seconds} seconds (--distributed.wait); are as "
            "many started as --distributed.processes says, and can all reach --distributed.coordinator?",
            file=sys.stderr, flush=True,
        )  # fmt: skip
        os._exit(2)

    timer = threading.Timer(seconds, give_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def agree(told: str) -> None:
    """See that all processes were given the same command.

    Args:
        told: what must agree, in words.

    Raises:
        UserError: it does not; in every process.
    """
    if not processes.same(hashlib.sha256(told.encode()).digest()):
        raise UserError(
            "the processes of this job were given different commands, or have different versions of ltjax or "
            "jax; give each the same but for --distributed.process."
        )


def _told(error: Exception, command: str) -> Exception:
    """A lost connection as one sentence; any other error of JAX's as it is."""
    text = str(error)
    if not any(word in text for word in ("Gloo", "NCCL", "RCCL", "coordination", "eartbeat", "onnection")):
        return error
    return ConnectionError(
        f"process {processes.index()} of {processes.count()} lost the others: one of them has ended, so this "
        f"one ends too (to continue, repeat in each: {command})"
    )
