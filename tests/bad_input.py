"""What tests of bad input share: a command line run in this process, and whether its answer is right."""

import contextlib
import faulthandler
import importlib
import io
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import HealthCheck, given, settings

EXAMPLES = int(os.environ.get("LTJAX_EXAMPLES", "150"))
"""Inputs to try, over all kinds together; LTJAX_EXAMPLES=2000 is the full form, drawn anew at every run."""

SECONDS = 20
"""That an answer may take; a hang is told by this and not by waiting."""


class Case(NamedTuple):
    """A malformed command line and the words that its answer must hold, any one of them."""

    command: str
    arguments: tuple[str, ...]
    named: tuple[str, ...]


class Answer(NamedTuple):
    """How a command line ended: its status (or what it raised) and what it said."""

    status: object
    out: str
    err: str


class _Hung(BaseException):
    """No Exception, so that nothing takes it for an error of the input's."""


def answer(command: str, arguments: Sequence[str]) -> Answer:
    """Run a command line in this process, for at most ``SECONDS``."""
    main = importlib.import_module(f"ltjax.cli.commands.{command}").main
    out, err = io.StringIO(), io.StringIO()
    status: object = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), _alarm() as late:
        try:
            main(list(arguments))
        except SystemExit as left:
            status = left.code
        except BaseException as error:
            status = f"{type(error).__name__}: {error}"
    return Answer("it hung" if late else status, out.getvalue(), err.getvalue())


@contextlib.contextmanager
def _alarm() -> Iterator[list[bool]]:
    """Interrupt what takes too long; what cannot be interrupted ends the process, and tells where."""
    late: list[bool] = []

    def ring(*_: object) -> None:
        late.append(True)
        raise _Hung

    before = signal.signal(signal.SIGALRM, ring)
    faulthandler.dump_traceback_later(6 * SECONDS, exit=True, file=sys.__stderr__)
    signal.setitimer(signal.ITIMER_REAL, SECONDS, 1)  # again: JAX's callbacks swallow what is raised in them
    try:
        yield late
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()
        signal.signal(signal.SIGALRM, before)


def flaw(given: Answer, named: Sequence[str]) -> str:
    """What is wrong with the answer to a malformed input; empty where it is refused as it should be."""
    said = given.out + given.err
    if "Traceback" in said:
        return "it shows a traceback"
    if given.status != 2:
        return f"it ended with {given.status}"
    plain = "".join(said.split()).replace("|", "").replace("│", "")
    if not any("".join(each.split()) in plain for each in named):
        return f"it names none of {named}"
    lines = given.err.splitlines()
    if given.out or not (len(lines) == 1 and lines[0].startswith("ltjax: ") and len(lines[0]) < 2000):
        return "" if "full helptext" in said and "ltjax:" not in said else "it is not one message"
    return ""


def loose_flaw(given: Answer) -> str:
    """What is wrong with the answer to an input that may be malformed or not."""
    return flaw(given, [""]) if given.status != 0 or "Traceback" in given.out + given.err else ""


def contents(*folders: Path) -> dict[Path, int]:
    """Everything below some folders, and when it was changed."""
    return {
        path: 0 if path.is_dir() else path.lstat().st_mtime_ns
        for folder in folders for path in folder.rglob("*")
    }  # fmt: skip


class Tried:
    """Counts what was tried, and keeps what was answered wrongly, until all of it has been tried.

    Args:
        share: of ``EXAMPLES``, how many to try.
        uncaptured: a context in which a hang that cannot be interrupted is seen to end the process.
        folders: where nothing may be written.
    """

    def __init__(self, share: float, uncaptured: Callable[[], Any], *folders: Path) -> None:
        self.count, self.wrong, self.uncaptured = 0, [], uncaptured
        self.most, self.folders = max(1, round(EXAMPLES * share)), folders

    def every(self, strategy, check: Callable[..., tuple[object, str]]) -> None:
        """Try examples of a strategy; ``check`` gives what was tried, and what is wrong with its answer."""

        @settings(
            max_examples=self.most, derandomize="LTJAX_EXAMPLES" not in os.environ, database=None,
            deadline=None, suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(strategy)
        def each(case):
            before = contents(*self.folders)
            tried, wrong = check(case)
            if contents(*self.folders) != before:
                wrong = "something was written"
            self.count += 1
            if wrong:
                self.wrong.append(f"{wrong}: {tried!r:.1000}")

        with self.uncaptured():
            each()
        assert not self.wrong, f"{len(self.wrong)} of {self.count}:\n" + "\n".join(self.wrong[:20])
