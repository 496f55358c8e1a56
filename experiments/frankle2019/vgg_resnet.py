"""Resnet-18 and VGG-19 on CIFAR-10: each experiment once, with the numbers in which they differ."""

from dataclasses import replace

from ltjax.settings.named import EXPERIMENTS, Family, Member
from ltjax.settings.schema import Data, Experiment, Model, Prune, Rates, Train
from ltjax.training.optimizers import Momentum
from ltjax.training.rates import Drops

nets = Family(resnet18="Resnet-18", vgg19="VGG-19")
trained = Family(
    resnet18_lr001="Resnet-18 at learning rate 0.01",
    resnet18_lr01="Resnet-18 at learning rate 0.1",
    resnet18_warmup="Resnet-18 with warmup",
    vgg19_lr001="VGG-19 at learning rate 0.01",
    vgg19_lr01="VGG-19 at learning rate 0.1",
    vgg19_warmup="VGG-19 with warmup",
)


@nets.each(
    steps=(30_000, 112_480),
    batch=(128, 64),
    drops=((20_000, 25_000), (56_240, 84_360)),
    rounds=(14, 31),
    figure=(8, 7),
    network=(
        "the 20-layer residual network for CIFAR",
        "16 convolutions and one fully-connected layer",
    ),
    epochs=("", " (80 and 120 of 160 epochs)"),
    unpruned=("shortcuts and output are", "the output is"),
    expected=(
        "tickets of 89.5% at 41.7 to 21.9% remaining (rounds 4 to 7), a point below dense at 0.1",
        "within a point of dense down to 3.5% (round 15)",
    ),
)
def lr001(net: Member) -> Experiment:
    """{title} on CIFAR-10 at learning rate 0.01, pruned globally (Figures {figure} and 14; section 4).

    Paper, Figure 2: {network}, SGD with momentum 0.9, batch {batch}, a tenth of the rate after {drops[0]:,}
    and {drops[1]:,} of {steps:,} steps{epochs}, weight decay 1e-4, flips and crops, 20% of all convolutions
    together a round; {unpruned} never pruned. The paper does not say how many trials; three here, each with
    its controls. Expected: {expected}.
    """
    return Experiment(
        trials=3,
        arms={"ticket": 1, "reinit": 1, "random": 1},
        data=Data(name="cifar10", validation=5000, augment="flip_crop"),
        model=Model(name=net.key, widths=(), init="glorot_normal"),
        train=Train(
            steps=net.steps,
            batch=net.batch,
            optimizer=Momentum(0.9),
            learning_rate=0.01,
            schedule=Drops(drops=net.drops),
            weight_decay=1e-4,
            evaluate_every=100,
            evaluate_batch=100,
        ),
        prune=Prune(
            rounds=net.rounds,
            rates=Rates(conv=0.2, fc=None, output=None),
            criterion="magnitude",
            structure="global",
        ),
    )


@nets.each(figure=(8, 7))
def lr01(net: Member) -> Experiment:
    """{title} on CIFAR-10 at learning rate 0.1, pruned globally (Figures {figure} and 14; section 4).

    Otherwise as ``{key}_lr001``. Expected: no winning tickets: no better than reinitialised.
    """
    base = lr001(net.key)
    return replace(base, train=replace(base.train, learning_rate=0.1))


@nets.each(
    rate=(0.03, 0.1),
    steps=(20_000, 10_000),
    figure=(8, 7),
    expected=(
        "90.5% at 27.1% (round 6), as dense at 0.1; tickets down to 11.8% (round 10)",
        "dense about a point more accurate than without, and tickets above it down to 1.5% (round 19)",
    ),
)
def warmup(net: Member) -> Experiment:
    """{title} on CIFAR-10 at learning rate {rate}, warmed up over {steps:,} steps \
(Figures {figure} and 14; section 4).

    The rate rises from 0, linearly; otherwise as ``{key}_lr001``. Expected: {expected}.
    """
    base = lr001(net.key)
    drops = base.train.schedule.parameters["drops"]
    schedule = Drops(warmup=net.steps, drops=drops)
    return replace(base, train=replace(base.train, learning_rate=net.rate, schedule=schedule))


@trained.each(
    figures=("39 and 41",) * 3 + ("38 and 40",) * 3,
    expected=("less accurate at small sizes than global pruning, by less than VGG-19",) * 3
    + ("less accurate at small sizes than global pruning",) * 2
    + ("tickets only down to 6.9% (round 12), where global pruning has them to 1.5%",),
)
def layerwise(net: Member) -> Experiment:
    """{title}, each layer pruned by itself (Appendix I.1, Figures {figures}).

    20% of every convolution a round, otherwise as ``{key}``. Expected: {expected}.
    """
    base = EXPERIMENTS[net.key]()
    return replace(base, prune=replace(base.prune, structure="layer"))


@nets.each(figure=(42, 43))
def rates(net: Member) -> Experiment:
    """{title} at five learning rates, tickets and reinitialised (Appendix I.2, Figure {figure}).

    Otherwise as ``{key}_lr001``. Expected: winning tickets at 0.01 and at no higher learning rate.
    """
    values = (0.01, 0.02, 0.03, 0.05, 0.1)
    return replace(lr001(net.key), arms={"ticket": 1, "reinit": 1}, sweep={"train.learning_rate": values})


@nets.each(
    rate=(0.03, 0.1),
    warmups=((0, 500, 1000, 5000, 10_000, 20_000), (0, 1000, 5000, 10_000, 20_000, 50_000)),
    figure=(44, 45),
)
def warmups(net: Member) -> Experiment:
    """{title} at learning rate {rate} with six lengths of warmup (Appendix I.5, Figure {figure}).

    Otherwise as ``{key}_warmup``. Expected: longer is better, with most of the gain before 5,000 steps.
    """
    return replace(warmup(net.key), arms={"ticket": 1}, sweep={"train.schedule.warmup": net.warmups})
