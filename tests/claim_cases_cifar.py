"""How runs of Conv-2/4/6, VGG-19 and Resnet-18 that are otherwise the paper's miss a claim, or lack it.

Claims that are made of three networks are judged by one function: every part of them is missed on Conv-2,
and on the other two one part.
"""

from tests.claim_cases import rate, rounds, where
from tests.paper_runs_cifar import CONV, DENSE


def of_each(id, kind, change, *more):
    """A case of a claim on all three networks, and further ones on Conv-2."""
    first = [(f"{id}-{net}", change[0], f"{net}_{kind}", change[1]) for net in CONV]
    return first + [(f"{id}-conv2", what, f"conv2_{other}", changed) for what, other, changed in more]


def only(pruned):
    """The point of the sweep over layers that prunes these alone."""
    return lambda experiment, n: n and getattr(experiment.prune.rates, pruned) is not None


def worse(net, points):
    """Test accuracy below a network's dense one."""
    return (DENSE[net] - points) / 100


MISSED = [
    *of_each(
        "C1", "controls", ("no ticket is faster", rounds(1, stop=8000)),
        ("the best is too fast", "controls", rounds(11, 11, stop=1600)),
        ("the best comes too soon", "controls", rounds(5, 5, stop=2000)),
        ("the best comes too late", "controls", rounds(15, 15, stop=2000)),
    ),
    *of_each(
        "C2", "controls", ("no ticket is better", rounds(1, test=.6)),
        ("the best is too good", "controls", rounds(8, 8, test=.8)),
    ),
    *of_each(
        "C3", "controls", ("a ticket is below dense", rounds(13, 13, test=.6)),
        ("a ticket does not fit", "controls", rounds(12, 12, train=.98)),
        ("dense does not fit", "controls", rounds(0, 0, train=.98)),
    ),
    *of_each(
        "C4", "controls", ("reinitialised tickets stay above dense", rounds(14, 99, "reinit", test=.9)),
        ("reinitialised tickets stop as early as dense", "controls", rounds(1, 99, "reinit", stop=8000)),
        ("reinitialised tickets get no slower", "controls", rounds(7, 7, "reinit", stop=20000)),
        ("tickets fall below dense", "controls", rounds(14, test=.6)),
        ("reinitialised tickets lose accuracy at once", "controls", rounds(1, 3, "reinit", test=.6)),
    ),
    *of_each(
        "C5", "dropout", ("pruning adds nothing to dropout", rounds(1, test=.6)),
        ("dropout adds nothing", "dropout",
         lambda e, arm, n: {"early_stop_test_accuracy": (67.7 + .2 * min(n, 11)) / 100}),
        ("with dropout tickets are as fast as without", "dropout", rounds(11, 11, stop=2000)),
        ("with dropout tickets are slower than dense", "dropout", rounds(1, stop=9000)),
    ),
    ("C6", "dense is far less accurate", "conv2_adam_rates",
     where(lambda e, n: n == 0 and rate(4e-4)(e, n), validation=.62)),
    ("C6", "pruning adds too little", "conv2_adam_rates", where(rate(2e-4), validation=.676)),
    ("C6", "tickets are hardly faster", "conv2_adam_rates",
     where(lambda e, n: n and rate(2e-4)(e, n), stop=4000)),
    ("C7", "pruning adds too little", "conv4_adam_rates", where(rate(4e-4), validation=.755)),
    ("C7", "tickets are hardly faster", "conv4_adam_rates",
     where(lambda e, n: n and rate(2e-4)(e, n), stop=4000)),
    ("C8", "pruning adds too much", "conv6_adam_rates",
     where(lambda e, n: n == 9 and rate(3e-4)(e, n), validation=.83)),
    *of_each(
        "C9", "adam_rates", ("8e-4 has tickets too", where(
            lambda e, n: n and rate(8e-4)(e, n), stop=4000, validation=.7)),
        ("2e-4 has none", "adam_rates", where(lambda e, n: n and rate(2e-4)(e, n), validation=.5)),
        ("3e-4 has none", "adam_rates", where(lambda e, n: n and rate(3e-4)(e, n), stop=9000)),
    ),
    *of_each(
        "C10", "sgd_rates", ("dense is as good as by Adam", rounds(0, 0, validation=.9)),
        ("accuracy does not fall at first", "sgd_rates", rounds(1, 4, validation=.653)),
        ("accuracy does not rise again", "sgd_rates", rounds(1, validation=.64)),
        ("with momentum tickets are slow", "momentum_rates", rounds(1, stop=9000)),
        ("with momentum tickets are less accurate", "momentum_rates", rounds(1, validation=.6)),
    ),
    ("C11-conv2", "the dense network trains", "conv2_dropout_rates", rounds(0, 0, validation=.6)),
    ("C11-conv2", "pruning does not help", "conv2_dropout_rates", rounds(8, validation=.1)),
    ("C11-conv4", "dropout adds nothing", "conv4_dropout", rounds(0, 0, validation=.75)),
    ("C11-conv4", "pruning adds nothing", "conv4_dropout", rounds(1, validation=.77)),
    ("C11-conv4", "tickets are far faster", "conv4_dropout", rounds(9, 9, stop=2000)),
    ("C11-conv6", "tickets are slower", "conv6_dropout", rounds(1, stop=9000)),
    *of_each(
        "C12", "layers", ("pruning only convolutions is worse than dense", where(only("conv"), test=.6)),
        ("pruning only convolutions is slow", "layers", where(only("conv"), stop=8100)),
        ("pruning only the rest is better", "layers", where(only("fc"), test=.9)),
        ("pruning only the rest is faster", "layers", where(only("fc"), stop=1000)),
    ),
    *of_each(
        "C13", "controls", ("random sparsity is worse", rounds(0, 99, "random", end=.5)),
        ("random sparsity is better", "controls", rounds(0, 99, "random", end=.9)),
    ),
    *of_each(
        "B1", "continued", ("continued training's tickets are as accurate", rounds(8, validation=.9)),
        ("continued training's tickets stop as early", "continued", rounds(8, stop=1000)),
    ),
    ("X1", "LeNet's tickets are worse", "controls", rounds(8, 8, test=.97)),
    ("X1", "LeNet's tickets are slower", "controls", rounds(8, 8, stop=9000)),
    ("X1", "Conv-4's tickets are worse", "conv4_controls", rounds(8, 8, test=.7)),
    ("X1", "Conv-6's tickets are slower", "conv6_controls", rounds(9, 9, stop=9000)),
    ("V1", "tickets are better than reinitialised", "vgg19_lr01", rounds(8, 99, "reinit", end=.8)),
    ("V1", "tickets are as good as dense", "vgg19_lr01", rounds(15, 15, end=.925)),
    ("V2", "a small network loses more than a point", "vgg19_lr001", rounds(13, 13, end=.9)),
    ("V2", "no network is ahead early", "vgg19_lr001", rounds(1, test=.8)),
    ("V2", "the lead is kept", "vgg19_lr001", rounds(1, end=.96)),
    ("V3", "warmup adds nothing", "vgg19_warmup", rounds(0, 0, end=.925)),
    ("V3", "tickets end too soon", "vgg19_warmup", rounds(16, 16, end=.925)),
    ("V4", "tickets end too soon", "vgg19_warmup_layerwise", rounds(9, 9, end=.925)),
    ("V4", "tickets do not end", "vgg19_warmup_layerwise", rounds(12, end=.935)),
    ("V4", "global pruning is no better", "vgg19_warmup", rounds(15, 15, end=.92)),
    ("V5", "reinitialised networks are worse at once", "vgg19_lr01", rounds(4, 4, "reinit", end=.91)),
    ("V5", "reinitialised networks keep up", "vgg19_lr01", rounds(19, 19, "reinit", end=.925)),
    ("R1", "tickets are better than reinitialised", "resnet18_lr01", rounds(6, 99, "reinit", end=.8)),
    ("R1", "tickets are as good as dense", "resnet18_lr01", rounds(10, 10, end=.905)),
    ("R2", "tickets are far worse", "resnet18_lr001", rounds(1, end=.88)),
    ("R2", "tickets are as good as dense at 0.1", "resnet18_lr001", rounds(5, 5, end=.9051)),
    ("R2", "dense at 0.1 is far better", "resnet18_lr01", rounds(0, 0, end=.92)),
    ("R3", "the ticket is far worse", "resnet18_warmup", rounds(0, end=.89)),
    ("R3", "tickets end too soon", "resnet18_warmup", rounds(7, 7, end=.895)),
    ("R4-resnet18", "layer-wise is as good", "resnet18_warmup_layerwise", rounds(8, end=.95)),
    ("R4-margin", "the margin is larger", "resnet18_warmup_layerwise", rounds(8, end=.8)),
    ("R4-margin", "VGG-19 has none", "vgg19_warmup_layerwise", rounds(12, end=.95)),
    ("R5-resnet18", "0.03 has tickets", "resnet18_rates",
     lambda e, arm, n: {"validation": .92 if arm == "ticket" else .8} if rate(.03)(e, n) else {}),
    ("R5-vgg19", "0.1 has tickets", "vgg19_rates",
     lambda e, arm, n: {"validation": .92 if arm == "ticket" else .8} if rate(.1)(e, n) else {}),
    ("R6-resnet18", "warmup is of no use", "resnet18_warmups",
     lambda e, arm, n: {"validation": .9 - e.train.schedule.parameters["warmup"] / 1e6}),
    ("R6-resnet18", "most is gained late", "resnet18_warmups",
     lambda e, arm, n: {"validation": .8 + e.train.schedule.parameters["warmup"] / 1e6}),
    ("R6-vgg19", "the longest of those compared is the worst", "vgg19_warmups",
     where(lambda e, n: e.train.schedule.parameters["warmup"] == 20_000, validation=.88)),
]  # fmt: skip


def lacks(id, kind, last, missing, more=""):
    """A case on all three networks: their experiment is missing (None), or stops at a round."""
    return [(f"{id}-{net}", f"{net}_{kind}", last, missing.format(net=net), f"{net}_{kind}{more}")
            for net in CONV]  # fmt: skip


ITERATIVE = [
    (f"{id}-{net}", f"{net}_controls", None, f"no run of {net}_iterative with ticket", f"{net}_iterative")
    for id in ("C1", "C2", "C3", "C5", "C10", "B1") for net in CONV
]  # fmt: skip

LACKED = [
    *ITERATIVE,
    *lacks("C4", "controls", None, "no run of {net}_controls with ticket and reinit"),
    *lacks("C13", "controls", None, "with ticket and reinit and random"),
    *lacks("C5", "dropout", None, "no run of {net}_dropout with ticket"),
    *lacks("C9", "adam_rates", None, "no sweep of train.learning_rate by adam"),
    *lacks("C9", "adam_rates", 9, "rounds up to 10", " --prune.rounds 10"),
    *lacks("C10", "sgd_rates", None, "no sweep of train.learning_rate by sgd"),
    *lacks("C10", "momentum_rates", None, "no sweep of train.learning_rate by momentum"),
    *lacks("C12", "layers", None, "no sweep of prune.rates.conv"),
    *lacks("C12", "layers", 9, "rounds up to 10", " --prune.rounds 10"),
    *lacks("B1", "continued", None, "no run of {net}_continued with ticket and its curves"),
    ("C1-conv2", "conv2_controls", 13, "the run of conv2_iterative lacks rounds 14–15 of ticket",
     "conv2_controls --prune.rounds 15"),
    ("C2-conv4", "conv4_controls", 10, "rounds 11–13 of ticket", "conv4_controls --prune.rounds 13"),
    ("C3-conv6", "conv6_controls", 17, "rounds 18–19 of ticket", "conv6_controls --prune.rounds 19"),
    ("C4-conv2", "conv2_controls", 7, "round 14 of ticket and round 14 of reinit",
     "conv2_controls --arms.reinit 1 --prune.rounds 14"),
    ("C13-conv2", "conv2_controls", 11, "round 14 of reinit and round 14 of random",
     "conv2_controls --arms.reinit 1 --arms.random 1 --prune.rounds 14"),
    ("C5-conv4", "conv4_dropout", 15, "round 16 of ticket", "conv4_dropout --prune.rounds 16"),
    ("C6", "conv2_adam_rates", None, "no sweep of train.learning_rate by adam", "conv2_adam_rates"),
    ("C6", "conv2_adam_rates", 17, "rounds up to 18", "conv2_adam_rates --prune.rounds 18"),
    ("C7", "conv4_adam_rates", None, "no sweep of train.learning_rate by adam", "conv4_adam_rates"),
    ("C8", "conv6_adam_rates", None, "no sweep of train.learning_rate by adam", "conv6_adam_rates"),
    ("C11-conv2", "conv2_dropout_rates", None, "no sweep of train.learning_rate", "conv2_dropout_rates"),
    ("C11-conv4", "conv4_dropout", None, "no run of conv4_dropout with ticket", "conv4_dropout"),
    ("C11-conv6", "conv6_controls", None, "no run of conv6_iterative", "conv6_iterative"),
    ("X1", "controls", None, "no iterative run with ticket", "lenet_iterative"),
    ("X1", "controls", 7, "round 8 of ticket", "lenet_controls --prune.rounds 8"),
    ("V1 V5", "vgg19_lr01", None, "no run of vgg19_lr01 with ticket and reinit", "vgg19_lr01"),
    ("V1", "vgg19_lr01", 12, "round 15 of ticket and round 15 of reinit",
     "vgg19_lr01 --arms.reinit 1 --prune.rounds 15"),
    ("V2", "vgg19_lr001", None, "no run of vgg19_lr001 with ticket and its curves", "vgg19_lr001"),
    ("V3 V4 R4-margin", "vgg19_warmup", None, "no run of vgg19_warmup with ticket", "vgg19_warmup"),
    ("V3", "vgg19_lr01", None, "no run of vgg19_lr01 with ticket", "vgg19_lr01"),
    ("V3", "vgg19_warmup", 17, "rounds 18–19 of ticket", "vgg19_warmup --prune.rounds 19"),
    ("V4 R4-margin", "vgg19_warmup_layerwise", None, "no run of vgg19_warmup_layerwise",
     "vgg19_warmup_layerwise"),
    ("R1 R2", "resnet18_lr01", None, "no run of resnet18_lr01", "resnet18_lr01"),
    ("R2", "resnet18_lr001", None, "no run of resnet18_lr001", "resnet18_lr001"),
    ("R3 R4-resnet18", "resnet18_warmup", None, "no run of resnet18_warmup with ticket", "resnet18_warmup"),
    ("R3", "resnet18_warmup", 8, "rounds 9–10 of ticket", "resnet18_warmup --prune.rounds 10"),
    ("R5-resnet18", "resnet18_rates", None, "no sweep of train.learning_rate by momentum", "resnet18_rates"),
    ("R5-vgg19", "vgg19_rates", 12, "rounds up to 15 or their reinit", "vgg19_rates --prune.rounds 15"),
    ("R6-resnet18", "resnet18_warmups", None, "no sweep of train.schedule.warmup by momentum",
     "resnet18_warmups"),
    ("R6-vgg19", "vgg19_warmups", 12, "rounds up to 15", "vgg19_warmups --prune.rounds 15"),
]  # fmt: skip
"""Claims; the experiment that is missing (None) or stops at a round; what is missing; what would run it."""
