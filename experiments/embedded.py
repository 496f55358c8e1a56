"""The embedded experiments: their data come with a package, so that they need no download."""

from ltjax.settings.named import named
from ltjax.settings.schema import Data, Experiment, Prune, Rates, Train


@named
def mnist_5k() -> Experiment:
    """The default: winning tickets in 5,000 real MNIST digits, beside reinitialised ones, within a minute."""
    return Experiment(
        trials=5,
        arms={"ticket": 1, "reinit": 1},
        data=Data(name="mnist_5k", validation=500),
        train=Train(steps=1200, evaluate_every=20),
        prune=Prune(rounds=5, rates=Rates(fc=0.4, output=0.2)),
    )


@named
def digits() -> Experiment:
    """LeNet-300-100 on scikit-learn's digits, 8x8 pixels: the smallest run, without earlier stopping.

    Real handwritten digits, small enough for two CPU cores. Expected:
    tickets hold the dense network's test accuracy, about 92.7%, down to a tenth of its weights (means of five
    within 0.5 points). The data are too few for the paper's earlier stopping to show; ``mnist_5k`` shows it.
    """
    return Experiment()
