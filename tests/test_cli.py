"""The command line: what it shows, what it refuses and how, and that killing it loses nothing."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from ltjax.cli import choices as choices_of
from ltjax.cli.commands import run
from ltjax.core import locks
from ltjax.runs import paths
from ltjax.settings.loading import experiments
from ltjax.settings.plain import plain
from ltjax.sparsity.criteria import CRITERIA

from .conftest import TINY
from .test_runs import assert_same_results

SMALL = (
    "--config digits --trials 2 --arms.reinit 1 --seed 3 --data.validation 100 --model.widths 16 12 "
    "--train.steps 40 --train.batch 30 --train.evaluate-every 20 --train.evaluate-batch 128 --prune.rounds 2 "
    "--keep all --numerics.convolution direct --numerics.x64 False"
).split()
"""The command line of TINY."""


def command(*arguments: str, expect: int = 0) -> None:
    """Run the command line in this process and check its exit status."""
    status = 0
    try:
        run.main(list(arguments))
    except SystemExit as left:
        status = left.code or 0
    assert status == expect


def contents(folder: Path) -> dict[Path, bytes]:
    """Every file below a folder."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_options_of_the_small_experiment_are_the_small_experiment():
    parsed = plain(run.parse(SMALL).experiment)
    assert {**parsed, "name": "tiny"} == plain(TINY)


def test_list_shows_every_experiment_with_its_purpose(capsys):
    command("--list")
    out = capsys.readouterr().out
    for name, purpose in experiments().items():
        assert name in out and purpose and purpose in out


def test_help_tells_every_setting(capsys):
    command("--help")
    out = capsys.readouterr().out
    for option in ("--config", "--workdir", "--dry-run", "--trials", "--prune.rates.fc", "--arms.reinit",
                   "--data.raw", "--train.learning-rate"):  # fmt: skip
        assert option in out


def test_help_has_80_columns_and_ends_with_what_an_arm_is_every_choice_and_three_examples(
    capsys, monkeypatch
):
    monkeypatch.setenv("COLUMNS", "80")
    command("--help")
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    after = out.partition("An arm is what every round trains")[2]
    words = " ".join(after.split())
    for option, choices in choices_of.OPTIONS.items():
        assert f"\n{option}\n" in after
        for name, purpose in choices().items():
            assert purpose and f"{name} {purpose}" in words, "it is broken between words alone"
    examples = after.partition("\nexamples\n")[2].split("\n\n")
    commands = [each.rpartition("\n")[2].strip() for each in examples if each.strip()]
    assert len(commands) == 3
    for line in commands:
        assert run.parse(line.removeprefix(run.PROGRAM).split())


def test_help_tells_what_ones_own_file_registers(capsys, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "from ltjax import CRITERIA, Experiment\n"
        "@CRITERIA.register('smallest')\n"
        "def smallest(found):\n"
        '    """The other way round."""\n'
        "experiment = Experiment()\n"
    )
    try:
        command("--config", str(path), "--help")
        assert re.search("smallest +The other way round.", capsys.readouterr().out)
    finally:
        CRITERIA.pop("smallest", None)


def test_a_dry_run_tells_the_papers_schedule_and_writes_nothing(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "no-data"))  # none is needed
    command("--config", "lenet_iterative", "--dry-run", "--arms.reinit", "3")
    out = capsys.readouterr().out
    for expected in ("266,200", "51.28", "21.07", "13.52", " 3.58", "20 a round", "67.6 M"):
        assert expected in out
    assert not list(tmp_path.iterdir())


def test_a_run_prints_a_table_and_repeating_it_finds_nothing_left(capsys, tmp_path, finished):
    folder = tmp_path / "small"
    command(*SMALL, "--workdir", str(folder))
    out = capsys.readouterr().out
    assert "running digits" in out and "round 2/2  step 40/40  4 lanes" in out
    assert "% left" in out and "early-stop step" in out
    assert_same_results(folder, finished.folder)
    environment = json.loads((folder / "environment.json").read_text())
    assert environment["versions"]["jax"] and environment["devices"] and not environment["earlier"]
    before = contents(folder), {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    command(*SMALL, "--workdir", str(folder))
    assert "nothing left to train" in capsys.readouterr().out
    assert before == (contents(folder), {path: path.stat().st_mtime_ns for path in folder.rglob("*")})
    with locks.lock(paths.lock(folder)):  # another process may be writing there
        command(*SMALL, "--workdir", str(folder))
    (folder / "summary.csv").unlink()
    command(*SMALL, "--workdir", str(folder))
    environment = json.loads((folder / "environment.json").read_text())
    assert contents(folder).keys() == before[0].keys() and len(environment["earlier"]) == 1


BAD = [
    ("--config lenet_iterativ", "no experiment 'lenet_iterativ'; did you mean 'lenet_iterative'?"),
    ("--config nowhere/mine.py", "cannot be read"),
    ("--prune.roundz 3", "--prune.rounds"),
    ("--trails 3", "--trials"),
    ("--epochs 3", "there is no --epochs; did you mean --train.steps?"),
    ("--dataset mnist", "there is no --dataset; did you mean --data.name?"),
    ("--lr=0.1", "there is no --lr; did you mean --train.learning-rate?"),
    ("--batch_size 32", "there is no --batch_size; did you mean --train.batch?"),
    ("--model vgg19", "there is no --model; did you mean --model.name?"),
    ("--seeds 3", "there is no --seeds; did you mean --trials?"),
    ("--output x", "there is no --output; did you mean --workdir?"),
    ("--steps 3", "there is no --steps; did you mean --train.steps?"),
    ("--learning_rate 3", "there is no --learning_rate; did you mean --train.learning-rate?"),
    ("--convolution x", "did you mean --numerics.convolution or --compute.convolution?"),
    ("--optimiser adam", "there is no --optimiser; did you mean --train.optimizer?"),
    ("--arms 3", "did you mean --arms.ticket or --arms.reinit or --arms.random?"),
    ("--frobnicate", "there is no --frobnicate; python -m ltjax.run --help shows all options."),
    ("--trials five", "--trials"),
    ("--train.steps 1.5", "--train.steps"),
    ("--prune.structure everywhere", "no structure 'everywhere'; there are: channels, global, layer"),
    ("--trials 0", "trials must be at least 1, not 0"),
    ("--train.steps 0", "train.steps must be at least 1"),
    ("--train.batch 5000", "train.batch must be at most 1237"),
    ("--data.validation 1437", "data.validation must be below 1437"),
    ("--prune.rates.fc 1.0", "prune.rates.fc must lie between 0 and 1, both excluded, not 1.0"),
    ("--prune.rates.fc 0", "prune.rates.fc must lie between 0 and 1"),
    ("--prune.rates.output -0.1", "prune.rates.output must lie between"),
    ("--prune.rates.conv None --prune.rates.fc None --prune.rates.output None", "leave nothing to prune"),
    ("--prune.rounds -1", "prune.rounds must be at least 0"),
    ("--prune.criterion magnitud", "no criterion 'magnitud'; did you mean 'magnitude'?"),
    ("--prune.structure global", "one rate"),
    ("--model.name lenett", "no model 'lenett'; did you mean 'lenet'?"),
    ("--model.init glorot", "no initializer 'glorot'; did you mean 'glorot_normal'?"),
    ("--model.widths 0", "model.widths must be at least 1"),
    ("--train.optimizer adm", "no optimizer 'adm'; did you mean 'adam'?"),
    ("--train.learning-rate 0", "train.learning_rate must be positive"),
    ("--train.learning-rate nan", "train.learning_rate must be positive"),
    ("--data.name mnits", "no data set 'mnits'; did you mean 'mnist'?"),
    ("--arms.ticket 0", "arms.ticket cannot be 0"),
    ("--arms.reinit -1", "arms.reinit must be at least 0"),
    ("--compute.devices 99", "compute.devices must lie between 1 and"),
    ("--seed -1", "seed must lie between"),
    ("--prune.schedule iteratif", "no schedule 'iteratif'; did you mean 'iterative'?"),
    ("--prune.schedule continued", "prune.schedule continued needs --arms.continued 1"),
    (
        "--prune.schedule oneshot --prune.rounds 1 --prune.schedule.fractions 0.5 "
        "--prune.rate-by-path fc1*=0.1",
        "prune.rate_by_path 'fc1*=0.1' has no meaning under prune.schedule oneshot",
    ),
    ("--prune.schedule oneshot", "prune.rounds 10 needs as many prune.schedule.fractions, not 0"),
    (
        "--prune.schedule.fractions 0.5",
        "for --prune.schedule oneshot, not iterative; say --prune.schedule oneshot",
    ),
    (
        "--prune.schedule oneshot --prune.rounds 1 --prune.schedule.fractions 1.5",
        "prune.schedule.fractions must lie between",
    ),
    ("--control-rounds -1", "control_rounds must be rounds from 0 to 10, not -1"),
    ("--control-rounds 40", "control_rounds must be rounds from 0 to 10, not 40"),
    ("--dry-run --only 9", "--only must name trials from 0 to 4, not 9"),
    ("--only 5", "--only must name trials from 0 to 4, not 5"),
    ("--model.init-std 0", "model.init_std must be positive"),
    ("--model.start nowhere.safetensors", "there is no file 'nowhere.safetensors'"),
    ("--sweep learning_rate=1", "no setting 'learning_rate'; did you mean 'train.learning_rate'?"),
    ("--sweep train.learning_rate", "is no SETTING=VALUE"),
    ("--sweep train.learning_rate=0.1,-1", "train.learning_rate must be positive, not -1"),
    ("--sweep train.steps=1.5", "train.steps is 1.5, where a whole number is expected"),
    ("--sweep train.steps=1,2 seed=1", "as many values each; train.steps has 2, seed has 1"),
]


@pytest.mark.parametrize(("line", "message"), BAD, ids=[line for line, _ in BAD])
def test_bad_input_is_one_clear_message_and_status_2(line, message, capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small = [] if "--config" in line else ["--config", "digits"]
    command(*small, *line.split(), expect=2)
    out, err = capfd.readouterr()
    assert message in err and "Traceback" not in out + err
    assert not list(tmp_path.iterdir()), "something was written before the input was refused"


def test_trials_trained_apart_are_the_same_run(tmp_path, finished, capsys):
    folder = tmp_path / "small"
    for trial in ("1", "0"):
        command(*SMALL, "--workdir", str(folder), "--only", trial)
    assert_same_results(folder, finished.folder)


def test_a_sweep_runs_from_the_command_line_and_continues_by_its_folder(tmp_path, capsys):
    folder = tmp_path / "swept"
    small = [*SMALL, "--trials", "1", "--arms.reinit", "0", "--workdir", str(folder)]
    command(*small, "--sweep", "train.learning-rate=0.001,0.01")
    out = capsys.readouterr().out
    assert "train.learning_rate at 2 points" in out and "learning_rate=0.01" in out
    assert pd.read_csv(folder / "summary.csv")["point"].nunique() == 2
    command("--config", str(folder), "--workdir", str(folder))
    assert "nothing left to train" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("experiment = 3", "defines no `experiment"),
        ("1 / 0", "ZeroDivisionError"),
        ("experiment = (", "SyntaxError"),
        ("from ltjax import load_experiment\nload_experiment('digit')", "did you mean 'digits'?"),
    ],
)
def test_a_bad_experiment_file_is_told(content, message, capfd, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(content)
    command("--config", str(path), "--dry-run", expect=2)
    assert message in capfd.readouterr().err


def test_an_experiment_of_the_users_own_runs_by_its_path(capsys, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "from dataclasses import replace\nfrom ltjax import load_experiment\n"
        "experiment = replace(load_experiment('digits'), name='mine', trials=7)"
    )
    command("--config", str(path), "--dry-run")
    assert "7 a round" in capsys.readouterr().out


def test_a_folder_of_its_name_does_not_hide_an_experiment(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").mkdir()
    command("--config", "digits", "--dry-run")
    assert "digits" in capsys.readouterr().out


def test_a_workdir_with_another_experiment_is_refused(capfd, tmp_path, finished):
    command(*SMALL, "--seed", "4", "--workdir", str(finished.folder), expect=2)
    assert "seed: the run has 3, asked is 4" in capfd.readouterr().err


def test_a_workdir_that_cannot_be_made_is_told(capfd, tmp_path):
    (tmp_path / "file").write_text("")
    command(*SMALL, "--workdir", str(tmp_path / "file" / "run"), expect=1)
    err = capfd.readouterr().err
    assert "Not a directory" in err and "Traceback" not in err
    assert "Choose another place by --workdir." in err and err.count("\n") == 1


def start(folder: Path, *more: str) -> subprocess.Popen:
    """The small run as a program of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "ltjax.run", *SMALL, "--workdir", str(folder), *more],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip


def wait_for(process: subprocess.Popen, condition) -> None:
    """Return as soon as the condition holds; fail when the process ends before."""
    while not condition():
        assert process.poll() is None, process.stdout.read()
        time.sleep(0.002)


@pytest.mark.long
def test_killing_a_run_anywhere_and_repeating_it_gives_the_same_results(tmp_path, finished):
    """SIGKILL while θ₀ is kept, while curves are there without their checkpoint, and between rounds."""
    folder = tmp_path / "run"
    moments = [
        lambda: list(folder.glob("checkpoints/theta0/*")),
        lambda: list(folder.glob("curves/round_000*")),
        lambda: list(folder.glob("checkpoints/rounds/round_001*")),
    ]
    for moment in moments:
        process = start(folder)
        wait_for(process, moment)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    process = start(folder)
    out, _ = process.communicate()
    assert process.returncode == 0 and "Traceback" not in out, out
    assert_same_results(folder, finished.folder)


@pytest.mark.long
def test_ctrl_c_ends_with_130_and_the_command_that_continues(tmp_path):
    process = start(tmp_path / "run", "--train.steps", "1000000")
    wait_for(process, (tmp_path / "run" / "environment.json").exists)
    time.sleep(1.0)
    os.killpg(process.pid, signal.SIGINT)
    out, _ = process.communicate(timeout=900)
    assert process.returncode == 130 and "Traceback" not in out, out
    assert "to continue, repeat: python -m ltjax.run" in out and "--train.steps 1000000" in out


@pytest.mark.long
def test_the_full_disk_of_a_real_device_is_told(tmp_path):
    """A file-size limit of the operating system stands in for the full disk: writes fail in the kernel."""
    limited = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); " \
        "resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000)); " \
        "from ltjax.cli.commands.run import main; main()"  # fmt: skip
    arguments = [*SMALL, "--workdir", str(tmp_path / "run"), "--model.widths", "40", "30"]
    done = subprocess.run(
        [sys.executable, "-c", limited, *arguments], capture_output=True, text=True, timeout=900,
        env={**os.environ, "JAX_ENABLE_COMPILATION_CACHE": "false"},
    )  # fmt: skip
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    assert "Nothing that was written before is lost" in done.stderr
    again = subprocess.run(
        [sys.executable, "-m", "ltjax.run", *arguments], capture_output=True, text=True, timeout=900
    )
    assert again.returncode == 0, again.stderr
    assert len(pd.read_csv(tmp_path / "run" / "summary.csv")) == 12
