"""VGG-19 on CIFAR-10 at learning rate 0.01, pruned globally (Figures 7 and 14; section 4).

    python -m ltjax.run --config vgg19_lr001

Paper, Figure 2: 16 convolutions and one fully-connected layer, SGD with momentum 0.9, batch 64, a tenth of
the rate after 80 and 120 of 160 epochs (56,240 and 84,360 of 112,480 steps), weight decay 1e-4, flips and
crops, 20% of all convolutions together a round; shortcuts and output are never pruned. The paper does not
say how many trials; three here, each with its controls. Expected: within a point of dense down to 3.5%
(round 15).
"""

from ltjax import Data, Experiment, Model, Prune, Rates, Train

experiment = Experiment(
    name="vgg19_lr001",
    trials=3,
    arms={"ticket": 1, "reinit": 1, "random": 1},
    data=Data(name="cifar10", validation=5000, augment="flip_crop"),
    model=Model(name="vgg19", widths=(), init="glorot_normal"),
    train=Train(
        steps=112_480,
        batch=64,
        optimizer="momentum",
        momentum=0.9,
        learning_rate=0.01,
        drops=(56_240, 84_360),
        weight_decay=1e-4,
        evaluate_every=100,
        evaluate_batch=100,
    ),
    prune=Prune(rounds=31, rates=Rates(conv=0.2, fc=None, output=None), scope="global", score="magnitude"),
)
