"""Ctrl-C and SIGTERM: the first ends a program where nothing is lost, the second at once."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import NoReturn

WORDS: dict[int, str] = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
"""What is told of each signal; a cluster sends SIGTERM some time before it kills."""


class Interrupted(KeyboardInterrupt):
    """Raised by the first signal; ``number`` is the signal's."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


class Interrupts:
    """A context in which the first signal raises ``Interrupted`` and the second ends the process.

    While something is ``held`` the first only sets a flag, which ``check`` looks at. What goes wrong after
    the first, where another process of a job has left for example, is the interruption too.

    Args:
        again: the command that continues what is interrupted, which is told at the end.
        ends: whether the second signal ends the process; else it raises ``Interrupted`` at once, as a
            notebook's kernel has to live on.
    """

    def __init__(self, again: str, ends: bool = True) -> None:
        self.again, self.ends, self.caught, self.holding = again, ends, 0, ""
        self.undo = contextlib.ExitStack()

    def __enter__(self) -> "Interrupts":
        if threading.current_thread() is threading.main_thread():
            for number in WORDS:
                if signal.getsignal(number) is not signal.SIG_IGN:  # what nohup or & ignores stays ignored
                    self.undo.callback(signal.signal, number, signal.signal(number, self._heard))
        return self

    def __exit__(self, _: object, error: BaseException | None, __: TracebackType | None) -> None:
        self.undo.close()
        if not isinstance(error, Interrupted):
            self.check()

    def check(self) -> None:
        """Raise ``Interrupted`` if there was a signal, and again where a library swallowed it."""
        if self.caught:
            raise Interrupted(self.caught)

    @contextmanager
    def held(self, what: str) -> Iterator[None]:
        """A stretch that the first signal does not break, such as writing ``what``; it may lie in another."""
        before, self.holding = self.holding, what
        try:
            yield
        finally:
            self.holding = before
            self.check()

    def _heard(self, number: int, _: object) -> None:
        if self.caught and self.ends:
            leave_at_once(number, self.again)
        again, self.caught = self.caught, number
        if again or not self.holding:
            raise Interrupted(number)
        _say(f"finishing {self.holding}; Ctrl-C again to stop at once")


def leave_at_once(number: int, again: str) -> NoReturn:
    """End the process because of a signal: one sentence, and 128 and the signal's number as exit status.

    Whatever is written then is left as by a kill: files appear whole or not at all.
    """
    with contextlib.suppress(OSError):
        if os.isatty(1):
            os.write(1, b"\x1b[?25h")  # a progress bar has hidden the cursor
    _say(f"{WORDS[number]}; to continue, repeat: {again}")
    os._exit(128 + number)


def _say(message: str) -> None:
    # past Python's buffers, which whatever was interrupted may hold
    with contextlib.suppress(OSError):
        os.write(2, f"ltjax: {message}\n".encode())
