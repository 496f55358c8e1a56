"""Ctrl-C once and twice, and SIGTERM, wherever they come: one sentence, and nothing lost."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ltjax.core import interrupts
from ltjax.runs.folder import Run

from .faults import SMALL
from .mortal import Place
from .test_runs import assert_same_results

ROOT = Path(__file__).parent.parent

ALONE = """
import gc, runpy, signal, time
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
WRITES = """with interrupts.held('the book'):
        with interrupts.held('the letter'): ready(); time.sleep(0.5)
        print('more')"""
FAILS = """with interrupts.held('the letter'):
        ready(); time.sleep(0.5)
        raise OSError('the others have left')"""
DROPS = "gc.callbacks.append(drop); gc.collect()"
DROP = """
def drop(*_):
    gc.callbacks.clear()
    ready(); time.sleep(60)
"""
"""What is raised in a callback of the garbage collector, as JAX has one, is dropped by Python."""


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
def test_the_first_signal_is_raised_again_where_python_drops_it(then):
    process = start(DROPS + then, DROP)
    process.send_signal(signal.SIGINT)
    _, err = end(process)
    assert "in check" in err and "Interrupted" in err.splitlines()[-1]


def test_what_is_held_is_finished_and_nothing_after_it_is_begun():
    process = start(WRITES)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert out == "" and err.startswith("ltjax: finishing the letter") and "Interrupted" in err


def test_what_goes_wrong_after_the_first_signal_is_the_interruption_too():
    process = start(FAILS)
    process.send_signal(signal.SIGINT)
    _, err = end(process)
    assert "Interrupted" in err.splitlines()[-1]


def test_the_second_signal_ends_at_once_what_is_held():
    process = start(HOLDS)
    process.send_signal(signal.SIGINT)
    assert process.stderr.readline() == "ltjax: finishing the letter; Ctrl-C again to stop at once\n"
    process.send_signal(signal.SIGINT)
    assert end(process) == (130, "ltjax: interrupted; to continue, repeat: the command\n")


def test_what_the_starter_ignores_stays_ignored():
    process = start("ready(); time.sleep(0.5)", before="signal.signal(signal.SIGINT, signal.SIG_IGN)")
    process.send_signal(signal.SIGINT)
    assert end(process) == (0, "")


def interrupted(folder: Path, place: Place, *more: str) -> tuple[int, str]:
    """The exit status of a small run that gets signals at a place, and what it said."""
    command = [sys.executable, "-m", "tests.mortal", folder.parent / "log", place.to_json(), "--", *SMALL]
    environment = {**os.environ, "JAX_NUM_CPU_DEVICES": "2"}
    done = subprocess.run(
        [*command, "--workdir", folder, *more], cwd=ROOT, env=environment, capture_output=True, text=True,
        timeout=900,
    )  # fmt: skip
    return done.returncode, done.stderr


@pytest.mark.long
def test_a_run_that_is_interrupted_wherever_it_is_loses_nothing(tmp_path):
    """While it compiles, while a snapshot and a checkpoint are written, and twice; then it is finished."""
    folder, once, twice = tmp_path / "run", ("SIGINT",), ("SIGINT", "SIGINT")
    snapshot, checkpoint = "open checkpoints/begun/.*_METADATA", "open checkpoints/rounds/.*_METADATA"
    places = {
        Place("compiled", 3, after="rename config", signals=("SIGTERM",)): (143, "terminated; to continue"),
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


def test_signals_are_heard_while_xla_computes(tmp_path):
    """The one interval of this run would take hours, in compiled code; it begins after the first snapshot."""
    both = Place("rename checkpoints/begun", delay=2.0, signals=("SIGINT", "SIGTERM"))
    steps = ("--train.steps", "100000000", "--train.evaluate-every", "100000000")
    status, err = interrupted(tmp_path / "run", both, *steps)
    assert status == 143 and err.startswith("ltjax: finishing the steps until the next evaluation"), err
    assert "terminated; to continue" in err and "Traceback" not in err
