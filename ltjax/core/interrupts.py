"""Ctrl-C and SIGTERM: once ends a program where nothing is lost, twice at once, never with a traceback.

Imported before everything else, by ``ltjax/__init__.py``: importing the rest takes seconds. So it imports
nothing but the standard library.
"""

import contextlib
import os
import shlex
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

WORDS: dict[int, str] = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
"""What is told of each signal; a cluster sends SIGTERM some time before it kills."""

PATIENCE = 1.0
"""Seconds after which a signal that is waited for is answered with why."""

_leaving = threading.Lock()

_silenced = False


class Interrupted(KeyboardInterrupt):
    """Raised by the first signal; ``number`` is the signal's."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


class Interrupts:
    """A context in which the first signal raises ``Interrupted`` and the second ends the process.

    What a library swallowed is raised again when the context is left, if not by ``check`` before.

    Args:
        again: the command that continues what is interrupted, which is told at the end.
    """

    def __init__(self, again: str) -> None:
        self.again, self.caught, self.holding = again, 0, ""
        self.undo = contextlib.ExitStack()

    def __enter__(self) -> "Interrupts":
        if threading.current_thread() is threading.main_thread():
            # Python's own handlers wait until the main thread leaves compiled code, such as XLA's compiler
            reader, writer = socket.socketpair()
            writer.setblocking(False)
            threading.Thread(target=self._watch, args=(reader,), daemon=True).start()
            self.undo.enter_context(writer)
            before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
            self.undo.callback(signal.set_wakeup_fd, before)
            _silence()
            for number, handler in _handle(self._first).items():
                self.undo.callback(signal.signal, number, handler)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.undo.close()
        if kind is None:
            self.check()

    def check(self) -> None:
        """Raise what was caught: an exception raised in a callback of compiled code may never arrive."""
        if self.caught:
            raise Interrupted(self.caught)

    @contextmanager
    def held(self, what: str) -> Iterator[None]:
        """A stretch that the first signal does not break, such as writing ``what``."""
        self.holding = what
        try:
            yield
        finally:
            self.holding = ""
            self.check()

    def _first(self, number: int, _: object) -> None:
        if self.caught:
            leave_at_once(number, self.again)
        self.caught = number
        if self.holding:
            _say(f"finishing {self.holding}; Ctrl-C again to stop at once")
        else:
            raise Interrupted(number)

    def _watch(self, reader: socket.socket) -> None:
        """In a thread of its own: see signals while the main thread cannot."""
        seen = 0
        with reader:
            while number := self._number(reader):
                seen += number in WORDS
                if seen > 1:
                    leave_at_once(number, self.again)
                reader.settimeout(PATIENCE)

    def _number(self, reader: socket.socket) -> int:
        """The number of the next signal; 0 where the context is left."""
        try:
            return int.from_bytes(reader.recv(1), "little")
        except TimeoutError:
            if not self.caught:
                _say("stopping when the computation that is running ends; Ctrl-C again to stop at once")
            reader.settimeout(None)
            return self._number(reader)


def leave_at_once(number: int, again: str) -> NoReturn:
    """End the process because of a signal: one sentence, and 128 and the signal's number as exit status.

    Whatever is written then is left as by a kill: files appear whole or not at all.
    """
    if not _leaving.acquire(blocking=False):
        time.sleep(60)  # another thread is at it
    with contextlib.suppress(OSError):
        if os.isatty(1):
            os.write(1, b"\x1b[?25h")  # a progress bar has hidden the cursor
    _say(f"{WORDS[number]}; to continue, repeat: {again}")
    os._exit(128 + number)


def _say(message: str) -> None:
    # past Python's buffers, which whatever was interrupted may hold
    with contextlib.suppress(OSError):
        os.write(2, f"ltjax: {message}\n".encode())


def _silence() -> None:
    """Have nothing told of an interruption which Python drops, as where JAX hears of garbage.

    It is not lost: ``check`` raises it again. The hook stays, as others are put upon it.
    """
    global _silenced
    if not _silenced:
        hook, _silenced = sys.unraisablehook, True
        sys.unraisablehook = lambda told: None if isinstance(told.exc_value, Interrupted) else hook(told)


def _handle(handler: Any) -> dict[int, Any]:
    """Give the signals a handler; those before. What the starter ignores (nohup, &) stays ignored."""
    heeded = [number for number in WORDS if signal.getsignal(number) is not signal.SIG_IGN]
    return {number: signal.signal(number, handler) for number in heeded}


def _program() -> str:
    """The command line where Python is starting one of ltjax's, else nothing."""
    if sys.argv[0].rpartition(os.sep)[2] == "ltjax":
        return shlex.join(["ltjax", *sys.argv[1:]])
    if sys.argv[:1] != ["-m"]:  # what Python puts there until it has found the module
        return ""
    module = sys.orig_argv[-len(sys.argv)].removeprefix("-m")
    return shlex.join(["python", "-m", module, *sys.argv[1:]]) if module.split(".")[0] == "ltjax" else ""


if _again := _program():
    # before and after what a command line does, which has Interrupts; nothing is written then
    _handle(lambda number, _: leave_at_once(number, _again))
