"""What a person sees of a run: a live line on a terminal, plain lines elsewhere, tables at the end."""

import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions
from rich.progress import BarColumn, Progress, ProgressColumn, Task
from rich.table import Table
from rich.text import Text

from ltjax.cli import boxes
from ltjax.core.texts import digits, duration
from ltjax.lanes.box import Box
from ltjax.lottery.arms import in_order
from ltjax.lottery.loop import Part
from ltjax.lottery.resolving import Resolved
from ltjax.training.metrics import ACCURACY, Shown

QUIET_SECONDS = 10.0
"""Seconds between two plain lines of a log."""


ORDER = ("speed", "lanes", "seen", "step", "left", "seen", "step")
"""What a line without room for everything says in its next shorter form, first to last."""

BAR = 10
"""Characters of the bar."""


def fitted(fields: Mapping[str, Sequence[str]], width: int) -> str:
    """A line of what fits a width: every field in the longest of its forms, until there is no room.

    Example:
        >>> fields = {"round": ["round 1/3"], "step": ["step 20/40", "step 20"], "speed": ["9/s", ""]}
        >>> [fitted(fields, width) for width in (40, 25, 20)]
        ['round 1/3  step 20/40  9/s', 'round 1/3  step 20/40', 'round 1/3  step 20']
    """
    forms = {name: list(forms) for name, forms in fields.items()}
    for name in filter(forms.get, ORDER):
        if len(_joined(forms)) <= width:
            break
        del forms[name][: len(forms[name]) > 1]
    return _joined(forms)


def _joined(forms: Mapping[str, Sequence[str]]) -> str:
    return "  ".join(each[0] for each in forms.values() if each and each[0])


class _Line(ProgressColumn):
    """The fields of the live line, as many as fit beside its bar."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self.console = console

    def render(self, task: Task) -> Text:
        return Text(fitted(task.fields["forms"], self.console.width - BAR - 2), no_wrap=True)


class Pace:
    """How fast lanes train once their programs are compiled, and how long a round takes beside that.

    A part is observed first when what it is trained by is compiled; of what lies between two parts the least
    counts, since a program may have been compiled there.
    """

    def __init__(self) -> None:
        self.trained, self.seconds = 0, 0.0
        self.between: float | None = None
        self.seen: float | None = None

    def begin(self) -> None:
        """A part is observed for the first time."""
        if self.seen is not None:
            gap = time.monotonic() - self.seen
            self.between = gap if self.between is None else min(self.between, gap)
        self.seen = time.monotonic()

    def advance(self, trained: int) -> None:
        """So many trial-steps of the part were trained since it was observed last."""
        now = time.monotonic()
        self.trained, self.seconds = self.trained + trained, self.seconds + now - (self.seen or now)
        self.seen = now

    def left(self, steps: int, rounds: int) -> float | None:
        """Seconds for so many trial-steps, and rounds, more; None while it is not known."""
        if not self.trained:
            return None
        return steps * self.seconds / self.trained + rounds * (self.between or 0.0)


class Display:
    """The progress of a run; use as a context and pass ``observe`` to ``find_tickets``.

    Args:
        resolved: what is run.
        todo: trial-steps still to be trained, for the time left.
        console: where to write.
        pace: seconds between two plain lines, where the output is no terminal; a round's end always has one.
        box: the minutes of the run; by default without end.
    """

    def __init__(
        self, resolved: Resolved, todo: int, console: Console, pace: float = QUIET_SECONDS,
        box: Box | None = None,
    ) -> None:  # fmt: skip
        self.todo, self.console, self.quiet, self.box = todo, console, pace, box or Box()
        self.rounds, self.steps = resolved.rounds, resolved.experiment.train.steps
        self.start_of, self.shown = resolved.step, resolved.task.measured.shown
        self.done = self.begun = self.step = 0
        self.part: tuple[int, Part] | None = None
        self.spoke = time.monotonic()
        self.pace = Pace()
        self.bar = Progress(
            BarColumn(BAR), _Line(console), console=console, disable=not console.is_terminal, transient=True
        )
        forms = {"round": [f"round 0/{self.rounds}"], "left": ["compiling"]}
        self.task = self.bar.add_task("", total=todo, forms=forms)

    def __enter__(self) -> "Display":
        self.bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.stop()

    def observe(self, round: int, part: Part, step: int, seen: dict[str, np.ndarray]) -> None:
        """Show an evaluation: the metric per split and lane at a step."""
        if (round, part) != self.part:  # which may begin in the middle, from a snapshot
            self.part, self.finished, self.first = (round, part), self.done, time.monotonic()
            self.begun = self.step = step
            self.start = self.start_of(part[0][0], round, part[0][1])
            self.pace.begin()
        self.pace.advance((step - self.step) * len(part))
        self.done, self.step = self.finished + (step - self.start) * len(part), step
        forms = self._forms(round, part, step, seen)
        self.bar.update(self.task, completed=self.done, forms=forms)
        if not self.console.is_terminal and self._time_to_speak(step):
            self.console.print(_joined(forms), soft_wrap=True, highlight=False)
            self.console.file.flush()  # rich has one where stdout is closed, too

    def _forms(
        self, round: int, part: Part, step: int, seen: dict[str, np.ndarray]
    ) -> dict[str, Sequence[str]]:
        """What is told of an evaluation, by field, each from its longest form to its shortest."""
        tickets = [index for index, (_, lane) in enumerate(part) if lane.arm == "ticket"] or slice(None)
        valid, test = (self._told(seen[split][tickets].mean()) for split in ("validation", "test"))
        left, rest = self._left(round), boxes.rest(self.box)
        return {
            "round": [f"round {round}/{self.rounds}"],
            "step": [f"step {step:,}/{self.steps:,}", f"step {step:,}", ""],
            "lanes": [f"{len(part)} lanes", ""],
            "speed": [self._speed((step - self.begun) * len(part)), ""],
            "left": [left + rest, left] if rest else [left],
            "seen": [f"valid {valid} test {test}", f"test {test}", ""],
        }

    def _told(self, value: float) -> str:
        return f"{value:.4f}" if self.shown.percent else digits(value, 4)

    def _speed(self, trained: int) -> str:
        seconds = time.monotonic() - self.first
        return f"{trained / seconds:,.0f} steps/s" if trained and seconds else ""

    def _left(self, round: int) -> str:
        left = self.pace.left(self.todo - self.done, self.rounds - round)
        return "compiling" if left is None else f"{duration(left)} left"

    def _time_to_speak(self, step: int) -> bool:
        now = time.monotonic()
        if step < self.steps and now - self.spoke < self.quiet:
            return False
        self.spoke = now
        return True


SHAPES = ((True, True), (True, False), (False, False))
"""Whether a table has the ranges of its means and the metric at the end: the first that fits is shown."""


class Summary:
    """The table of a run, of which rich is given what its width has room for.

    Args:
        rows: of ``summary.csv``.
        shown: the run's metric.
    """

    def __init__(self, rows: pd.DataFrame, shown: Shown = ACCURACY) -> None:
        self.tables = [summary_table(rows, *shape, shown=shown) for shape in SHAPES]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Table]:
        wide = options.update(width=1000)
        fits = (
            each for each in self.tables if console.measure(each, options=wide).maximum <= options.max_width
        )
        yield next(fits, self.tables[-1])


def summary_table(
    rows: pd.DataFrame, ranges: bool = True, end: bool = True, shown: Shown = ACCURACY
) -> Table:
    """The table of a run: per round and arm, the tickets first, mean (min to max) over trials and repeats.

    Args:
        rows: of ``summary.csv``.
        ranges: whether to tell the least and the greatest value.
        end: whether to tell the metric at the end of training.
        shown: the metric.
    """
    several = rows["arm"].nunique() > 1
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    test = f"test {shown.heading}"
    headings = ["round", "arm", "% left", "early-stop step", f"{test} there", f"{test} at end"]
    for heading in headings[: None if end else -1]:
        if heading != "arm" or several:
            table.add_column(heading, justify="left" if heading == "arm" else "right", no_wrap=True)
    for round, trained in rows.groupby("round"):
        for arm in in_order(trained["arm"].unique()):
            cells = _cells(trained[trained["arm"] == arm], ranges, shown)
            table.add_row(str(round), *([arm] * several), *cells[: None if end else -1])
    table.caption = _caption(rows, ranges, end)
    return table


def _cells(lanes: pd.DataFrame, ranges: bool, shown: Shown) -> list[str]:
    """The numbers of an arm in a round, as the columns have them."""
    stop = spread(lanes["early_stop_step"], lambda value, _: f"{value:,.0f}", ranges)
    tests = [spread(shown.factor * lanes[f"{place}_test_{shown.name}"], shown.told, ranges)
             for place in ("early_stop", "final")]  # fmt: skip
    return [f"{lanes['percent_remaining'].mean():.1f}", stop, *tests]


def _caption(rows: pd.DataFrame, ranges: bool, end: bool) -> str:
    diverged = int(rows["diverged"].sum())
    return (
        ("mean (min–max)" if ranges else "mean")
        + " over trials and repeats"
        + ("" if ranges and end else "; a wider terminal shows more")
        + (f"; {diverged} lanes diverged: their loss became non-finite" if diverged else "")
    )


def spread(values: pd.Series, told: Callable[[float, bool], str], ranges: bool = True) -> str:
    """``mean (min–max)`` of a column, or the mean alone.

    Args:
        values: the column.
        told: says a number, which may be an end of the range.
        ranges: whether to tell the range.

    Example:
        >>> spread(pd.Series([1.0, 2.0]), Shown().told)
        '1.50 (1.0–2.0)'
    """
    mean = told(values.mean(), False)
    return f"{mean} ({told(values.min(), True)}–{told(values.max(), True)})" if ranges else mean


def show(purposes: Mapping[str, str], console: Console) -> None:
    """Print names and what each is for, a line each; a terminal's lines are broken between words."""
    text = listed(purposes, console.width if console.is_terminal else sys.maxsize)
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def listed(purposes: Mapping[str, str], width: int, indent: int = 0) -> str:
    """Names and what each is for, in two columns of which the second is broken between words.

    Example:
        >>> print(listed({"cat": "It catches mice.", "ox": "It pulls."}, 15))
        cat  It catches
             mice.
        ox   It pulls.
    """
    longest = max(map(len, purposes), default=0)
    after = " " * (indent + longest + 2)
    return "\n".join(
        textwrap.fill(
            purpose, width, break_long_words=False, break_on_hyphens=False, subsequent_indent=after,
            initial_indent=f"{' ' * indent}{name:{longest}}  ",
        )
        for name, purpose in purposes.items()
    )  # fmt: skip
