"""What all command lines do alike: one sentence for what went wrong, and an exit status that says which."""

import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

from ltjax import processes
from ltjax.errors import UserError


@contextmanager
def exit_codes(program: str, arguments: Sequence[str]) -> Iterator[None]:
    """Turn what ends a command line early into a sentence on stderr and an exit status.

    It is 2 for what the user can mend (``UserError``), 1 where input or output failed (``OSError``), and 130
    where the user interrupted; anything else is a mistake of ltjax's and keeps its traceback.

    Args:
        program: how the program is started, such as ``python -m ltjax.run``.
        arguments: what it was given, for the command that continues it.
    """
    try:
        yield
    except UserError as error:
        _leave(str(error), 2)
    except OSError as error:
        _leave(f"{error}; nothing that was written before is lost.", 1)
    except KeyboardInterrupt:
        _leave(f"interrupted; to continue, repeat: {program} {shlex.join(arguments)}", 130)


def _leave(message: str, status: int) -> NoReturn:
    print(f"ltjax: {message}", file=sys.stderr)
    processes.leave(status)
