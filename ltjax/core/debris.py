"""What a failed write of Orbax's leaves behind to say, beside our message, is kept from being said."""

import contextlib
import gc
import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any


@contextlib.contextmanager
def debris_swept() -> Iterator[None]:
    """Where files fail, Orbax logs its stack and leaves coroutines behind; both would hide our message.

    What is left behind tells of itself when it is collected, so that is to be done inside, after a failure;
    it takes longer than most checkpoints.
    """
    _quieten_late_callbacks()
    loggers, hook = [logging.getLogger(name) for name in ("asyncio", "absl")], sys.unraisablehook
    for logger in loggers:
        logger.disabled = True
    sys.unraisablehook = lambda _: None
    try:
        yield
    except BaseException:
        gc.collect()
        raise
    finally:
        sys.unraisablehook = hook
        for logger in loggers:
            logger.disabled = False


def _quieten_late_callbacks() -> None:
    """During and after a failure tensorstore's threads call back into Orbax's closed event loop, for a while.

    Each such call prints a traceback of its own, through one of Python's hooks, beside our message.
    """
    sys.excepthook = _quiet(sys.excepthook, lambda _, error, __: error)
    sys.unraisablehook = _quiet(sys.unraisablehook, lambda unraisable: unraisable.exc_value)


def _quiet(hook: Callable[..., Any], error: Callable[..., object]) -> Callable[..., Any]:
    """A hook that is not told of callbacks into a closed event loop; ``error`` is in its arguments."""
    if hook in _QUIET:
        return hook

    def quiet(*told: Any) -> None:
        if "Event loop is closed" not in str(error(*told)):
            hook(*told)

    _QUIET.append(quiet)
    return quiet


_QUIET: list[Callable[..., Any]] = []
