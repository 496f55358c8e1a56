"""Boxes: a run stops in good order within its minutes, and boxes make the bits of a run without any."""

import io
import shlex
from dataclasses import replace

import pandas as pd
import pytest
from rich.console import Console

import ltjax
from ltjax.cli import boxes, running
from ltjax.cli.commands import run
from ltjax.core.errors import UserError
from ltjax.core.interrupts import Interrupts
from ltjax.lanes import processes
from ltjax.lanes.box import Box, Ended, Pace, Work, begins, goes_on, seconds
from ltjax.lanes.memory import Programs
from ltjax.lanes.program import LaneProgram
from ltjax.lanes.snapshots import STOP, Snapshot, Snapshots
from ltjax.lottery.resolving import resolve
from ltjax.runs import checkpoints, paths
from ltjax.runs.folder import Run
from ltjax.runs.partial import Begun

from .conftest import TINY, finish, with_prune, with_train
from .jobs import run as started
from .test_cli import SMALL, command

PART = Work(round=1, lanes=2, steps=100, every=10, compiled=True)
NEW = PART._replace(compiled=False)
REST = PART._replace(steps=50)
PACE = Pace(compile=20.0, ready=1.0, step=0.5, end=2.0, snapshot=3.0)
UNKNOWN = Pace(compile=20.0, snapshot=3.0)


@pytest.mark.parametrize(
    ("work", "pace", "takes"),
    [(PART, PACE, 1 + 100 + 2), (NEW, PACE, 20 + 1 + 100 + 2), (REST, PACE, 1 + 50 + 2),
     (PART, PACE._replace(end=None), 1 + 100 + 3), (PART, UNKNOWN, None)],
)  # fmt: skip
def test_a_part_takes_its_compilation_its_lanes_steps_and_its_saving(work, pace, takes):
    assert seconds(work, pace) == takes


@pytest.mark.parametrize(
    ("work", "pace", "left", "whole", "begun"),
    [
        pytest.param(PART, PACE, 103.0, 1000.0, True, id="it just ends within what is left"),
        pytest.param(PART, PACE, 102.9, 1000.0, False, id="it just does not"),
        pytest.param(NEW, PACE, 122.9, 1000.0, False, id="compile time counts"),
        pytest.param(REST, PACE, 53.0, 1000.0, True, id="from a snapshot there are fewer steps"),
        pytest.param(PART, PACE, 102.9, 123.0, False, id="a fresh box, which compiles, would just hold it"),
        pytest.param(PART, PACE, 102.9, 122.9, True, id="none would: it is begun, for a snapshot within"),
        pytest.param(PART, PACE, 14.0, 100.0, True, id="ten steps and a snapshot just fit"),
        pytest.param(PART, PACE, 13.9, 100.0, False, id="they just do not"),
        pytest.param(NEW, PACE, 33.9, 100.0, False, id="nor behind a compilation"),
        pytest.param(
            REST._replace(steps=5), PACE, 7.9, 20.0, False, id="five steps are left, which take 8 s"
        ),
        pytest.param(NEW, Pace(), 0.1, 100.0, True, id="the first part is begun"),
        pytest.param(NEW, Pace(), 0.0, 100.0, False, id="but not when the box is over"),
        pytest.param(NEW, UNKNOWN, 20.0, 100.0, False, id="another kind is, if it can be compiled"),
        pytest.param(PART, PACE, float("inf"), float("inf"), True, id="without a box all are"),
    ],
)
def test_a_part_is_begun_if_it_ends_in_the_box_or_is_longer_than_any(work, pace, left, whole, begun):
    assert begins(work, pace, left, whole) == begun


@pytest.mark.parametrize(
    ("pace", "ends", "needed"),
    [(PACE, False, 10 + 3), (PACE, True, 10 + 2), (PACE._replace(end=None), True, 10 + 3),
     (UNKNOWN, False, 3)],
)  # fmt: skip
def test_lanes_train_on_if_they_can_be_kept_at_the_next_evaluation(pace, ends, needed):
    assert goes_on(10, 2, pace, needed, ends) and not goes_on(10, 2, pace, needed - 0.1, ends)


@pytest.mark.parametrize("minutes", [0, -1, float("nan"), float("inf"), 1e9])
def test_minutes_that_none_can_be_are_refused_before_anything_is_done(minutes, tmp_path):
    with pytest.raises(UserError, match="--minutes must be positive, and at most 1000000, not "):
        ltjax.run_experiment(TINY, tmp_path / "run", minutes=minutes)
    assert not (tmp_path / "run").exists()


FINE = with_prune(with_train(TINY, evaluate_every=10), rounds=1)
"""Two rounds of four lanes, 40 steps, an evaluation after every ten."""


class Clock:
    """Goes on by what training costs, and by nothing else: a lane's step 0.25 s, so that ten of four lanes
    are 10 s and a part 40 s; compiling 10 s; each checkpoint, θ₀'s and snapshots included, 2 s.
    """

    def __init__(self, monkeypatch) -> None:
        self.now, self.compiling = 0.0, 10.0
        self.slow(monkeypatch, LaneProgram, "_call", self.call)
        self.slow(monkeypatch, Programs, "of", self.compile)
        self.slow(monkeypatch, checkpoints, "save", lambda *_: 2.0)

    def slow(self, monkeypatch, owner, name, cost) -> None:
        plain = getattr(owner, name)

        def slowed(*arguments, **more):
            self.now += cost(*arguments, *more.values())
            return plain(*arguments, **more)

        monkeypatch.setattr(owner, name, slowed)

    def call(self, program, name, *arguments) -> float:
        return 0.25 * program.slots * arguments[-1] if name == "interval" else 0.0

    def compile(self, programs, lanes, start) -> float:
        return 0.0 if programs.expected(lanes)[1] else self.compiling

    def box(self, minutes: float) -> Box:
        return Box(minutes, clock=lambda: self.now)


@pytest.fixture
def clock(monkeypatch) -> Clock:
    return Clock(monkeypatch)


def start(folder, box, experiment=FINE) -> str:
    """Run in a folder as the command does; what it said, in a line."""
    console = Console(file=io.StringIO(), width=96)
    with Interrupts("the command") as interrupts:
        running.run(experiment, folder, (), running.Told(console, pace=0.0), interrupts, box=box)
    return " ".join(console.file.getvalue().split())


def stops(folder, clock, minutes, experiment=FINE) -> list[tuple[int, int]]:
    """Run in boxes until it is finished: the rounds that were done at the end of each, and the steps kept."""
    found = []
    while "holds the tables" not in start(folder, clock.box(minutes), experiment):
        kept = [checkpoints.note(path)["step"] for path in checkpoints.finished(paths.begun(folder))]
        rounds = {round for round, notes in Run(folder).parts.items() if notes}
        found.append((len(rounds), max(kept, default=0)))
        assert len(found) < 20, found
    return found


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Run:
    return finish(FINE, tmp_path_factory.mktemp("undisturbed") / "run")


def same(folder, run) -> None:
    """A folder's tables are those of a run, byte for byte, and nothing is left of snapshots."""
    assert paths.summary(folder).read_bytes() == paths.summary(run.folder).read_bytes()
    order = ["round", "arm", "trial", "repeat", "split", "step"]
    curves = [pd.read_parquet(each / "curves").sort_values(order, ignore_index=True)
              for each in (folder, run.folder)]  # fmt: skip
    pd.testing.assert_frame_equal(*curves)
    assert not paths.begun(folder).exists()


@pytest.mark.parametrize(
    ("minutes", "lanes", "expected"),
    [
        # 84 s: compiling, and three parts of two lanes, which take 26 s, 22 s and 22 s; a fourth does not fit
        pytest.param(1.4, 2, [(2, 0)], marks=pytest.mark.long),
        # 48 s: stops after 30 steps of 10 s; ends the part, and begins the next, which no box holds
        (0.8, None, [(0, 30), (1, 10)]),
    ],
    ids=["between the parts of a round", "in the middle of parts that are longer than a box"],
)  # fmt: skip
def test_a_run_cut_into_boxes_is_the_undisturbed_one(minutes, lanes, expected, clock, undisturbed, tmp_path):
    cut = replace(FINE, compute=replace(FINE.compute, lanes=lanes))
    assert stops(tmp_path, clock, minutes, cut) == expected
    same(tmp_path, undisturbed)


class Killed(Exception):
    """Stands for a kill: nothing of ltjax catches it."""


@pytest.mark.parametrize(
    ("owner", "name", "kept"),
    [(checkpoints, "_save", 0), (Begun, "sweep", 1)],
    ids=["while its snapshot is written", "once it is"],
)
def test_a_kill_at_the_end_of_a_box_costs_at_most_what_was_trained_in_it(
    owner, name, kept, clock, undisturbed, tmp_path
):
    def killed(*given):
        if owner is Begun or "begun" in given[0].parts:
            raise Killed
        return plain(*given)

    with pytest.MonkeyPatch.context() as patch:
        plain = getattr(owner, name)
        patch.setattr(owner, name, killed)
        with pytest.raises(Killed):
            start(tmp_path, clock.box(0.8))
    assert len(checkpoints.finished(paths.begun(tmp_path))) == kept
    start(tmp_path, Box())
    same(tmp_path, undisturbed)


@pytest.mark.long
def test_devices_that_do_not_wait_for_the_host_are_known_to_be_ten_steps_behind(
    clock, undisturbed, tmp_path, monkeypatch
):
    """As on an accelerator: ten steps are on their way when it is decided about the ten after them."""
    plain = LaneProgram.run

    def ahead(self, *given):
        self.on_cpu = False
        return plain(self, *given)

    monkeypatch.setattr(LaneProgram, "run", ahead)
    assert stops(tmp_path, clock, 0.8) == [(0, 20), (1, 0), (1, 20)]
    same(tmp_path, undisturbed)


def test_what_a_box_is_told(clock, tmp_path):
    """The heading names it, every line says what is left, and the last how to go on."""
    said = start(tmp_path, clock.box(0.8))
    assert ", 2 cpu devices, within 0.8 minutes round 0/1 step 0/40 " in said
    assert " left, box: 17 s " in said
    assert said.endswith(
        "stopped after 42 s, within 0.8 minutes: round 0 is kept at step 30. "
        "Left: 2 rounds, 200 trial-steps, about 50 s of training. To continue, repeat: the command"
    )
    said = start(tmp_path, clock.box(1.2))
    assert said.startswith("continuing tiny in ")
    assert ": the next part, of round 1, would take 46 s, more than was left. Left: 1 round, 160" in said


@pytest.mark.parametrize(
    ("compiling", "minutes", "least"), [(100.0, 1.0, "1.8"), (30.0, 0.5, "0.54")], ids=["far", "nearly"]
)
def test_a_box_too_small_for_anything_is_told_in_a_sentence_and_loses_nothing(
    compiling, minutes, least, clock, tmp_path
):
    clock.compiling = compiling
    with pytest.raises(UserError, match=f"^nothing was trained: .*give --minutes more than {least}. Nothing"):
        start(tmp_path, clock.box(minutes))
    assert not Run(tmp_path).parts and not paths.begun(tmp_path).exists()


def test_steps_that_outlast_the_box_are_kept_and_told(clock, tmp_path):
    """Compiled steps cannot be stopped: ten of them take 10 s, and after compiling 2 s were left."""
    said = start(tmp_path, clock.box(0.22))
    assert (
        "stopped after 22 s, within 0.22 minutes and 9 s more, as the 10 steps until an evaluation can be"
        in said
    )
    assert "round 0 is kept at step 10" in said


def test_from_python_a_box_in_which_no_round_was_finished_gives_an_empty_study(clock, tmp_path, monkeypatch):
    monkeypatch.setattr("time.monotonic", lambda: clock.now)
    assert ltjax.run_experiment(FINE, tmp_path, minutes=0.8, quiet=True).runs == ()


def test_processes_decide_alike_by_the_first_ones_clock(monkeypatch):
    """What the first decides holds here too, where there would be time for everything."""
    box, says = Box(60.0, clock=lambda: 0.0), iter([True, True, STOP, False])
    monkeypatch.setattr(processes, "agreed", lambda own: next(says))
    box.enter(PART)
    box.ready(0, PART.lanes)
    box.passed(10)
    kept = []
    snapshots = Snapshots(None, kept.append, minutes=5, box=box)
    assert snapshots.due(20)
    with pytest.raises(Ended) as ended:
        snapshots.keep(Snapshot(10, [], {}))
    assert len(kept) == 1 and ended.value.step == 10
    with pytest.raises(Ended):
        box.enter(PART)


def test_a_dry_run_tells_the_time_once_a_pace_is_known(clock, tmp_path, monkeypatch):
    """By all seconds that the parts of the folder took, those up to a snapshot included."""
    monkeypatch.setattr("time.monotonic", lambda: clock.now)
    folder, three = tmp_path / "run", with_prune(FINE, rounds=2)
    assert boxes.taken(folder, resolve(three)) == ""
    for minutes in (0.8, 1.4):  # round 0 takes 10 + 30 s and 10 + 10 s and is saved in 6, round 1 40 s and 2
        start(folder, Box(minutes))
    assert boxes.taken(folder, resolve(FINE)).startswith("time            about 2 min in all, 0 s of it left")
    said = boxes.taken(folder, resolve(three))
    assert f"about 3 min in all, 53 s of it left, at the pace of '{folder}' (2 x cpu: cpu)" in said


def test_the_command_exits_with_0_and_says_itself(clock, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(run, "Box", lambda minutes, spent: clock.box(minutes))
    given = [*SMALL, "--train.evaluate-every", "10", "--workdir", str(tmp_path), "--minutes", "0.8"]
    command(*given)
    said = capsys.readouterr().out
    assert said.endswith(f" To continue, repeat: python -m ltjax.run {shlex.join(given)}\n")
    assert checkpoints.finished(paths.begun(tmp_path))


def test_a_command_whose_minutes_are_over_before_it_trains_exits_with_2(tmp_path):
    """The minutes begin with the process: importing takes longer than these."""
    ended = started([*SMALL, "--workdir", str(tmp_path), "--minutes", "0.001"])
    assert ended.status == 2 and "Traceback" not in ended.errors
    assert ended.errors.startswith("ltjax: nothing was trained: 0.001 minutes leave no time for it after ")
