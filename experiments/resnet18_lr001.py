"""Resnet-18 on CIFAR-10 at learning rate 0.01, pruned globally (Figures 8 and 14; section 4).

    python -m ltjax.run --config resnet18_lr001

Paper, Figure 2: the 20-layer residual network for CIFAR, SGD with momentum 0.9, batch 128, a tenth of the
rate after 20,000 and 25,000 of 30,000 steps, weight decay 1e-4, flips and crops, 20% of all convolutions
together a round; shortcuts and output are never pruned. The paper does not say how many trials; three here,
each with its controls. Expected: tickets of 89.5% at 41.7 to 21.9% remaining (rounds 4 to 7), a point below
dense at 0.1.
"""

from ltjax import Data, Experiment, Model, Prune, Rates, Train

experiment = Experiment(
    name="resnet18_lr001",
    trials=3,
    arms={"ticket": 1, "reinit": 1, "random": 1},
    data=Data(name="cifar10", validation=5000, augment="flip_crop"),
    model=Model(name="resnet18", widths=(), init="glorot_normal"),
    train=Train(
        steps=30_000,
        batch=128,
        optimizer="momentum",
        momentum=0.9,
        learning_rate=0.01,
        drops=(20_000, 25_000),
        weight_decay=1e-4,
        evaluate_every=100,
        evaluate_batch=100,
    ),
    prune=Prune(rounds=14, rates=Rates(conv=0.2, fc=None, output=None), scope="global", score="magnitude"),
)
