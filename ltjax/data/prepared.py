"""Data sets in TensorFlow Datasets' folders, prepared and read without TensorFlow.

Stock TFDS needs TensorFlow to extract archives and to encode images (tensorflow/datasets#11058); the
builder here reads the original files with the standard library and hands over PNG bytes, which fills
the same folder: either kind is read by either. Files are never extracted to TFDS's cache, which goes by
name and so takes MNIST's files for Fashion-MNIST's.
"""

import contextlib
import hashlib
import io
import os
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ltjax.core import locks
from ltjax.core.errors import UserError, first_line
from ltjax.data import cache
from ltjax.data.examples import Arrays
from ltjax.data.originals import ORIGINALS
from ltjax.settings.schema import Data


def load_prepared(name: str, data: Data) -> Arrays:
    """Train images, train labels, test images and test labels (uint8, int64) of a prepared data set.

    Comes from the decoded cache, else from the prepared folder, which is made first where there is none:
    from ``data.raw``, else from the network.

    Raises:
        UserError: the folder is damaged, or there is none and it cannot be made.
    """
    folder = data_folder(data)
    if (arrays := _cached(name, folder)) is not None:
        return arrays
    with _alone(name, folder):
        arrays = _cached(name, folder)  # by whom was waited for
        return _prepared(name, folder, data.raw) if arrays is None else arrays


def _cached(name: str, folder: Path) -> Arrays | None:
    for path in sorted((folder / name).glob(f"*/{cache.NAME}"), reverse=True):
        if (arrays := cache.read(path)) is not None:
            return arrays
    return None


def _prepared(name: str, folder: Path, raw: str | None) -> Arrays:
    if not list((folder / name).glob("*/dataset_info.json")):
        prepare(name, folder, raw)
    arrays, location = _decode(name, folder)
    cache.write(location / cache.NAME, arrays)
    return arrays


@contextlib.contextmanager
def _alone(name: str, folder: Path) -> Iterator[None]:
    """One process prepares and decodes, and others wait; where nothing can be written, nobody waits."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            stack.enter_context(locks.lock(folder / f".ltjax-{name}.lock", wait=True))
        yield


def data_folder(data: Data) -> Path:
    """Where prepared data sets lie: ``data.dir``, else $TFDS_DATA_DIR, else TFDS's own default."""
    chosen = data.dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    return Path(chosen).expanduser()


def _decode(name: str, folder: Path) -> tuple[Arrays, Path]:
    """The four arrays of a prepared folder, and the folder of its version."""
    tfds = _tfds()
    try:
        builder = tfds.builder(name, data_dir=folder)
        train, test = (_read_split(builder.as_data_source(split=split)) for split in ("train", "test"))
    except Exception as error:  # what a damaged record raises depends on where the damage is
        raise UserError(
            f"the prepared data in '{folder / name}' cannot be read ({first_line(error)}); "
            "remove that folder and repeat the command to prepare it again."
        ) from error
    return (*train, *test), Path(builder.data_path)


def _read_split(source: Any) -> tuple[np.ndarray, np.ndarray]:
    records = source.__getitems__(range(len(source)))
    images = np.stack([record["image"] for record in records])
    return images, np.asarray([record["label"] for record in records], np.int64)


def prepare(name: str, folder: Path, raw: str | None = None) -> None:
    """Prepare a data set in ``folder`` from the original files in ``raw``, or from the network.

    Raises:
        UserError: a file is missing, damaged or not the published one, or there is no network.
    """
    base = _tfds().builder_cls(name)
    published = {info.filename: (url, info.checksum) for url, info in base.url_infos.items()}
    if raw is None:
        _require_network(name, folder, published)
    files = None if raw is None else _verified(Path(raw).expanduser(), published)
    print(f"Preparing {name} in {folder} (once) …", flush=True)
    _tfds().disable_progress_bar()
    try:
        _builder(base, name, files)(data_dir=folder, file_format="array_record").download_and_prepare()
    except OSError as error:
        raise UserError(f"'{name}' could not be prepared in '{folder}': {error}.") from error


def _builder(base: Any, name: str, files: Mapping[str, Path] | None) -> Any:
    """A TFDS builder class like ``base`` that needs no TensorFlow; without files, it downloads them."""
    original = ORIGINALS[name]

    class Builder(base, skip_registration=True):  # type: ignore[misc, call-arg]
        """The stock builder with other hands: its folder has the same name, version and features."""

        url_infos = base.url_infos

        def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
            urls = {info.filename: url for url, info in base.url_infos.items()}
            found = files or {key: Path(path) for key, path in dl_manager.download(urls).items()}
            if original.label_names:
                self.info.features["label"].names = list(original.label_names)
            return {split: self._generate_examples(found, split) for split in ("train", "test")}

        def _generate_examples(self, found: Mapping[str, Path], split: str) -> Iterator[Any]:
            images, labels = original.read(found, split)
            for index, (image, label) in enumerate(zip(images, labels, strict=True)):
                identity = {"id": f"{split}_{index:05d}"} if original.has_ids else {}
                yield index, {"image": _png(image), "label": int(label), **identity}

    Builder.name = name
    return Builder


def _png(image: np.ndarray) -> io.BytesIO:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image.squeeze()).save(buffer, "png")
    buffer.seek(0)
    return buffer


def _verified(raw: Path, published: Mapping[str, tuple[str, str]]) -> dict[str, Path]:
    """The published files in ``raw`` by name, each with the published SHA-256."""
    for filename, (url, checksum) in published.items():
        path = raw / filename
        if not path.is_file():
            raise UserError(f"there is no '{filename}' in '{raw}'; expected are: {', '.join(published)}.")
        if hashlib.sha256(path.read_bytes()).hexdigest() != checksum:
            raise UserError(f"'{path}' is not the published file (its SHA-256 differs); fetch it from {url}.")
    return {filename: raw / filename for filename in published}


def _require_network(name: str, folder: Path, published: Mapping[str, tuple[str, str]]) -> None:
    """Ask the server once, since TFDS would try each file for minutes before it gives up."""
    urls = [url for url, _ in published.values()]
    try:
        with urllib.request.urlopen(urllib.request.Request(urls[0], method="HEAD"), timeout=20):
            return
    except OSError as error:  # urllib's errors are OSErrors; most keep what went wrong as their reason
        reason = getattr(error, "reason", error)
        raise UserError(
            f"'{name}' is not prepared in '{folder}' and cannot be fetched ({reason}); where "
            f"there is a network, get its files ({', '.join(published)}) with `curl --remote-name-all "
            f"{' '.join(urls)}`, then give their folder as --data.raw."
        ) from error


def _tfds() -> Any:
    """tensorflow_datasets, imported only when the decoded cache does not do: it takes a second."""
    try:
        import tensorflow_datasets
    except ImportError as error:
        raise UserError(f"preparing data needs tensorflow-datasets ({error}).") from error
    return tensorflow_datasets
