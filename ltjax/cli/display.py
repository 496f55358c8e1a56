"""What a person sees of a run: a live line on a terminal, plain lines elsewhere, tables at the end."""

import sys
import textwrap
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from ltjax.cli import boxes
from ltjax.core.texts import duration
from ltjax.lanes.box import Box
from ltjax.lottery.loop import Part
from ltjax.lottery.resolving import Resolved

QUIET_SECONDS = 10.0
"""Seconds between two plain lines of a log."""


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
        self.todo, self.console, self.pace, self.box = todo, console, pace, box or Box()
        self.rounds, self.steps = resolved.rounds, resolved.experiment.train.steps
        self.done = self.skipped = self.begun = 0
        self.part: tuple[int, Part] | None = None
        self.began = self.spoke = time.monotonic()
        self.bar = Progress(
            TextColumn("round {task.fields[round]}/{task.fields[rounds]}"),
            *([BarColumn(bar_width=12)] if console.width >= 100 else []),
            TextColumn("step {task.fields[step]:,}/{task.fields[steps]:,}"),
            TextColumn("{task.fields[lanes]} lanes"),
            *([TextColumn("{task.fields[speed]}")] if console.width >= 100 or self.box.endless else []),
            TextColumn("{task.fields[left]}"),
            TextColumn("{task.fields[seen]}"),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self.task = self.bar.add_task(
            "", total=todo, round=0, rounds=self.rounds, step=0,
            steps=self.steps, lanes=0, speed="", seen="",
            left="compiling",
        )  # fmt: skip

    def __enter__(self) -> "Display":
        self.bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.stop()

    def observe(self, round: int, part: Part, step: int, seen: dict[str, np.ndarray]) -> None:
        """Show an evaluation: accuracies per split and lane at a step."""
        if (round, part) != self.part:  # which may begin in the middle, from a snapshot
            self.part, self.finished, self.first = (round, part), self.done, time.monotonic()
            self.begun = step
            self.skipped += step * len(part)
        self.done = self.finished + step * len(part)
        tickets = [index for index, (_, lane) in enumerate(part) if lane.arm == "ticket"] or slice(None)
        fields: dict[str, Any] = {
            "round": round, "step": step, "lanes": len(part), "left": self._left(),
            "speed": self._speed((step - self.begun) * len(part)),
            "seen": " ".join(
                f"{split[:5]} {seen[split][tickets].mean():.4f}" for split in ("validation", "test")
            ),
        }  # fmt: skip
        self.bar.update(self.task, completed=self.done, **fields)
        if not self.console.is_terminal and self._time_to_speak(step):
            self._line(fields)

    def _speed(self, trained: int) -> str:
        seconds = time.monotonic() - self.first
        return f"{trained / seconds:,.0f} steps/s" if trained and seconds else ""

    def _left(self) -> str:
        spent, trained = time.monotonic() - self.began, self.done - self.skipped
        left = f"{duration((self.todo - self.done) * spent / trained)} left" if trained else "compiling"
        return left + boxes.rest(self.box)

    def _time_to_speak(self, step: int) -> bool:
        now = time.monotonic()
        if step < self.steps and now - self.spoke < self.pace:
            return False
        self.spoke = now
        return True

    def _line(self, fields: dict[str, Any]) -> None:
        self.console.print(
            f"round {fields['round']}/{self.rounds}  step {fields['step']:,}/{self.steps:,}  "
            f"{fields['lanes']} lanes  {fields['speed']}  {fields['left']}  {fields['seen']}",
            soft_wrap=True, highlight=False,
        )  # fmt: skip
        self.console.file.flush()  # rich has one where stdout is closed, too


def summary_table(rows: pd.DataFrame) -> Table:
    """The table of a run: per round and arm, mean (min to max) over trials and repeats."""
    several = rows["arm"].nunique() > 1
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    headings = ["round", "arm", "% left", "early-stop step", "test % there", "test % at end"]
    for heading in headings if several else [head for head in headings if head != "arm"]:
        table.add_column(heading, justify="left" if heading == "arm" else "right")
    for (round, arm), lanes in rows.groupby(["round", "arm"], sort=True):
        cells = [str(round), str(arm)] if several else [str(round)]
        table.add_row(
            *cells,
            f"{lanes['percent_remaining'].mean():.1f}",
            spread(lanes["early_stop_step"], ",.0f", ",.0f"),
            spread(100 * lanes["early_stop_test_accuracy"], ".2f", ".1f"),
            spread(100 * lanes["final_test_accuracy"], ".2f", ".1f"),
        )
    diverged = int(rows["diverged"].sum())
    table.caption = "mean (min–max) over trials and repeats" + (
        f"; {diverged} lanes diverged: their loss became non-finite" if diverged else ""
    )
    return table


def spread(values: pd.Series, middle: str, ends: str) -> str:
    """``mean (min–max)`` of a column, in two number formats.

    Example:
        >>> spread(pd.Series([1.0, 2.0]), ".2f", ".1f")
        '1.50 (1.0–2.0)'
    """
    return f"{values.mean():{middle}} ({values.min():{ends}}–{values.max():{ends}})"


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
