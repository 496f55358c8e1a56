"""The network of an experiment: its two pure functions for the images of its data set, and their shapes."""

import jax

from ltjax.core.keys import named_key
from ltjax.core.types import Params
from ltjax.data import DATASETS, Source
from ltjax.models import Collections, Network, make_network
from ltjax.models.convolution import form_here
from ltjax.settings.schema import Experiment


def shapes_of(network: Network) -> tuple[Params, Collections]:
    """The shapes and dtypes of a network's params, and of what it carries beside them."""
    found: tuple[Params, Collections] = jax.eval_shape(network.init, jax.eval_shape(lambda: named_key(0)))
    return found


def network_of(experiment: Experiment, source: Source | None = None) -> Network:
    """The network of an experiment, for the images of its data set; the data is not read.

    Args:
        experiment: says which network, and on which data set.
        source: the data's sizes, where they are not those of the data set that it names.

    Raises:
        UserError: there is no such network or data set, or sizes that cannot be.
    """
    source = source or DATASETS.find(experiment.data.name)
    form = form_here(experiment.numerics.convolution)
    return make_network(experiment.model, source.image, source.classes, form)
