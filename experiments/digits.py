"""The embedded experiment: what `ltjax run` does when nothing is asked for."""

from ltjax.settings.named import named
from ltjax.settings.schema import Experiment


@named
def digits() -> Experiment:
    """The embedded default: LeNet-300-100 on scikit-learn's digits, five trials, about a minute.

    It runs without ``--config`` too. Real handwritten digits, small enough for two CPU cores. Expected:
    tickets hold the dense network's test accuracy, about 92.7%, down to a tenth of its weights (means of five
    within 0.5 points). The data are too few for the paper's earlier stopping to show; ``lenet_iterative``
    shows it.
    """
    return Experiment()
