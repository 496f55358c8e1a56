"""Loggers: what TensorBoard and Weights & Biases are told, and that they are asked for or not there."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ltjax import Compute, Lane, UserError, find_tickets, run_experiment
from ltjax.cli.commands import run
from ltjax.cli.loggers import LOGGERS, Logs, Place, start
from ltjax.cli.loggers.logs import extra
from ltjax.cli.loggers.logs import results as columns
from ltjax.runs.opening import open_run

from .conftest import TINY, with_prune
from .test_docs import ROOT, blocks

SHORT = ["--trials", "2", "--arms.reinit", "1", "--model.widths", "16", "12", "--train.steps", "40",
         "--train.evaluate-every", "20", "--prune.rounds", "1"]  # fmt: skip


class Kept:
    """A sink that keeps what it is told; it may fail."""

    def __init__(self, fails: bool = False) -> None:
        self.told, self.closed, self.fails = [], False, fails

    def write(self, *point):
        if self.fails:
            raise RuntimeError("no\nluck")
        self.told.append(point)

    def close(self):
        self.closed = True


@pytest.fixture(scope="module")
def told():
    """What a sink is told of a tiny search, and the search's own rounds."""
    sink, rounds = Kept(), []
    logs = Logs([sink])
    for found in find_tickets(with_prune(TINY, rounds=1), observe=logs.observe):
        logs.finished(found.index, found.point, found.summary)
        rounds.append(found)
    logs.close()
    return sink, rounds


def test_curves_are_mean_accuracies_of_an_arm_by_step(told):
    sink, rounds = told
    for found in rounds:
        for arm in ("ticket", "reinit"):
            series = [point for point in sink.told if point[0] == f"round_{found.index:02d}/{arm}"]
            assert {axis for _, axis, _, _ in series} == {"step"}
            for _, _, step, values in series:
                rows = found.curves[(found.curves["arm"] == arm) & (found.curves["step"] == step)]
                means = rows.groupby("split", observed=True)["accuracy"].mean()
                assert values == {f"{split}_accuracy": pytest.approx(mean) for split, mean in means.items()}
            assert [step for _, _, step, _ in series] == sorted(found.curves["step"].unique())


def test_results_are_means_of_an_arm_by_round(told):
    sink, rounds = told
    for found in rounds:
        rows = found.summary.query("arm == 'ticket'")
        means = {name: pytest.approx(rows[name].mean()) for name in columns()}
        assert ("rounds/ticket", "round", found.index, means) in sink.told
    assert sink.closed


PARTS = {
    "all together": ([("", "ticket", 0, 0), ("", "ticket", 1, 0)], ["ticket"]),
    "arms": ([("", "reinit", 0, 0), ("", "ticket", 0, 0)], ["reinit", "ticket"]),
    "the second turn": ([("", "ticket", 2, 0), ("", "ticket", 3, 0)], ["ticket_from_trial_2"]),
    "a turn within repeats": ([("", "reinit", 1, 1), ("", "reinit", 2, 0)], ["reinit_from_trial_1_repeat_1"]),
    "repeats of trial 0": ([("", "reinit", 0, 2)], ["reinit_from_trial_0_repeat_2"]),
    "points": ([("x=1", "ticket", 0, 0), ("x=2", "ticket", 0, 0)], ["x=1/ticket", "x=2/ticket"]),
}


@pytest.mark.parametrize(("lanes", "names"), PARTS.values(), ids=PARTS)
def test_lanes_that_train_apart_are_series_of_their_own(lanes, names):
    """By names that are the same whenever the lanes are trained, so that no start hides another's."""
    sink = Kept()
    part = [(point, Lane(*lane)) for point, *lane in lanes]
    Logs([sink]).observe(3, part, 20, {"test": np.linspace(0.5, 0.9, len(part))})
    assert [name for name, *_ in sink.told] == [f"round_03/{name}" for name in names]


def test_a_round_is_told_of_once_all_of_its_lanes_are_there(tmp_path, monkeypatch):
    sink = Kept()
    monkeypatch.setitem(LOGGERS, "kept", lambda place: sink)
    short = replace(with_prune(TINY, rounds=0), arms={"ticket": 1}, compute=Compute(lanes=1))
    open_run(tmp_path, replace(short, trials=3))  # once more was asked for, and never trained
    study = run_experiment(short, tmp_path, quiet=True, log=["kept"])
    rows = study.runs[0].summary
    mean = {name: pytest.approx(rows[name].mean()) for name in columns()}
    assert [point for point in sink.told if point[0] == "rounds/ticket"] == [
        ("rounds/ticket", "round", 0, mean)
    ]
    assert {name for name, *_ in sink.told} == {
        "round_00/ticket", "round_00/ticket_from_trial_1", "rounds/ticket"
    }  # fmt: skip


def test_a_logger_that_cannot_be_reached_is_told_of_and_the_run_goes_on(tmp_path, monkeypatch, capsys):
    def unreachable(place):
        raise TimeoutError("no network")

    monkeypatch.setitem(LOGGERS, "far", unreachable)
    assert start(["far"], Place(tmp_path, TINY)) == []
    assert "far failed and is told nothing more: TimeoutError('no network')" in capsys.readouterr().err


def test_a_logger_that_fails_is_told_nothing_more_and_the_others_are(capsys):
    bad, good = Kept(fails=True), Kept()
    logs = Logs([bad, good])
    for step in (0, 20):
        logs._write("rounds/ticket", "round", step, {"x": 1.0})
    logs.close()
    assert len(good.told) == 2 and good.closed and not bad.closed
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "Kept failed and is told nothing more" in err


def test_a_logger_that_is_not_installed_names_its_extra():
    with pytest.raises(UserError, match=r"pip install 'ltjax\[tensorboard\]'"):
        extra("no_such_module_here", "tensorboard")


def test_a_misspelt_logger_is_refused_before_anything_is_written(tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        run.main([*SHORT, "--log", "tensorbord", "--workdir", str(tmp_path / "run")])
    assert "did you mean 'tensorboard'?" in capsys.readouterr().err and not (tmp_path / "run").exists()


def scalars(folder: Path) -> dict[str, dict[int, float]]:
    """Numbers by name and step of a folder's event files; of a step told twice, the later."""
    from tensorboardX.proto.event_pb2 import Event

    found = {}
    for path in sorted(folder.glob("events.*")):
        data = path.read_bytes()
        while data:  # TFRecord: length, its checksum, the record, its checksum
            length = int.from_bytes(data[:8], "little")
            event = Event.FromString(data[12 : 12 + length])
            data = data[16 + length :]
            for value in event.summary.value:
                found.setdefault(value.tag, {})[event.step] = value.simple_value
    return found


def test_tensorboard_files_hold_curves_and_results_and_a_run_that_continues_adds_to_them(tmp_path):
    pytest.importorskip("tensorboardX")
    folder = tmp_path / "run"
    run.main([*SHORT, "--workdir", str(folder), "--log", "tensorboard", "-q"])
    run.main([*SHORT, "--prune.rounds", "2", "--workdir", str(folder), "--log", "tensorboard", "-q"])
    for index in range(3):
        of = scalars(folder / "tensorboard" / f"round_{index:02d}" / "ticket")
        assert {name: [*each] for name, each in of.items()} == {
            f"{split}_accuracy": [0, 20, 40] for split in ("test", "train", "validation")
        }
    results = scalars(folder / "tensorboard" / "rounds" / "ticket")
    assert set(results) == set(columns()) and [*results["percent_remaining"]] == [0, 1, 2]
    assert results["percent_remaining"][0] == 100


@pytest.mark.long
def test_weights_and_biases_keeps_a_run_offline(tmp_path):
    """In a process of its own, at whose end its service has written everything."""
    pytest.importorskip("wandb")
    folder = tmp_path / "run"
    done = subprocess.run(
        [sys.executable, "-m", "ltjax", "run", *SHORT, "--workdir", str(folder), "--log", "wandb", "-q"],
        env={**os.environ, "WANDB_MODE": "offline", "HOME": str(tmp_path)}, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    [kept] = (folder / "wandb").glob("offline-run-*/run-*.wandb")
    data = kept.read_bytes()
    for name in ("rounds/ticket/percent_remaining", "round_01/reinit/test_accuracy", "round_01/ticket/step"):
        assert name.encode() in data
    assert b'"optimizer"' in data, "the experiment is its configuration"


def test_weights_and_biases_without_a_login_is_one_sentence(tmp_path):
    pytest.importorskip("wandb")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    done = subprocess.run(
        [sys.executable, "-m", "ltjax", "run", *SHORT, "--workdir", str(tmp_path / "run"), "--log", "wandb"],
        env={**kept, "HOME": str(tmp_path)}, capture_output=True, text=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "--log wandb was refused" in done.stderr and "set WANDB_MODE=offline" in done.stderr


@pytest.mark.long
def test_what_watching_a_run_shows_runs(tmp_path):
    [code] = blocks((ROOT / "docs" / "howto" / "watch.md").read_text(), "python")
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "rounds/ticket round 1 {'percent_remaining'" in done.stdout and done.stdout.endswith("done\n")
