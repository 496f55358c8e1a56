"""Locks between processes: one writer at a time. The only user of filelock.

They are the operating system's, which releases them when their holder ends, be it by kill -9. What lies in
the file beside a lock only tells who has it.
"""

import contextlib
import errno
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

WITHOUT = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK)
"""What a file system says that has no locks; it is gone on without."""


class Held(Exception):
    """Another process has the lock; its text says which, as far as it is known."""


@contextmanager
def lock(path: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold the lock of a file, made with its folder and removed again; so is a folder that stays empty.

    Args:
        path: the file.
        wait: until whoever has it is done; said once.

    Raises:
        Held: another has it, and it is not waited for.
        OSError: the file cannot be made.
    """
    new = not path.parent.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    mutex = _acquired(path, wait)
    try:
        _tell_holder(path)
        yield
    finally:
        with contextlib.suppress(OSError):
            _told(path).unlink()
            path.unlink()  # while it is held: whoever waits for it notices that it is gone, and makes another
        mutex.release()
        if new:
            with contextlib.suppress(OSError):  # it holds something
                path.parent.rmdir()


def _acquired(path: Path, wait: bool) -> FileLock:
    mutex = FileLock(path, fallback_to_soft=False)
    try:
        mutex.acquire(timeout=0)
    except Timeout:
        if not wait:
            raise Held(_holder(path)) from None
        print(f"Waiting for {_holder(path)} …", flush=True)
        mutex.acquire()
    except OSError as error:
        if error.errno not in WITHOUT:
            raise
    return mutex


def _told(path: Path) -> Path:
    return path.with_name(f"{path.name}-holder")


def _tell_holder(path: Path) -> None:
    """Tell others; a disk that has no room for it is no reason to stop."""
    facts = {
        "process": os.getpid(),
        "host": socket.gethostname(),
        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
    }
    with contextlib.suppress(OSError):
        _told(path).write_text(json.dumps(facts) + "\n")  # half of it tells nothing, and harms nothing


def _holder(path: Path) -> str:
    """Who has a lock, in words; they may have begun, or ended, just now."""
    try:
        facts = json.loads(_told(path).read_text())
        return f"process {facts['process']} on {facts['host']} since {facts['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
