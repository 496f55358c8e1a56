"""Running an experiment from Python: the command's folder, continued, and what is said of it."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

import ltjax
from ltjax.analysis.results import Study
from ltjax.core.interrupts import Interrupts
from ltjax.data import DATASETS
from ltjax.lanes import backend
from ltjax.runs import paths
from ltjax.settings import compatible

from .conftest import QUICK_FLAGS, with_prune, with_train


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tiny):
    """A folder into which ``tiny`` was run, and what was found."""
    home = tmp_path_factory.mktemp("running") / "tiny"
    return home, ltjax.run_experiment(tiny, home, quiet=True)


def test_it_gives_the_study_of_the_folder_and_writes_what_the_command_writes(folder, finished):
    home, study = folder
    assert isinstance(study, Study) and [run.folder for run in study.runs] == [home]
    assert paths.environment(home).exists() and not paths.begun(home).exists()
    assert paths.summary(home).read_bytes() == paths.summary(finished.folder).read_bytes()


def test_only_what_is_missing_is_trained(folder, tiny, capsys):
    home, _ = folder
    ltjax.run_experiment(tiny, home)
    assert "nothing left to train in tiny" in capsys.readouterr().out
    (grown,) = ltjax.run_experiment(with_prune(tiny, rounds=3), home).runs
    said = capsys.readouterr().out
    assert "continuing tiny" in said and "round 3/3" in said and "round 2/3" not in said
    assert set(grown.summary["round"]) == {0, 1, 2, 3}


def test_by_default_the_folder_has_the_experiments_name_and_a_round_has_one_line(
    tiny, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    ltjax.run_experiment(with_prune(tiny, rounds=1), only=[0], pace=3600)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("round ")]
    assert (tmp_path / "runs" / "tiny" / "summary.csv").exists()
    assert [line.split("  ")[:2] for line in lines[:2]] == [[f"round {at}/1", "step 40/40"] for at in (0, 1)]


def test_quiet_says_nothing(folder, tiny, capsys):
    ltjax.run_experiment(tiny, folder[0], quiet=True)
    assert capsys.readouterr().out == ""


def test_a_folder_of_another_experiment_is_refused_and_left_as_it_is(folder, tiny):
    home, _ = folder
    before = paths.config(home).read_bytes()
    with pytest.raises(ltjax.UserError, match="holds another experiment"):
        ltjax.run_experiment(with_train(tiny, steps=60), home)
    assert paths.config(home).read_bytes() == before


def test_an_interruption_leaves_nothing_behind_and_the_same_call_continues(tiny, tmp_path, finished):
    """As a notebook's cell is interrupted: the signal comes to the main thread, which lives on."""
    home, before = tmp_path / "tiny", signal.getsignal(signal.SIGINT)

    def interrupt():
        while not paths.curves(home, 0, 0).exists():
            time.sleep(0.001)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        ltjax.run_experiment(tiny, home, quiet=True)
    thread.join()
    assert signal.getsignal(signal.SIGINT) is before and not paths.lock(home).exists()
    assert 1 <= len(list(paths.rounds(home).glob("*"))) < 3, "it was interrupted between the rounds"
    ltjax.run_experiment(tiny, home, quiet=True)
    assert paths.summary(home).read_bytes() == paths.summary(finished.folder).read_bytes()


def test_a_second_interruption_is_raised_at_once_and_the_program_lives_on():
    with pytest.raises(KeyboardInterrupt), Interrupts("again", ends=False) as interrupts:  # noqa: SIM117
        with interrupts.held("the letter"):
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
            pytest.fail("the letter was finished")


@pytest.fixture
def own(digits):
    """Arrays of a user's own: the even digits alone."""
    even, test = digits.train_targets % 2 == 0, digits.test_targets % 2 == 0
    yield ltjax.Dataset(
        digits.train_inputs[even], digits.train_targets[even],
        digits.test_inputs[test], digits.test_targets[test], 10,
    )  # fmt: skip
    for name in [name for name in DATASETS if name.startswith("arrays_")]:
        del DATASETS[name]


def test_arrays_of_ones_own_are_trained_kept_by_their_checksum_and_evaluated(tiny, own, tmp_path):
    short, home = replace(with_prune(tiny, rounds=1), trials=1, arms={"ticket": 1}), tmp_path / "own"
    (run,) = ltjax.run_experiment(short, home, quiet=True, dataset=own).runs
    (direct, _) = ltjax.find_tickets(short, dataset=own)
    rows = run.summary[run.summary["round"] == 0]
    assert rows["final_test_accuracy"].tolist() == direct.summary["final_test_accuracy"].tolist()
    stored = ltjax.load_experiment(home)
    assert stored.data.name.startswith("arrays_")
    trained = ltjax.load_trained(home, round=1)
    measured = ltjax.evaluate(trained, stored)
    assert measured.examples == len(own.test_targets)
    assert measured.accuracy == run.summary["final_test_accuracy"].iloc[-1]
    assert ltjax.load_ticket(home, trial=0, round=1).params

    other = own._replace(train_inputs=own.train_inputs // 2)
    with pytest.raises(ltjax.UserError, match="the data: their fingerprint is "):
        ltjax.run_experiment(short, home, dataset=other)
    with pytest.raises(ltjax.UserError, match="data.name: the run has 'arrays_"):
        ltjax.run_experiment(short, home)
    ltjax.run_experiment(with_prune(short, rounds=2), home, quiet=True, dataset=own)
    DATASETS.pop(stored.data.name)
    with pytest.raises(ltjax.UserError, match="are arrays of your own, which a run does not keep"):
        ltjax.run_experiment(stored, home)


def test_arrays_that_are_no_data_set_are_refused_before_anything_is_written(tiny, own, tmp_path):
    with pytest.raises(ltjax.UserError, match="train_targets must be one for each of 2 examples"):
        ltjax.run_experiment(tiny, tmp_path / "own", dataset=own._replace(train_inputs=np.zeros((2, 2))))
    assert not (tmp_path / "own").exists()


FACTS = """
import json, jax
print(json.dumps([str(jax.devices()), jax.config.jax_compilation_cache_dir,
    jax.config.jax_persistent_cache_enable_xla_caches, os.environ.get("XLA_FLAGS")]))
"""


def started(program: str, **more: str) -> list[str]:
    """The lines that a Python program of its own prints, which chooses none of JAX's settings."""
    chosen = ("JAX_NUM_CPU_DEVICES", "JAX_COMPILATION_CACHE_DIR", "XLA_FLAGS")
    environment = {name: value for name, value in os.environ.items() if name not in chosen} | more
    done = subprocess.run(
        [sys.executable, "-c", f"import os\n{program}"], env=environment, capture_output=True, text=True,
        timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [*done.stdout.splitlines(), done.stderr]


def test_python_has_the_devices_the_cache_and_the_bits_of_the_command_line(tmp_path, tiny):
    alone = replace(with_prune(tiny, rounds=0), trials=1, arms={"ticket": 1})
    paths.config(tmp_path).write_text(compatible.to_json(alone))
    python, line = tmp_path / "python", tmp_path / "line"
    here = f"import ltjax\nltjax.run_experiment(ltjax.load_experiment({str(tmp_path)!r}), {str(python)!r})"
    there = (
        "from ltjax.cli import main\n"
        f"main.main(['run', '--config', {str(tmp_path)!r}, '--workdir', {str(line)!r}])"
    )
    facts = [started(program + FACTS, XLA_FLAGS=QUICK_FLAGS)[-2] for program in (here, there)]
    assert facts[0] == facts[1]
    devices, cache, *_ = json.loads(facts[0])
    assert devices.count("CpuDevice") == backend.cores() and cache.endswith("ltjax/xla")
    assert paths.summary(python).read_bytes() == paths.summary(line).read_bytes()
    first, second = (ltjax.load_trained(folder, round=0)["output"]["kernel"] for folder in (python, line))
    assert np.array_equal(first, second)


def test_a_program_that_used_jax_before_is_warned_once_and_keeps_its_compilations_from_then_on(
    tmp_path,
):
    if backend.cores() == 1:
        pytest.skip("one device is all that there is")
    compiles = "jax.jit(lambda x: 3.25 * x)(1.0)\n"
    program = f"import jax\n{compiles}import ltjax\n{compiles}{FACTS}"
    *_, facts, said = started(program, XDG_CACHE_HOME=str(tmp_path))
    assert said.count(f"training has 1 of {backend.cores()} cores") == 1
    devices, cache, *_ = json.loads(facts)
    assert devices.count("CpuDevice") == 1 and list((tmp_path / "ltjax" / "xla").iterdir())
    assert cache == str(tmp_path / "ltjax" / "xla")
