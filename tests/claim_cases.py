"""What each claim asks of the runs: how runs that are otherwise the paper's miss it, or lack it."""

import numpy as np

from tests.made_up import remaining
from tests.paper_runs import SPEED, lane

SHORT = {
    "stop": "early_stop_step", "test": "early_stop_test_accuracy", "validation": "validation",
    "begin": "initial_test_accuracy", "end": "final_test_accuracy", "train": "final_train_accuracy",
}  # fmt: skip
"""Columns by the names that they have below."""


def rounds(first, last=99, only="ticket", **change):
    """A change of an arm's lanes in some rounds."""
    return lambda experiment, arm, n: renamed(change) if arm == only and first <= n <= last else {}


def where(chosen, /, **change):
    """A change of the lanes of some rounds or of some points of a sweep."""
    return lambda experiment, arm, n: renamed(change) if chosen(experiment, n) else {}


def renamed(change):
    return {SHORT[name]: value for name, value in change.items()}


def rate(*values):
    return lambda experiment, n: experiment.train.learning_rate in values


MISSED = [
    ("L1", "the ticket of 51.3% is slower than dense", "controls", rounds(3, 3, stop=9000)),
    ("L1", "the ticket of 51.3% is as fast as that of 21.1%", "controls", rounds(3, 3, stop=4000)),
    ("L1", "the ticket of 51.3% is less accurate", "controls", rounds(3, 3, test=.979)),
    ("L2", "tickets stop no earlier than dense", "controls", rounds(1, stop=8000)),
    ("L2", "the ticket of 21.1% stops too early", "controls", rounds(7, 7, stop=3500)),
    ("L2", "a ticket on the way stops later than dense", "controls", rounds(4, 4, stop=8100)),
    ("L3", "the early stop is back too soon", "controls", rounds(12, stop=8100)),
    ("L3", "the early stop does not come back", "controls", rounds(9, stop=5000)),
    ("L4", "tickets are no more accurate", "controls", rounds(1, 14, test=.9801)),
    ("L4", "tickets are more accurate than is credible", "controls", rounds(7, 10, test=.987)),
    ("L4", "accuracy is back too soon", "controls", rounds(11, test=.979)),
    ("L4", "accuracy does not come back", "controls", rounds(11, test=.981)),
    ("L5", "tickets end no more accurate", "controls", rounds(1, end=.978)),
    ("L5", "tickets end far more accurate", "controls", rounds(7, 7, end=.99)),
    ("L5", "the dense network does not fit its training split", "controls", rounds(0, 0, train=.99)),
    ("L6", "tickets do not fit", "controls", rounds(17, 17, train=.99)),
    ("L6", "reinitialised tickets do not fit", "controls", rounds(12, 12, "reinit", train=.99)),
    ("L7", "reinitialised tickets stop as early as dense", "controls", rounds(7, 7, "reinit", stop=8000)),
    ("L7", "reinitialised tickets stop no later at r15", "controls", rounds(15, 15, "reinit", stop=9000)),
    ("L7", "reinitialised tickets keep dense's accuracy", "controls", rounds(9, 9, "reinit", test=.981)),
    ("L7", "winning tickets lose it as soon", "controls", rounds(9, 9, test=.979)),
    ("L8", "reinitialised tickets are as fast", "controls", rounds(7, 7, "reinit", stop=5000)),
    ("L8", "reinitialised tickets are as accurate", "controls", rounds(7, 7, "reinit", test=.983)),
    ("L9", "one-shot tickets stop later", "oneshot", where(lambda e, n: n, stop=9000)),
    ("L9", "one-shot tickets are less accurate", "oneshot", where(lambda e, n: n, test=.979)),
    ("L9", "small one-shot tickets are more accurate than iterative ones", "oneshot",
     where(lambda e, n: remaining(e, n) < 46_000, test=.99)),
    ("L9", "small one-shot tickets stop earlier than iterative ones", "oneshot",
     where(lambda e, n: remaining(e, n) < 46_000, stop=2000)),
    ("L10", "one of the middle rates is less accurate", "adam_rates", where(rate(8e-4), validation=.97)),
    ("L10", "1.2e-3 is slower than 8e-4", "adam_rates", where(rate(1.2e-3), stop=12000)),
    ("L10", "2.5e-5 reaches its lowest loss in good time", "adam_rates", where(rate(2.5e-5), stop=20000)),
    ("L10", "6.4e-3 gains nothing", "adam_rates", where(rate(6.4e-3), validation=.97)),
    ("L11", "SGD stops far later than Adam", "sgd_rates", where(rate(.8), stop=16000)),
    ("L11", "SGD's tickets do not last", "sgd_rates", where(lambda e, n: n > 16, validation=.97)),
    ("L11", "Adam's tickets last as long", "controls", rounds(1, validation=.98)),
    ("L12", "another rate is better", "momentum_rates", where(rate(.2), validation=.99)),
    ("L12", "another dense network is better", "momentum_rates",
     where(lambda e, n: n == 0 and e.train.learning_rate == .1, validation=.99)),
    ("L12", "pruning improves on 0.025", "momentum_rates",
     where(lambda e, n: n == 5 and e.train.learning_rate == .025, validation=.987)),
    ("L13", "40% a round is as accurate", "pruning_rates",
     where(lambda e, n: e.prune.rates.fc == .4, validation=.98)),
    ("L13", "coarse rates stop earlier", "pruning_rates",
     where(lambda e, n: e.prune.rates.fc > .3, stop=4000)),
    ("L14", "one width's tickets stop later", "init_scales",
     where(lambda e, n: e.model.init_std == .4 and n, stop=9000)),
    ("L14", "one width's tickets are less accurate", "init_scales",
     where(lambda e, n: e.model.init_std == .0125 and n, validation=.97)),
    ("L14", "0.1 is worse than Glorot", "init_scales",
     where(lambda e, n: e.model.init_std == .1, validation=.97)),
    ("L14", "0.1 is slower than Glorot", "init_scales",
     lambda e, arm, n: {"early_stop_step": round(16_000 * SPEED[n])} if e.model.init_std == .1 else {}),
    ("L15", "larger networks' tickets are no better", "sizes",
     lambda e, arm, n: lane(gain=.3 if n and remaining(e, n) > 12_000 else -.3 * (n > 0),
                            dense=99 - .5 * np.log10(e.model.widths[0]))),
    ("L15", "larger networks' tickets stop far later", "sizes",
     lambda e, arm, n: {"early_stop_step": 30 * e.model.widths[0]}),
    ("L15", "tickets last in proportion to their network", "sizes",
     where(lambda e, n: 0 < n < 5, validation=.99)),
    ("L16", "random sparsity is as good", "controls", rounds(0, only="random", end=.98)),
    ("L17", "those that stop late learn fast", "controls",
     where(lambda e, n: n in (0, 15, 18), begin=.969)),
    ("B1", "continued training's tickets are as accurate", "continued", rounds(9, validation=.99)),
    ("B1", "continued training's tickets stop as early", "continued", rounds(9, stop=4000)),
    ("E1", "tickets stop only 15% earlier", "mnist_5k", rounds(4, 4, stop=136)),
    ("E2", "tickets are less accurate", "mnist_5k", rounds(4, 4, test=.979)),
    ("E3", "reinitialised tickets stop when dense does", "mnist_5k", rounds(4, 4, "reinit", stop=160)),
    ("E4", "reinitialised tickets are as accurate as dense", "mnist_5k", rounds(4, 4, "reinit", test=.98)),
]  # fmt: skip

LACKED = [
    ("L1 L2 L3 L4 L5", "controls", None, "no iterative run with ticket", "lenet_iterative"),
    ("L2", "controls", 5, "rounds 6–7 of ticket", "lenet_controls --prune.rounds 7"),
    ("L3 L4", "controls", 15, "rounds 16–17 of ticket", "lenet_controls --prune.rounds 17"),
    ("L5", "controls", 14, "round 15 of ticket", "lenet_controls --prune.rounds 15"),
    ("L1", "controls", 3, "round 7 of ticket", "lenet_controls --prune.rounds 7"),
    ("L6 L7 L8", "controls", None, "ticket and reinit", "lenet_iterative --arms.reinit 3"),
    ("L16", "controls", None, "ticket and reinit and random",
     "lenet_iterative --arms.reinit 3 --arms.random 2"),
    ("L6", "controls", 7, "rounds 8–17 of ticket and round 12 of reinit",
     "lenet_controls --arms.reinit 1 --prune.rounds 17"),
    ("L7", "controls", 7, "rounds 8–14 of ticket and rounds 9, 15 of reinit",
     "lenet_controls --arms.reinit 1 --prune.rounds 15"),
    ("L8", "controls", 6, "round 7 of ticket and round 7 of reinit",
     "lenet_controls --arms.reinit 1 --prune.rounds 7"),
    ("L16", "controls", 9, "round 15 of reinit and round 15 of random",
     "lenet_controls --arms.reinit 1 --arms.random 1 --prune.rounds 15"),
    ("L17", "controls", 17, "round 18 of ticket", "lenet_controls --prune.rounds 18"),
    ("L17", "controls", None, "ticket and its curves", "lenet_iterative"),
    ("L9", "oneshot", None, "no oneshot run", "lenet_oneshot"),
    ("L9", "oneshot", 3, "sizes of 5.17%", "lenet_oneshot"),
    ("L9", "oneshot", 4, "sizes between the ends of its ranges", "lenet_oneshot"),
    ("L9", "controls", 9, "rounds 10–14 of ticket", "lenet_controls --prune.rounds 14"),
    ("L10", "adam_rates", None, "no sweep of train.learning_rate by adam", "lenet_adam_rates"),
    ("L10", "adam_rates", 9, "rounds up to 10", "lenet_adam_rates --prune.rounds 10"),
    ("L11", "sgd_rates", None, "no sweep of train.learning_rate by sgd", "lenet_sgd_rates"),
    ("L11", "sgd_rates", 18, "rounds up to 19", "lenet_sgd_rates --prune.rounds 19"),
    ("L12", "momentum_rates", None, "by momentum", "lenet_momentum_rates"),
    ("L13", "pruning_rates", None, "no sweep of prune.rates.fc", "lenet_pruning_rates"),
    ("L14", "init_scales", None, "no sweep of model.init_std", "lenet_init_scales"),
    ("L15", "sizes", None, "no sweep of model.widths", "lenet_sizes"),
    ("L15", "sizes", 20, "5,800 weights for (700, 233), (900, 300)", "lenet_sizes --prune.rounds 30"),
    ("B1", "continued", None, "no continued run", "lenet_continued"),
    ("B1", "continued", 12, "rounds 13–15 of ticket", "lenet_continued --prune.rounds 15"),
    ("E1 E2", "mnist_5k", None, "no run of mnist_5k with ticket", "mnist_5k"),
    ("E3 E4", "mnist_5k", None, "no run of mnist_5k with ticket and reinit", "mnist_5k"),
    ("E1", "mnist_5k", 3, "round 4 of ticket", "mnist_5k --prune.rounds 4"),
]  # fmt: skip
"""Claims; the experiment that is missing (None) or stops at a round; what is missing; what would run it."""
