"""LeNet-300-100 on MNIST, pruned iteratively: the paper's main LeNet experiment (Figures 1, 3 and 4).

    python -m ltjax.run --config lenet_iterative

Paper, Figure 2 and section 2: 55,000 / 5,000 / 10,000 examples, Adam 1.2e-3, batch 60, 50,000 steps,
Gaussian Glorot, 20% a round and 10% at the output layer, five trials, evaluated every 100 steps.
Expected: early stopping 38% sooner than the dense network at 21.1% remaining (round 7), and more than 0.3
points more accurate at 13.5% (round 9).
"""

from ltjax import Data, Experiment, Model, Prune, Rates, Train

experiment = Experiment(
    name="lenet_iterative",
    trials=5,
    data=Data(name="mnist", validation=5000),
    model=Model(name="lenet", widths=(300, 100), init="glorot_normal"),
    train=Train(steps=50_000, batch=60, optimizer="adam", learning_rate=1.2e-3, evaluate_every=100),
    prune=Prune(rounds=20, rates=Rates(fc=0.2, output=0.1), scope="layer", score="magnitude"),
)
