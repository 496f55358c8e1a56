"""Ctrl-C once and twice, and SIGTERM, wherever they come: one sentence, and nothing lost."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ltjax.core import interrupts
from ltjax.runs.folder import Run

from .faults import SMALL
from .mortal import Place
from .test_runs import assert_same_results

ROOT = Path(__file__).parent.parent

ALONE = """
import hashlib, runpy, signal, sys, threading, time
sys.argv = ["interrupts"]
Interrupts = runpy.run_path({path!r})["Interrupts"]
{before}
def ready():
    print("ready", flush=True)
with Interrupts("the command") as interrupts:
    {does}
"""
"""Interrupts without the rest of ltjax, which would take seconds to import."""

SLEEPS = "ready(); time.sleep(60)"
HOLDS = "with interrupts.held('the letter'): ready(); time.sleep(60)"
DROPS = "gc.callbacks.append(drop); gc.collect()"
DROP = """
import gc
def drop(*_):
    gc.callbacks.clear()
    ready(); time.sleep(60)
"""
"""What is raised in a callback of the garbage collector, as JAX has one, is dropped by Python."""

COMPUTES = "threading.Timer(0.2, ready).start(); hashlib.pbkdf2_hmac('sha256', b'', b'', 10**9)"
"""No handler of Python's runs before this is done."""


def start(does: str, before: str = "") -> subprocess.Popen:
    """A process that is ready to be interrupted."""
    code = ALONE.format(path=interrupts.__file__, does=does, before=before)
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n"
    return process


def end(process: subprocess.Popen) -> tuple[int, str]:
    """Its exit status and what it said."""
    err = process.communicate(timeout=60)[1]
    return process.returncode, err


def test_the_first_signal_is_raised():
    process = start(SLEEPS)
    process.send_signal(signal.SIGINT)
    _, err = end(process)
    assert "Interrupted" in err


@pytest.mark.parametrize("then", ["; interrupts.check(); print('more')", ""], ids=["asked for", "at the end"])
def test_the_first_signal_is_raised_again_where_python_drops_it_and_not_told_there(then):
    process = start(DROPS + then, DROP)
    process.send_signal(signal.SIGINT)
    _, err = end(process)
    assert err.count("Traceback") == 1 and "in check" in err and "ignored" not in err


def test_what_is_held_is_finished_and_the_second_signal_ends_it_at_once():
    process = start(HOLDS)
    process.send_signal(signal.SIGINT)
    assert process.stderr.readline() == "ltjax: finishing the letter; Ctrl-C again to stop at once\n"
    process.send_signal(signal.SIGINT)
    assert end(process) == (130, "ltjax: interrupted; to continue, repeat: the command\n")


def test_the_second_signal_ends_what_the_first_cannot():
    process = start(COMPUTES)
    process.send_signal(signal.SIGTERM)
    assert "stopping when the computation that is running ends" in process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    assert end(process) == (143, "ltjax: terminated; to continue, repeat: the command\n")


def test_what_the_starter_ignores_stays_ignored():
    process = start("ready(); time.sleep(0.5)", before="signal.signal(signal.SIGINT, signal.SIG_IGN)")
    process.send_signal(signal.SIGINT)
    assert end(process) == (0, "")


@pytest.mark.parametrize(("name", "number"), [("run", 2), ("report", 2), ("merge", 15)])
def test_while_importing(name, number):
    """Some tenths of a second after the start: of all that is imported, little is."""
    command = [sys.executable, "-m", f"ltjax.{name}", "a folder"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for_handler(process)
    process.send_signal(number)
    sentence = f"ltjax: {interrupts.WORDS[number]}; to continue, repeat: python -m ltjax.{name} 'a folder'\n"
    assert end(process) == (128 + number, sentence)


def wait_for_handler(process: subprocess.Popen) -> None:
    """Return as soon as a process handles SIGTERM, which Python itself does not."""
    status = Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        caught = next(line for line in status.read_text().splitlines() if line.startswith("SigCgt"))
        if int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1:
            return
        time.sleep(0.001)


def interrupted(folder: Path, place: Place) -> tuple[int, str]:
    """The exit status of a small run that gets signals at a place, and what it said."""
    command = [sys.executable, "-m", "tests.mortal", folder.parent / "log", place.to_json(), "--", *SMALL]
    environment = {**os.environ, "JAX_NUM_CPU_DEVICES": "2"}
    done = subprocess.run(
        [*command, "--workdir", folder], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    return done.returncode, done.stderr


def test_a_run_that_is_interrupted_wherever_it_is_loses_nothing(tmp_path):
    """While it compiles, while a snapshot and a checkpoint are written, and twice; then it is finished."""
    folder, once, twice = tmp_path / "run", ("SIGINT",), ("SIGINT", "SIGINT")
    snapshot, checkpoint = "open checkpoints/begun/.*_METADATA", "open checkpoints/rounds/.*_METADATA"
    places = {
        Place("compiled", 3, signals=("SIGTERM",)): (143, "terminated; to continue"),
        Place(snapshot, signals=once): (130, "finishing the snapshot; Ctrl-C again to stop at once"),
        Place(checkpoint, signals=once): (130, "finishing the checkpoint; Ctrl-C again to stop at once"),
        Place(checkpoint, signals=twice): (130, "interrupted; to continue"),
    }
    rounds = []
    for place, (status, said) in places.items():
        left, err = interrupted(folder, place)
        assert left == status and said in err and "Traceback" not in err, err
        rounds.append(sorted(Run(folder).parts))
    assert rounds[:3] == [[], [], [0]], "the checkpoint that was held is there"
    assert interrupted(folder, Place())[0] == 0
    assert interrupted(tmp_path / "undisturbed", Place())[0] == 0
    assert_same_results(folder, tmp_path / "undisturbed")
