"""What all command lines do alike: one sentence for what went wrong, and an exit status that says which."""

import contextlib
import errno
import re
import shlex
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

from rich.console import Console

from ltjax.core.errors import UserError, escaped, shown
from ltjax.core.interrupts import WORDS, Interrupted, Interrupts, leave_at_once
from ltjax.core.texts import LONGEST, is_plain
from ltjax.lanes import processes


@contextmanager
def exit_codes(program: str, arguments: Sequence[str]) -> Iterator[Interrupts]:
    """Turn what ends a command line early into a sentence on stderr and an exit status.

    It is 2 for what the user can mend (``UserError``), 1 where input or output failed (``OSError``), 130
    where the user interrupted and 143 where the system terminated; anything else is a mistake of ltjax's and
    keeps its traceback.

    Args:
        program: how the program is started, such as ``python -m ltjax.run``.
        arguments: what it was given, for the command that continues it.

    Yields:
        What can hold an interruption back while something is written.
    """
    again = f"{program} {shlex.join(arguments)}"
    try:
        _check(arguments)
        with Interrupts(again) as interrupts:
            yield interrupts
    except UserError as error:
        _leave(str(error), 2)
    except OSError as error:
        _leave(f"{_failed(error, program)} Nothing that was written before is lost.", 1)
    except Interrupted as error:  # a step that is still on its way, or another process, is not waited for
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
        leave_at_once(error.number, again)
    except KeyboardInterrupt:
        _leave(f"{WORDS[signal.SIGINT]}; to continue, repeat: {again}", 128 + signal.SIGINT)


ELSEWHERE = {
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR, errno.EISDIR,
    errno.EEXIST, errno.ENAMETOOLONG, errno.EFBIG,
}  # fmt: skip
"""What the system says of a place where nothing can be written."""

PLACES = {"run": "--workdir", "report": "--to", "export": "--to", "merge": "--to", "pack": "--to",
          "unpack": "--to", "analyse": "--to"}  # fmt: skip
"""The option by which a command writes elsewhere."""


def _failed(error: OSError, program: str) -> str:
    """What the system said, and the option that would help."""
    where = f"'{error.filename}': " if error.filename else ""
    said = f"{where}{error.strerror or error}."
    option = PLACES.get(re.split("[ .]", program)[-1])
    if option is None or error.errno not in ELSEWHERE:
        return said
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    advice = "Make room there, or choose" if full else "Choose"
    return f"{said} {advice} another place by {option}."


def speaker(quiet: bool) -> Callable[[str], None]:
    """What prints a line as it stands, however long; or nothing, where it is to be ``quiet``."""
    return Console(quiet=quiet, highlight=False, markup=False, soft_wrap=True).print


def _check(arguments: Sequence[str]) -> None:
    """Refuse what no argument can be: a path of it would fail somewhere, a message of it would be garbled."""
    for argument in arguments:
        if not argument or (argument.startswith("--") and argument.endswith("=")):
            before = f" {shown(argument)}" if argument else ""
            raise UserError(f"the argument{before} is empty; is it a variable that is not set?")
        if len(argument) > LONGEST:
            raise UserError(f"the argument {shown(argument)} must have at most {LONGEST} characters.")
        if not is_plain(argument):
            raise UserError(f"the argument {shown(argument)} has control characters.")


def _leave(message: str, status: int) -> NoReturn:
    print(f"ltjax: {escaped(message)}", file=sys.stderr)
    processes.leave(status)
