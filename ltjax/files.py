"""Files that appear whole or not at all."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO


def write_whole(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Create or replace a file by what ``write`` puts into it, atomically; parents are made.

    The content is on the disk before the name is: a killed process or a full disk leaves the old file.

    Raises:
        OSError: the folder cannot be written or the disk is full; the old file stands.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # the leading dot hides the unfinished file from pandas.read_parquet("curves")
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), 0o666 & ~_UMASK)
            write(file)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    finally:
        Path(temporary).unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Create or replace a UTF-8 text file, atomically; errors are ``write_whole``'s."""
    write_whole(path, lambda file: file.write(text.encode()))


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


# mkstemp makes files for the owner alone; a run's files are as readable as any other of the user's
_UMASK = _umask()
