"""Conv-6 on CIFAR-10, pruned iteratively (Figure 5; section 3).

    python -m ltjax.run --config conv6_iterative

Paper, Figure 2: 45,000 / 5,000 / 10,000 examples, 2,261,184 weights, Adam 3e-4, batch 60, 30,000 steps,
Gaussian Glorot, 15% of convolutions and 20% of fully-connected layers a round (10% of the output), five
trials. Expected: early stopping up to 2.5 times sooner at 15.3% (round 10), and 3.3 points more accurate at
26.6% (round 7). The paper's own percentages for Conv-6 do not fit the network it describes: compare by
round.
"""

from ltjax import Data, Experiment, Model, Prune, Rates, Train

experiment = Experiment(
    name="conv6_iterative",
    trials=5,
    data=Data(name="cifar10", validation=5000),
    model=Model(name="conv6", widths=(256, 256), init="glorot_normal"),
    train=Train(
        steps=30_000, batch=60, optimizer="adam", learning_rate=3e-4, evaluate_every=100, evaluate_batch=100
    ),
    prune=Prune(rounds=24, rates=Rates(conv=0.15, fc=0.2, output=0.1), scope="layer", score="magnitude"),
)
