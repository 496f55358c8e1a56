"""Data: real where it is there, made up elsewhere; prepared without TensorFlow, cached, never mixed up."""

import gzip
import hashlib
import io
import os
import random
import subprocess
import sys
import tarfile
import urllib.error
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

import ltjax
from ltjax import Data, UserError
from ltjax.core import files
from ltjax.data import DATASETS, cache, load_dataset, prepared, split
from ltjax.data.originals import CIFAR_LABELS

DATA = Path(os.environ.get("TFDS_DATA_DIR", "/nowhere"))
RAW = Path(os.environ.get("LTJAX_RAW_MNIST", DATA.parent / "raw" / "mnist"))

needs_mnist = pytest.mark.skipif(
    not (DATA / "mnist").is_dir(), reason="real MNIST is not prepared in $TFDS_DATA_DIR"
)
needs_raw = pytest.mark.skipif(
    not (RAW / "t10k-labels-idx1-ubyte.gz").is_file(),
    reason="MNIST's original files are not in $LTJAX_RAW_MNIST",
)


def idx(array: np.ndarray) -> bytes:
    """An array as a gzipped idx file."""
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes()
    return gzip.compress(header + array.tobytes())


def write_idx(folder: Path, seed: int, train: int = 30, test: int = 10) -> tuple[np.ndarray, ...]:
    """Made-up originals of MNIST's form; the four arrays they hold."""
    random, arrays = np.random.default_rng(seed), []
    folder.mkdir(parents=True)
    for prefix, count in (("train", train), ("t10k", test)):
        images = random.integers(0, 256, (count, 28, 28), np.uint8)
        labels = random.integers(0, 10, count, np.uint8)
        (folder / f"{prefix}-images-idx3-ubyte.gz").write_bytes(idx(images))
        (folder / f"{prefix}-labels-idx1-ubyte.gz").write_bytes(idx(labels))
        arrays += [images[..., np.newaxis], labels]
    return tuple(arrays)


def write_cifar(folder: Path) -> tuple[np.ndarray, ...]:
    """A made-up CIFAR-10 archive; the four arrays it holds."""
    random, arrays = np.random.default_rng(0), []
    folder.mkdir(parents=True)
    with tarfile.open(folder / "cifar-10-binary.tar.gz", "w:gz") as archive:
        for names in ([f"data_batch_{i}.bin" for i in range(1, 6)], ["test_batch.bin"]):
            labels = random.integers(0, 10, 4 * len(names), np.uint8)
            planes = random.integers(0, 256, (4 * len(names), 3, 32, 32), np.uint8)
            rows = np.concatenate([labels[:, None], planes.reshape(len(labels), -1)], axis=1)
            for name, part in zip(names, np.split(rows, len(names)), strict=True):
                member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
                member.size = part.nbytes
                archive.addfile(member, io.BytesIO(part.tobytes()))
            arrays += [planes.transpose(0, 2, 3, 1), labels]
    return tuple(arrays)


@pytest.fixture
def published(monkeypatch):
    """Accept made-up originals: publish the checksums of the files in a folder as a data set's own."""
    import tensorflow_datasets as tfds

    def publish(name: str, folder: Path) -> None:
        builder = tfds.builder_cls(name)
        infos = {
            url: replace(info, checksum=hashlib.sha256((folder / info.filename).read_bytes()).hexdigest())
            for url, info in builder.url_infos.items()
        }
        monkeypatch.setattr(builder, "url_infos", infos)

    return publish


def as_sets(arrays) -> list[set[bytes]]:
    """Images with their labels per split, in no order: TFDS shuffles when it prepares."""
    images, labels = arrays[0::2], arrays[1::2]
    return [
        {image.tobytes() + bytes([int(label)]) for image, label in zip(*split, strict=True)}
        for split in zip(images, labels, strict=True)
    ]


def test_mnist_and_fashion_mnist_whose_files_have_the_same_names_are_not_mixed_up(tmp_path, published):
    """Stock TFDS, given both in one folder, writes MNIST's images as Fashion-MNIST's."""
    for seed, name in enumerate(("mnist", "fashion_mnist")):
        arrays = write_idx(tmp_path / "raw" / name, seed)
        published(name, tmp_path / "raw" / name)
        data = Data(name, dir=str(tmp_path / "data"), raw=str(tmp_path / "raw" / name))
        assert as_sets(prepared.load_prepared(name, data)) == as_sets(arrays)
    for name in ("mnist", "fashion_mnist"):
        assert (tmp_path / "data" / name / "3.0.1" / "dataset_info.json").is_file()


def test_cifar10_is_prepared_from_its_archive_and_read_back_by_tfds(tmp_path, published):
    import tensorflow_datasets as tfds

    arrays = write_cifar(tmp_path / "raw")
    published("cifar10", tmp_path / "raw")
    data = Data("cifar10", dir=str(tmp_path / "data"), raw=str(tmp_path / "raw"))
    assert as_sets(prepared.load_prepared("cifar10", data)) == as_sets(arrays)
    source = tfds.data_source("cifar10", split="test", data_dir=tmp_path / "data")
    assert source.dataset_info.features["label"].names == CIFAR_LABELS.split()
    assert {record["id"] for record in source} == {f"test_{i:05d}".encode() for i in range(4)}


def test_preparing_and_reading_never_imports_tensorflow(tmp_path):
    write_idx(tmp_path / "raw", 0)
    program = (
        "import sys, hashlib, pathlib, dataclasses\n"
        "import tensorflow_datasets as tfds\n"
        "from ltjax.settings.schema import Data\n"
        "from ltjax.data import prepared\n"
        f"raw = pathlib.Path({str(tmp_path / 'raw')!r})\n"
        "builder = tfds.builder_cls('mnist')\n"
        "builder.url_infos = {url: dataclasses.replace(info, checksum=hashlib.sha256(\n"
        "    (raw / info.filename).read_bytes()).hexdigest()) for url, info in builder.url_infos.items()}\n"
        f"prepared.load_prepared('mnist', Data('mnist', dir={str(tmp_path / 'data')!r}, raw=str(raw)))\n"
        "assert 'tensorflow' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)


@pytest.fixture
def made(tmp_path, published):
    """A prepared folder of made-up MNIST without its cache, and its configuration."""
    write_idx(tmp_path / "raw", 0)
    published("mnist", tmp_path / "raw")
    data = Data("mnist", dir=str(tmp_path / "data"), raw=str(tmp_path / "raw"))
    arrays = prepared.load_prepared("mnist", data)
    return tmp_path / "data" / "mnist" / "3.0.1", data, arrays


def test_the_decoded_cache_is_used_without_tfds(made, monkeypatch):
    folder, data, arrays = made
    monkeypatch.setattr(prepared, "_tfds", lambda: pytest.fail("TFDS was asked"))
    for one, two in zip(prepared.load_prepared("mnist", data), arrays, strict=True):
        np.testing.assert_array_equal(one, two)
    for record in folder.glob("*array_record*"):  # not even the data set is needed
        record.unlink()
    prepared.load_prepared("mnist", data)


@pytest.mark.parametrize("damage", ["truncate", "flip", "forge", "pickle"])
def test_a_damaged_cache_is_decoded_anew(damage, made):
    folder, data, arrays = made
    path = folder / cache.NAME
    content = bytearray(path.read_bytes())
    if damage == "truncate":
        path.write_bytes(content[: len(content) // 2])
    if damage == "flip":
        content[len(content) // 3] ^= 1
        path.write_bytes(content)
    if damage == "forge":  # a whole archive, with other arrays than its digest says
        np.savez(path, **dict(zip(cache.ARRAYS, arrays, strict=True)), sha256=np.zeros(32, np.uint8))
    if damage == "pickle":
        np.savez(path, **{name: np.array([print], object) for name in cache.ARRAYS})
    assert cache.read(path) is None
    assert as_sets(prepared.load_prepared("mnist", data)) == as_sets(arrays)
    assert cache.read(path) is not None


@pytest.mark.parametrize("damage", ["truncate", "flip", "unlink"])
def test_a_damaged_data_set_is_told(damage, made):
    folder, data, _ = made
    (folder / cache.NAME).unlink()
    record = next(folder.glob("mnist-train*"))
    content = bytearray(record.read_bytes())
    record.unlink()
    if damage == "truncate":
        record.write_bytes(content[: len(content) // 2])
    if damage == "flip":
        content[len(content) // 2] ^= 1
        record.write_bytes(content)
    with pytest.raises(UserError, match="cannot be read.*remove that folder and repeat the command"):
        prepared.load_prepared("mnist", data)


def test_a_data_set_of_another_size_than_published_is_refused(made):
    _, data, _ = made
    with pytest.raises(UserError, match="files are missing or more"):
        load_dataset(data)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda raw: (raw / "t10k-labels-idx1-ubyte.gz").unlink(),
            "no 't10k-labels-idx1-ubyte.gz'.*expected are",
        ),
        (lambda raw: (raw / "t10k-labels-idx1-ubyte.gz").write_bytes(b"x"), "not the published file"),
    ],
)
def test_missing_or_other_originals_are_told(change, message, tmp_path, published):
    write_idx(tmp_path / "raw", 0)
    published("mnist", tmp_path / "raw")
    change(tmp_path / "raw")
    with pytest.raises(UserError, match=message):
        prepared.load_prepared("mnist", Data("mnist", dir=str(tmp_path / "data"), raw=str(tmp_path / "raw")))
    assert not (tmp_path / "data").exists()


def test_no_network_and_no_data_is_one_message_with_folder_files_and_command(tmp_path, monkeypatch):
    def unreachable(*_, **__):
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.setattr(prepared.urllib.request, "urlopen", unreachable)
    with pytest.raises(UserError) as error:
        load_dataset(Data("fashion_mnist", dir=str(tmp_path)))
    for part in (str(tmp_path), "train-images-idx3-ubyte.gz", "curl --remote-name-all http", "--data.raw"):
        assert part in str(error.value)


@pytest.mark.parametrize("name", sorted(DATASETS))
def test_registered_sizes_fit_a_network(name):
    source = DATASETS[name]
    assert len(source.inputs.shape) == 3 and source.inputs.dtype == np.uint8
    assert source.classes == 10 and source.train > source.test > 0


def test_digits_are_real_and_whole(digits):
    assert digits.train_inputs.shape == (1437, 8, 8, 1) and digits.test_inputs.shape == (360, 8, 8, 1)
    assert digits.train_inputs.dtype == np.uint8 and digits.train_inputs.max() == 255
    assert np.bincount(digits.train_targets).min() > 130


def test_mnist_5k_is_real_balanced_and_whole():
    found = load_dataset(Data("mnist_5k"))
    assert found.train_inputs.shape == (3000, 28, 28, 1) and found.train_inputs.dtype == np.uint8
    assert list(np.bincount(found.train_targets)) == [300] * 10
    assert list(np.bincount(found.test_targets)) == [200] * 10
    # MNIST's digits have blank borders, and about a fifth of their pixels is ink
    assert found.train_inputs.max() == 255 and not found.test_inputs[:, :, 0].any()
    assert 0.15 < (found.train_inputs > 0).mean() < 0.25


def test_mnist1d_is_the_packages_own_to_a_sixtieth_of_a_deviation_and_leaves_random_numbers_alone(
    monkeypatch,
):
    made = pytest.importorskip("mnist1d.data")
    monkeypatch.setattr(cache, "read", lambda path: None)
    random.seed(5)
    np.random.seed(5)
    expected = (random.random(), np.random.random())
    random.seed(5)
    np.random.seed(5)
    found = load_dataset(Data("mnist1d"))
    assert (random.random(), np.random.random()) == expected
    own = made.make_dataset(made.get_dataset_args())
    values = (found.test_inputs.reshape(-1, 40) / 255 - found.mean[0]) / found.std[0]
    within = np.abs(own["x_test"]) < 4
    assert within.mean() > 0.999 and np.abs(values - own["x_test"])[within].max() < 1 / 60
    assert list(found.train_targets) == list(own["y"])


def test_mnist1d_says_which_package_it_lacks(monkeypatch):
    def absent(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", absent)
    with pytest.raises(UserError, match=r"pip install 'ltjax\[mnist1d\]'"):
        load_dataset(Data("mnist1d"))


def test_what_fails_in_a_loader_of_ones_own_is_told_with_its_place(monkeypatch):
    monkeypatch.setitem(DATASETS, "mine", DATASETS["digits"]._replace(load=lambda data: np.stack([])))
    told = r"data set 'mine' raised ValueError at .*, line \d+: need at least one array"
    with pytest.raises(UserError, match=told):
        load_dataset(Data(name="mine"))


def test_digits_are_kept_decoded_and_made_again_where_that_is_damaged(monkeypatch, tmp_path, digits):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    DATASETS["digits"].load(Data())
    (kept,) = files.user_cache().glob("digits-*.npz")
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "sklearn.datasets", None)  # importing it fails
        found = DATASETS["digits"].load(Data())
    np.testing.assert_array_equal(found.train_inputs, digits.train_inputs)
    np.testing.assert_array_equal(found.test_targets, digits.test_targets)
    kept.write_bytes(kept.read_bytes()[:-100])
    np.testing.assert_array_equal(DATASETS["digits"].load(Data()).train_inputs, digits.train_inputs)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_splits_are_disjoint_whole_and_by_seed(seed, digits):
    splits = split(digits, 100, seed)
    parts = [np.asarray(part.inputs).reshape(-1, 64) for part in (splits.train, splits.validation)]
    assert [len(part) for part in parts] == [1337, 100]
    together = sorted(row.tobytes() for part in parts for row in part)
    assert together == sorted(row.tobytes() for row in digits.train_inputs.reshape(-1, 64))
    np.testing.assert_array_equal(split(digits, 100, seed).validation.inputs, splits.validation.inputs)
    assert (np.asarray(split(digits, 100, seed + 1).validation.targets) != splits.validation.targets).any()
    np.testing.assert_array_equal(splits.test.inputs, digits.test_inputs)


@pytest.mark.parametrize("size", [1, 7, 100, 250, 1000])
def test_batches_hold_every_example_once(size, digits):
    validation = split(digits, 100, 0).validation
    batches = validation.batches(size)
    real = np.asarray(batches.real).ravel()
    np.testing.assert_array_equal(np.asarray(batches.targets).ravel()[real], validation.targets)
    assert batches.real.shape[1] <= size and real[:100].all() and not real[100:].any()
    assert (
        batches.inputs.shape[:2] == batches.real.shape == batches.scale.shape[:1] + batches.targets.shape[1:]
    )


def test_images_are_standardised_per_channel():
    images = np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3)
    labels = np.zeros(2, np.int64)
    mean, std = np.array([0.1, 0.2, 0.3]), np.array([0.5, 1.0, 2.0])
    dataset = ltjax.Dataset(images, labels, images, labels, 2, mean, std)
    floats = split(dataset, 1, 0).test.values()
    np.testing.assert_allclose(floats, (images / 255 - mean) / std, atol=1e-6)


@needs_mnist
def test_real_mnists_test_split_is_whole_and_in_its_known_proportions():
    builder = prepared._tfds().builder("mnist", data_dir=prepared.data_folder(Data("mnist")))
    images, labels = prepared._read_split(builder.as_data_source(split="test"))
    assert images.shape == (10000, 28, 28, 1) and images.dtype == np.uint8
    assert np.bincount(labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


@pytest.mark.long
@needs_mnist
def test_real_mnist_is_whole_and_in_its_known_proportions():
    mnist = load_dataset(Data("mnist"))
    assert mnist.train_inputs.shape == (60000, 28, 28, 1) and mnist.test_inputs.shape == (10000, 28, 28, 1)
    assert np.bincount(mnist.train_targets).tolist() == [
        5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949,
    ]  # fmt: skip
    np.testing.assert_allclose(mnist.train_inputs.mean() / 255, 0.1307, atol=1e-4)


@pytest.mark.long
@needs_mnist
@needs_raw
def test_mnist_prepared_from_its_original_files_equals_stock_tfds(tmp_path):
    """Real files, published checksums: the folder that stock TFDS prepared holds the same records."""
    ours = load_dataset(Data("mnist", dir=str(tmp_path), raw=str(RAW)))
    stock = load_dataset(Data("mnist"))
    for one, two in zip(ours[:4], stock[:4], strict=True):
        np.testing.assert_array_equal(one, two)  # in the same order, too
