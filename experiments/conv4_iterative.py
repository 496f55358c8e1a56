"""Conv-4 on CIFAR-10, pruned iteratively (Figure 5; section 3).

    python -m ltjax.run --config conv4_iterative

Paper, Figure 2: 45,000 / 5,000 / 10,000 examples, 2,425,024 weights, Adam 3e-4, batch 60, 25,000 steps,
Gaussian Glorot, 10% of convolutions and 20% of fully-connected layers a round (10% of the output), five
trials. Expected: early stopping up to 3.5 times sooner at 9.2% (round 12), and 3.5 points more accurate at
11.1% (round 11).
"""

from ltjax import Data, Experiment, Model, Prune, Rates, Train

experiment = Experiment(
    name="conv4_iterative",
    trials=5,
    data=Data(name="cifar10", validation=5000),
    model=Model(name="conv4", widths=(256, 256), init="glorot_normal"),
    train=Train(
        steps=25_000, batch=60, optimizer="adam", learning_rate=3e-4, evaluate_every=100, evaluate_batch=100
    ),
    prune=Prune(rounds=24, rates=Rates(conv=0.1, fc=0.2, output=0.1), scope="layer", score="magnitude"),
)
