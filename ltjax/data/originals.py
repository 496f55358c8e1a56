"""The original files of the data sets, read with the standard library."""

import gzip
import io
import tarfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ltjax.core.errors import UserError


class Original(NamedTuple):
    """How the original files of one data set are read: ``read(files, split)`` gives images and labels.

    ``files`` maps the published file names to where they lie; ``split`` is ``train`` or ``test``.
    """

    read: Callable[[Mapping[str, Path], str], tuple[np.ndarray, np.ndarray]]
    has_ids: bool = False
    label_names: tuple[str, ...] | None = None


def read_idx(files: Mapping[str, Path], split: str) -> tuple[np.ndarray, np.ndarray]:
    """Images [n, 28, 28, 1] and labels [n] of MNIST's gzipped idx files."""
    prefix = {"train": "train", "test": "t10k"}[split]
    images, labels = (_idx(files[f"{prefix}-{part}-ubyte.gz"]) for part in ("images-idx3", "labels-idx1"))
    return images[..., np.newaxis], labels


def _idx(path: Path) -> np.ndarray:
    try:
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"'{path}' is damaged ({error}); replace it and repeat.") from error
    axes = content[3]  # idx: two zero bytes, type 8 (uint8), number of axes, then each length
    shape = np.frombuffer(content, ">i4", axes, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * axes).reshape(shape)


def read_cifar(files: Mapping[str, Path], split: str) -> tuple[np.ndarray, np.ndarray]:
    """Images [n, 32, 32, 3] and labels [n] of CIFAR-10's binary tar file."""
    names = {"train": [f"data_batch_{i}.bin" for i in range(1, 6)], "test": ["test_batch.bin"]}[split]
    path = files["cifar-10-binary.tar.gz"]
    try:
        with tarfile.open(path) as archive:
            raw = b"".join(_member(archive, f"cifar-10-batches-bin/{name}") for name in names)
    except (OSError, EOFError, KeyError, tarfile.TarError, zlib.error) as error:
        raise UserError(f"'{path}' is damaged ({error}); replace it and repeat.") from error
    rows = np.frombuffer(raw, np.uint8).reshape(-1, 1 + 3 * 32 * 32)  # label, then red, green, blue
    return rows[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), rows[:, 0]


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    content = archive.extractfile(name) or io.BytesIO()
    return content.read()


CIFAR_LABELS = "airplane automobile bird cat deer dog frog horse ship truck"

ORIGINALS: dict[str, Original] = {
    "mnist": Original(read_idx),
    "fashion_mnist": Original(read_idx),
    "cifar10": Original(read_cifar, has_ids=True, label_names=tuple(CIFAR_LABELS.split())),
}
