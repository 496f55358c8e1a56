"""LeNet-300-100 on MNIST: the main experiment, and what differs from it in the others."""

from dataclasses import replace

from ltjax.settings.named import named
from ltjax.settings.schema import Data, Experiment, Model, Prune, Rates, Train
from ltjax.sparsity.schedules import OneShot
from ltjax.training.optimizers import Momentum


@named
def lenet_iterative() -> Experiment:
    """LeNet-300-100 on MNIST, pruned iteratively: the paper's main LeNet experiment (Figures 1, 3 and 4).

    Paper, Figure 2 and section 2: 55,000 / 5,000 / 10,000 examples, Adam 1.2e-3, batch 60, 50,000 steps,
    Gaussian Glorot, 20% a round and 10% at the output layer, five trials, evaluated every 100 steps.
    Expected: early stopping 38% sooner than the dense network at 21.1% remaining (round 7), and more than 0.3
    points more accurate at 13.5% (round 9).
    """
    return Experiment(
        trials=5,
        data=Data(name="mnist", validation=5000),
        model=Model(name="lenet", widths=(300, 100), init="glorot_normal"),
        train=Train(steps=50_000, batch=60, optimizer="adam", learning_rate=1.2e-3, evaluate_every=100),
        prune=Prune(rounds=20, rates=Rates(fc=0.2, output=0.1), criterion="magnitude", structure="layer"),
    )


base = lenet_iterative()


@named
def lenet_controls() -> Experiment:
    """LeNet's tickets with both controls: reinitialised, and random sparsity \
(Figures 1 and 4; Appendix E, 14).

    Paper: 3 reinitialisations of every ticket (15 in all) and 2 random sparse networks (10 in all), otherwise
    as ``lenet_iterative``. Expected: at 21.1% remaining (round 7) a ticket reaches its lowest validation loss
    2.51 times sooner than its reinitialisation and is 0.5 points more accurate; reinitialised beats random
    sparsity.
    """
    return replace(base, arms={"ticket": 1, "reinit": 3, "random": 2})


@named
def lenet_oneshot() -> Experiment:
    """One-shot pruning of LeNet: all sizes from the one dense trained network (Figure 4c).

    Each fraction is removed from the dense network's hidden layers at once, half of it from the output layer,
    and the survivors are rewound; 3 reinitialisations each. The fractions go from coarse to fine, so that the
    first six rounds already span the paper's two ranges: earlier stopping than dense for 67.5% to 17.6%
    remaining, more accurate for 95.0% to 5.17%. Expected: iterative pruning (``lenet_iterative``) is better
    at the smaller sizes.
    """
    fractions = (0.05, 0.325, 0.825, 0.95, 0.5, 0.9, 0.675, 0.125, 0.25, 0.375, 0.625, 0.75, 0.875, 0.975)
    prune = replace(base.prune, schedule=OneShot(fractions), rounds=len(fractions))
    return replace(base, arms={"ticket": 1, "reinit": 3}, prune=prune)


@named
def lenet_continued() -> Experiment:
    """Continued training in place of rewinding: LeNet by Strategy 2 (Appendix B, Figure 9).

    Every round prunes the weights that training left and trains them on; only to be measured is each mask
    rewound to θ₀ and trained alone. Expected: the tickets of ``lenet_iterative``, rewound in every round,
    stop earlier and are more accurate at small sizes.
    """
    return replace(base, arms={"ticket": 1, "continued": 1}, prune=replace(base.prune, schedule="continued"))


@named
def lenet_resample() -> Experiment:
    """Are the tickets' initial values special, or only their distribution? (Appendix F, Figure 17)

    ``resample`` draws each layer's survivors anew from the ticket's own initial values. Expected: little
    better than ``reinit``, far below the ticket.
    """
    return replace(base, arms={"ticket": 1, "reinit": 3, "resample": 3})


@named
def lenet_step0() -> Experiment:
    """Pruning before any training, by the size of the initial weights (Appendix F, Figure 18).

    Each round removes the survivors of lowest |θ₀|. Expected: worse than even reinitialised tickets; compare
    with ``lenet_controls``.
    """
    return replace(base, prune=replace(base.prune, criterion="initial"))


@named
def lenet_noise() -> Experiment:
    """How much noise do a ticket's initial weights bear? (Appendix F, Figure 25)

    Gaussian noise of 0.5, 1, 2 and 3 times each layer's initial standard deviation is added to θ₀. Expected:
    half of it costs nothing, more costs more, and 3 times it still beats ``reinit``.
    """
    noise = {"noise_0.5": 1, "noise": 1, "noise_2": 1, "noise_3": 1}
    return replace(base, arms={"ticket": 1, "reinit": 3, **noise})


@named
def lenet_sgd() -> Experiment:
    """LeNet's tickets by plain SGD at 0.8, to look inside (Appendix F, Figures 16, 22 and 24).

    Otherwise as ``lenet_iterative``. Expected: the surviving initial values of all layers become bimodal.
    """
    return replace(base, train=replace(base.train, optimizer="sgd", learning_rate=0.8))


@named
def lenet_adam_rates() -> Experiment:
    """Adam at eight learning rates (Appendix G.2, Figure 26).

    Three trials each. Expected: 2e-4 to 2e-3 are alike in accuracy, 1.2e-3 and 2e-3 fastest; 2.5e-5 and
    6.4e-3 do not reach their lowest validation loss, yet gain accuracy by pruning.
    """
    rates = (2.5e-5, 5e-5, 2e-4, 8e-4, 1.2e-3, 2e-3, 3.2e-3, 6.4e-3)
    return replace(base, trials=3, sweep={"train.learning_rate": rates})


@named
def lenet_sgd_rates() -> Experiment:
    """SGD at eight learning rates (Appendix G.3, Figure 27).

    Three trials each. Expected: 0.4 and 0.8 stop about as early as Adam at its best, and tickets hold to
    below 1% of the size.
    """
    rates = (0.003125, 0.00625, 0.0125, 0.025, 0.1, 0.4, 0.8, 1.2)
    sgd = replace(base.train, optimizer="sgd")
    return replace(base, trials=3, train=sgd, sweep={"train.learning_rate": rates})


@named
def lenet_momentum_rates() -> Experiment:
    """SGD with momentum 0.9 at seven learning rates (Appendix G.3, Figure 28).

    Three trials each. Expected: 0.025 to 0.1 are best; 0.025 has the best dense accuracy and never improves
    by pruning.
    """
    rates = (0.003125, 0.0125, 0.025, 0.05, 0.1, 0.2, 0.4)
    momentum = replace(base.train, optimizer=Momentum(0.9))
    return replace(base, trials=3, train=momentum, sweep={"train.learning_rate": rates})


@named
def lenet_pruning_rates() -> Experiment:
    """Pruning 10% to 80% a round (Appendix G.4, Figure 29).

    Three trials each; the output layer is pruned at half the rate, and every rate has the rounds it takes to
    about 1% remaining. Expected: 10% and 20% a round are clearly better than 40% and more.
    """
    rates = {"prune.rates.fc": (0.1, 0.2, 0.4, 0.6, 0.8), "prune.rates.output": (0.05, 0.1, 0.2, 0.3, 0.4)}
    return replace(base, trials=3, sweep={**rates, "prune.rounds": (40, 20, 9, 5, 3)})


@named
def lenet_init_scales() -> Experiment:
    """Gaussian initialisations of six widths, and Glorot's (Appendix G.5, Figure 30).

    Three trials each; σ is the same in every layer. Expected: tickets at every σ; 0.1 is about as good as
    Glorot.
    """
    return replace(base, trials=3, sweep={"model.init_std": (0.0125, 0.025, 0.05, 0.1, 0.2, 0.4, None)})


@named
def lenet_sizes() -> Experiment:
    """LeNets of ten sizes, 25-9 to 900-300 (Appendix G.6, Figure 31).

    Three trials each, rounds 0 to 30. Expected: at equal numbers of weights, tickets of larger networks are
    more accurate; all are back at their own dense accuracy at about 9,000 to 15,000 weights.
    """
    first = (25, 50, 100, 150, 200, 300, 400, 500, 700, 900)
    second = (9, 17, 34, 50, 67, 100, 134, 167, 233, 300)
    sizes = tuple(zip(first, second, strict=True))
    return replace(base, trials=3, prune=replace(base.prune, rounds=30), sweep={"model.widths": sizes})
