"""Conv-2, Conv-4 and Conv-6 on CIFAR-10: each experiment once, with the numbers in which they differ."""

from dataclasses import replace

from ltjax.settings.named import Family, Member
from ltjax.settings.schema import Data, Experiment, Model, Prune, Rates, Train
from ltjax.training.optimizers import Momentum

convs = Family(conv2="Conv-2", conv4="Conv-4", conv6="Conv-6")


@convs.each(
    steps=(20_000, 25_000, 30_000),
    rate=(2e-4, 3e-4, 3e-4),
    pruned=(0.1, 0.1, 0.15),
    rounds=(21, 24, 24),
    weights=(4_300_992, 2_425_024, 2_261_184),
    sooner=(3.5, 3.5, 2.5),
    soonest=("8.8% (round 11)", "9.2% (round 12)", "15.3% (round 10)"),
    better=(3.4, 3.5, 3.3),
    best=("4.6% (round 14)", "11.1% (round 11)", "26.6% (round 7)"),
    but=("", "", " The paper's own percentages do not fit the network it describes: compare by round."),
)
def iterative(conv: Member) -> Experiment:
    """{title} on CIFAR-10, pruned iteratively (Figure 5; section 3).

    Paper, Figure 2: 45,000 / 5,000 / 10,000 examples, {weights:,} weights, Adam {rate:g}, batch 60, {steps:,}
    steps, Gaussian Glorot, {pruned:.0%} of convolutions and 20% of fully-connected layers a round (10% of the
    output), five trials. Expected: early stopping up to {sooner} times sooner at {soonest}, and {better}
    points more accurate at {best}.{but}
    """
    return Experiment(
        trials=5,
        data=Data(name="cifar10", validation=5000),
        model=Model(name=conv.key, widths=(256, 256), init="glorot_normal"),
        train=Train(
            steps=conv.steps,
            batch=60,
            optimizer="adam",
            learning_rate=conv.rate,
            evaluate_every=100,
            evaluate_batch=100,
        ),
        prune=Prune(
            rounds=conv.rounds,
            rates=Rates(conv=conv.pruned, fc=0.2, output=0.1),
            criterion="magnitude",
            structure="layer",
        ),
    )


@convs.each()
def controls(conv: Member) -> Experiment:
    """{title}'s tickets with both controls: reinitialised, and random sparsity (Figures 1, 5 and 14).

    Paper: 3 reinitialisations of every ticket (15 in all) and 2 random sparse networks (10 in all), otherwise
    as ``{key}_iterative``. Expected: reinitialised tickets learn ever slower and lose accuracy sooner; random
    sparsity ends no differently from them.
    """
    return replace(iterative(conv.key), arms={"ticket": 1, "reinit": 3, "random": 2})


@convs.each(
    steps=(60_000, 75_000, 90_000),
    rate=(3e-4, 2e-4, 2e-4),
    dense=(2.1, 3.0, 2.4),
    tickets=(2.3, 4.6, 4.7),
)
def dropout(conv: Member) -> Experiment:
    """{title} with dropout of 0.5 (Figure 6; section 3).

    Paper, Figure 2: Adam {rate:g} and {steps:,} steps, otherwise as ``{key}_iterative``. Expected: the dense
    network is {dense} points above {title}'s without, and tickets up to {tickets} points above that.
    """
    base = iterative(conv.key)
    train = replace(base.train, steps=conv.steps, learning_rate=conv.rate)
    return replace(base, model=replace(base.model, dropout=0.5), train=train)


@convs.each()
def continued(conv: Member) -> Experiment:
    """Continued training in place of rewinding: {title} by Strategy 2 (Appendix B, Figure 10).

    Every round prunes the weights that training left and trains them on; only to be measured is each mask
    rewound to θ₀ and trained alone. Expected: the tickets of ``{key}_iterative`` are better at small sizes.
    """
    base = iterative(conv.key)
    return replace(base, arms={"ticket": 1, "continued": 1}, prune=replace(base.prune, schedule="continued"))


@convs.each(but=("", "", " Convolutions are pruned by 10% a round here, not 15%."))
def adam_rates(conv: Member) -> Experiment:
    """{title} by Adam at eight learning rates (Appendix H.2, Figure 32).

    Three trials each.{but} Expected: the pattern of tickets at all but the highest learning rates.
    """
    base = iterative(conv.key)
    prune = replace(base.prune, rates=replace(base.prune.rates, conv=0.1))
    rates = (1e-4, 2e-4, 3e-4, 4e-4, 5e-4, 6e-4, 7e-4, 8e-4)
    return replace(base, trials=3, prune=prune, sweep={"train.learning_rate": rates})


@convs.each(
    rates=(
        (1e-4, 5e-4, 8e-4, 1e-3, 1.5e-3, 2.5e-3),
        (1e-3, 2e-3, 3e-3, 5e-3, 1e-2),
        (2.5e-3, 5e-3, 1e-2, 2e-2, 2.5e-2, 3e-2, 3.5e-2),
    ),
    count=("six", "five", "seven"),
    then=("; accuracy first drops, then rises as it is pruned",) * 2 + ("",),
)
def sgd_rates(conv: Member) -> Experiment:
    """{title} by plain SGD at {count} learning rates (Appendix H.3, Figure 33).

    Three trials each. Expected: dense networks 2 to 3 points below Adam's{then}.
    """
    base = iterative(conv.key)
    sgd = replace(base.train, optimizer="sgd")
    return replace(base, trials=3, train=sgd, sweep={"train.learning_rate": conv.rates})


@convs.each(
    rates=((1e-4, 3e-4, 5e-4, 7e-4, 1e-3, 1.5e-3),) + ((1e-3, 2e-3, 3e-3, 4e-3, 5e-3, 8e-3),) * 2,
)
def momentum_rates(conv: Member) -> Experiment:
    """{title} by SGD with momentum 0.9 at six learning rates (Appendix H.3, Figure 34).

    Three trials each. Expected: the pattern of tickets, but for the lowest and the highest learning rates.
    """
    base = iterative(conv.key)
    momentum = replace(base.train, optimizer=Momentum(0.9))
    return replace(base, trials=3, train=momentum, sweep={"train.learning_rate": conv.rates})


@convs.each()
def pruning_rates(conv: Member) -> Experiment:
    """{title} with convolutions pruned by 5% to 30% a round (Appendix H.4, Figure 35).

    Three trials each; fully-connected layers are pruned by 20% a round at every point.
    """
    rates = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3)
    return replace(iterative(conv.key), trials=3, sweep={"prune.rates.conv": rates})


@convs.each(
    expected=(" Expected: at 1e-4 the network fails to train until it is pruned past 26.5%.", "", ""),
)
def dropout_rates(conv: Member) -> Experiment:
    """{title} with dropout of 0.5, by Adam at five learning rates (Appendix H.5, Figure 36).

    Three trials each.{expected}
    """
    return replace(dropout(conv.key), trials=3, sweep={"train.learning_rate": (1e-4, 2e-4, 3e-4, 4e-4, 5e-4)})


@convs.each()
def layers(conv: Member) -> Experiment:
    """{title} with only its convolutions pruned, or only its other layers, or both (Appendix H.6, Figure 37).

    Three trials each. Expected: pruning convolutions alone gives higher accuracy and learns faster; pruning
    the fully-connected layers alone is generally worse.
    """
    base = iterative(conv.key)
    rates = base.prune.rates
    sweep = {
        "prune.rates.conv": (rates.conv, None, rates.conv),
        "prune.rates.fc": (rates.fc, rates.fc, None),
        "prune.rates.output": (rates.output, rates.output, None),
    }
    return replace(base, trials=3, sweep=sweep)
