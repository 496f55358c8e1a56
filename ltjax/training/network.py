"""The network of an experiment: its two pure functions for the images of the data set that it names."""

import jax

from ltjax.core.types import Params
from ltjax.data import DATASETS
from ltjax.models import Collections, Network, make_network
from ltjax.settings.schema import Experiment


def shapes_of(network: Network) -> tuple[Params, Collections]:
    """The shapes and dtypes of a network's params, and of what it carries beside them."""
    found: tuple[Params, Collections] = jax.eval_shape(
        network.init, jax.eval_shape(lambda: jax.random.key(0))
    )
    return found


def network_of(experiment: Experiment) -> Network:
    """The network of an experiment, for the images of the data set that it names; the data is not read.

    Raises:
        UserError: there is no such network or data set.
    """
    source = DATASETS.find(experiment.data.name)
    return make_network(experiment.model, source.image, source.classes)
