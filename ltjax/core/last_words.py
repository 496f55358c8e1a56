"""What a process could not say itself: a second, tiny process says it, once the first has died.

JAX ends a process from within, by an abort, when another process of the job is gone; and what is killed
says nothing either.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

WATCH = """
import signal, sys
for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # it must outlive what is meant for its parent
    signal.signal(ignored, signal.SIG_IGN)
if not sys.stdin.buffer.read():  # until the parent closes it, by a word or by its death
    print(sys.argv[1], file=sys.stderr)
"""

_watchers: list[subprocess.Popen[bytes]] = []


@contextmanager
def watched(words: str) -> Iterator[None]:
    """Have ``words`` said on stderr if this process dies before ``said`` or the end of this."""
    # -S and -E: nothing is imported that could fail or be slow
    _watchers.append(
        subprocess.Popen([sys.executable, "-S", "-E", "-c", WATCH, words], stdin=subprocess.PIPE)
    )
    try:
        yield
    finally:
        said()


def said() -> None:
    """This process has spoken, or needs not; its watcher ends in silence."""
    while _watchers:
        _watchers.pop().communicate(b"said")
