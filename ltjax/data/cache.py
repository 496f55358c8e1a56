"""The decoded arrays of a data set, kept in a file: the next start takes a moment and needs no TFDS."""

import contextlib
import hashlib
import zipfile
from pathlib import Path

import numpy as np

from ltjax.core.files import sweep, write_whole
from ltjax.data.examples import Arrays

NAME = "ltjax-decoded.npz"
ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")


def read(path: Path) -> Arrays | None:
    """The four arrays of a cache file, or None where it is absent or its checksum does not hold."""
    try:
        # opened here because numpy leaves a truncated file open
        with path.open("rb") as content, np.load(content, allow_pickle=False) as file:
            train_images, train_labels, test_images, test_labels = (file[name] for name in ARRAYS)
            arrays = (train_images, train_labels, test_images, test_labels)
            return arrays if bytes(file["sha256"]) == _digest(arrays) else None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def write(path: Path, arrays: Arrays) -> None:
    """Write a cache file, whole or not at all; a folder that cannot be written is left without one."""
    named = dict(zip(ARRAYS, arrays, strict=True), sha256=np.frombuffer(_digest(arrays), np.uint8))
    with contextlib.suppress(OSError):
        sweep(path.parent, lambda found: found == path)
        write_whole(path, lambda file: np.savez(file, allow_pickle=False, **named))


def _digest(arrays: Arrays) -> bytes:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.digest()
