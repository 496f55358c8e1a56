"""Data sets by name, whole in memory. The only package that uses tensorflow_datasets.

Adding one takes a function ``(Data) -> Dataset`` under a ``@data_set`` line that gives its name and sizes.
"""

from ltjax.data.checks import check_dataset
from ltjax.data.examples import Dataset, Examples, Splits, split
from ltjax.data.sources import DATASETS, Source, data_set, enter_arrays, load_dataset, source_of

__all__ = [
    "DATASETS",
    "Dataset",
    "Examples",
    "Source",
    "Splits",
    "check_dataset",
    "data_set",
    "enter_arrays",
    "load_dataset",
    "source_of",
    "split",
]
