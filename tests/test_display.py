"""What a person sees while a run trains and when it ends: it fits the terminal, and no word is broken."""

import io
import re

import numpy as np
import pytest
from rich.console import Console

from ltjax.cli import display
from ltjax.core.types import Lane
from ltjax.lottery.resolving import resolve

from .conftest import with_prune, with_train

SEEN = {"validation": np.full(4, 0.9712), "test": np.full(4, 0.97)}
LANES = [("", Lane(arm, trial)) for trial in range(2) for arm in ("ticket", "reinit")]


class Clock:
    """Seconds that pass only where a test says so."""

    def __init__(self, monkeypatch):
        self.now = 1000.0
        monkeypatch.setattr(display.time, "monotonic", lambda: self.now)

    def told(self, seconds, shown, *where):
        """What is told of an evaluation so many seconds after the last."""
        self.now += seconds
        shown.observe(*where, SEEN)
        return shown.bar.tasks[0].fields["forms"]


@pytest.fixture
def shown(tiny):
    """The display of a long run of ten rounds, on a terminal."""
    resolved = resolve(with_train(with_prune(tiny, rounds=10), steps=20_000, evaluate_every=2000))
    todo = 11 * 4 * 20_000
    return display.Display(resolved, todo, Console(file=io.StringIO(), force_terminal=True, width=80))


def test_the_time_left_starts_with_the_first_interval_and_counts_no_compilation(shown, monkeypatch):
    clock = Clock(monkeypatch)
    assert shown.bar.tasks[0].fields["forms"]["left"] == ["compiling"]
    # step 0 is observed when all is compiled
    assert clock.told(500, shown, 0, LANES, 0)["left"] == ["compiling"]
    first = clock.told(2, shown, 0, LANES, 2000)
    assert first["left"] == [f"{display.duration((11 * 20_000 - 2000) / 1000)} left"]
    assert first["speed"][0] == "4,000 steps/s"
    for step in range(4000, 20_001, 2000):
        clock.told(2, shown, 0, LANES, step)
    # between rounds 7 s pass and, once, 400 s more in which something is compiled
    assert clock.told(407, shown, 1, LANES, 0)["left"] == [f"{display.duration(200 + 9 * 407)} left"]
    for step in range(2000, 20_001, 2000):
        clock.told(2, shown, 1, LANES, step)
    assert clock.told(7, shown, 2, LANES, 0)["left"] == [f"{display.duration(9 * 20 + 8 * 7)} left"]


def test_a_part_that_begins_in_the_middle_was_not_trained_here(shown, monkeypatch):
    clock = Clock(monkeypatch)
    assert clock.told(60, shown, 3, LANES, 10_000)["left"] == ["compiling"]
    told = clock.told(1, shown, 3, LANES, 12_000)
    assert told["speed"][0] == "8,000 steps/s" and told["left"] != ["compiling"]


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (120, "round 3/10  step 2,000/20,000  4 lanes  4,000 steps/s  3 min left  valid 0.9712 test 0.9700"),
        (80, "round 3/10  step 2,000/20,000  3 min left  valid 0.9712 test 0.9700"),
        (60, "round 3/10  step 2,000  3 min left  test 0.9700"),
        (40, "round 3/10  3 min left"),
    ],
)
def test_the_live_line_has_a_bar_and_what_matters_most(width, expected, shown, monkeypatch):
    clock = Clock(monkeypatch)
    clock.told(60, shown, 3, LANES, 0)
    clock.told(2, shown, 3, LANES, 2000)
    shown.bar.tasks[0].fields["forms"]["left"] = ["3 min left"]
    shown.bar.update(shown.task, completed=shown.todo / 2)
    console = Console(file=io.StringIO(), force_terminal=True, width=width, color_system=None)
    shown.bar.columns = (shown.bar.columns[0], display._Line(console))
    with console.capture() as seen:
        console.print(shown.bar.get_renderable())
    (line,) = seen.get().splitlines()
    assert line.startswith("━" * (display.BAR // 2)) and line[display.BAR :].strip() == expected


def table(rows, width):
    """The lines of a run's table in a terminal of that width."""
    console = Console(file=io.StringIO(), width=width)
    with console.capture() as seen:
        console.print(display.Summary(rows))
    return seen.get().splitlines()


@pytest.mark.parametrize(("width", "columns", "ranges"), [(130, 6, True), (72, 5, True), (55, 5, False)])
def test_a_table_drops_what_a_width_has_no_room_for_and_breaks_no_cell(width, columns, ranges, finished):
    rows = finished.summary().assign(early_stop_step=lambda rows: 1000 + rows["early_stop_step"])
    lines = table(rows, width)
    cells = [re.split(r" {2,}|(?<=\)) ", line.strip()) for line in lines if re.match(r" +\d", line)]
    assert max(map(len, lines)) <= width and len(cells) == 6
    assert all(len(row) == columns for row in cells), cells
    assert ("(" in cells[0][3]) is ranges
    assert ("wider terminal" in " ".join(lines)) is not (width == 130)


def test_a_rounds_ticket_stands_before_its_controls(finished):
    lines = table(finished.summary(), 130)
    arms = [line.split()[1] for line in lines if re.match(r" +\d", line)]
    assert arms == ["ticket", "reinit"] * 3
