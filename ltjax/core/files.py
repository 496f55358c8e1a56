"""Files that appear whole or not at all, and the folder of what is kept between runs."""

import os
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

UNFINISHED = ".ltjax-unfinished"
"""How the names of files end that are being written, or were when their process was killed."""


def user_cache() -> Path:
    """ltjax's own folder in the user's cache, by the XDG convention; of no run."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "ltjax"


def write_whole(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Create or replace a file by what ``write`` puts into it, atomically; parents are made.

    The content is on the disk before the name is: a killed process or a full disk leaves the old file.

    Raises:
        OSError: the folder cannot be written or the disk is full; the old file stands.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # the leading dot hides the unfinished file from pandas.read_parquet("curves")
    descriptor, temporary = tempfile.mkstemp(UNFINISHED, f".{path.name}.", path.parent)
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


def sweep(folder: Path, ours: Callable[[Path], bool]) -> None:
    """Remove what killed writes left in a folder; only for the process that writes there.

    Args:
        folder: the folder; it need not exist.
        ours: whether a path is that of a file which only this process writes.
    """
    for leftover in folder.glob(f".*{UNFINISHED}"):
        name = leftover.name.removeprefix(".").removesuffix(UNFINISHED).rpartition(".")[0]
        if ours(folder / name):
            leftover.unlink(missing_ok=True)


def checksum(path: Path) -> int:
    """The CRC-32 of a file's bytes."""
    return zlib.crc32(path.read_bytes())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


# mkstemp makes files for the owner alone; a run's files are as readable as any other of the user's
_UMASK = _umask()
