"""The paper's facts, in one table: what its figures show and its text says, network by network.

Each is told with where it is in the paper. Figures and claims read their numbers here; what a claim tolerates
is not the paper's and stands with the claim. ``r7`` is round 7.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class Axes(NamedTuple):
    """What a figure has on its axes: its range of accuracies (or losses), and the percentages it marks."""

    window: tuple[float, float]
    percent: tuple[float, ...] = ()
    until: int = 0
    """The last step, of figures against steps."""


AXES = {
    "1, LeNet": Axes((0.9, 1.0), (100, 41.1, 16.9, 7.0, 2.9, 1.2, 0.5, 0.2)),
    "1, Conv": Axes((0.6, 0.85), (100, 41.1, 16.9, 7.0, 2.9, 1.2, 0.5, 0.2)),
    "3": Axes((0.94, 0.99), until=15_000),
    "4c": Axes((0.941, 0.99), (100, 87.5, 75.0, 62.6, 50.1, 37.6, 25.1, 12.7)),
    "5": Axes((0.6, 0.85)),
    "6": Axes((0.65, 0.85)),
    "7": Axes((0.80, 0.94)),
    "11": Axes((0.0, 0.2), until=25_000),
}
"""By figure."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Network:
    """What is there for every network (Figure 2)."""

    key: str
    """Its name as a model, and the beginning of its experiments' names."""
    name: str
    """What a reader calls it."""
    experiment: str
    """The named experiment that most of its claims are judged from."""
    steps: int
    """Updates of a training (Figure 2)."""
    dropout_steps: int | None = None
    """Updates of a training with dropout (Appendix H.5); None where the paper has none."""
    every: int | None = None
    """Rounds from one tick to the next on its axes of percentages; None: ``plots.layout.TICKS``."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LeNet(Network):
    """LeNet-300-100 on MNIST (section 2, Appendices B to G)."""

    kinds: Mapping[str, str] = field(default_factory=lambda: {
        "iterative": "lenet_iterative", "oneshot": "lenet_oneshot", "continued": "lenet_continued",
        "step0": "lenet_step0",
    })  # fmt: skip
    """The named experiment of each kind of run."""
    sgd: str = "lenet_sgd"
    """The named experiment by plain SGD (Appendix F)."""
    repeats: Mapping[str, int] = field(default_factory=lambda: {"reinit": 3, "random": 2})
    """Repeats of controls for a trial (section 2: three reinitialisations), as experiments have them."""
    percent: Mapping[int, float] = field(default_factory=lambda: {
        3: 51.3, 7: 21.1, 9: 13.5, 15: 3.6, 16: 2.9,
    })  # fmt: skip
    """Percent remaining in rounds that the text speaks of (section 2)."""
    sizes: Mapping[int, float] = field(default_factory=lambda: {
        0: 100.0, 3: 51.3, 7: 21.1, 12: 7.0, 15: 3.6, 18: 1.9,
    })  # fmt: skip
    """The sizes that Figures 3 and 11 draw, by round."""
    at_most: int = 8
    """The first round of at most 20% of the weights (abstract: tickets of 10 to 20%)."""
    earlier: int = 38
    """Percent earlier than dense at 21.1% (Figure 4a)."""
    rises: float = 0.3
    """Points above dense on test at 13.5%, at least (Figure 4a)."""
    generalises: float = 0.35
    """Points above dense on test at the end, at most (Figure 4b)."""
    fits: tuple[int, int] = (5, 2)
    """Percent down to which all networks, and iterative tickets, fit their training split (Figure 12)."""
    sooner_than_reinit: float = 2.51
    """Times sooner than reinitialised at 21.1% (Figure 4a)."""
    above_reinit: float = 0.5
    """Points above reinitialised on test at 21.1% (Figure 4a)."""
    oneshot_earlier: tuple[float, float] = (67.5, 17.6)
    """Percent remaining between which one-shot tickets stop earlier than dense (Figure 4c)."""
    oneshot_better: tuple[float, float] = (95.0, 5.17)
    """Percent remaining between which they are more accurate (Figure 4c)."""
    looked_into: tuple[int, ...] = (0, 4, 8, 12)
    """Rounds looked into: 100, 41.05, 16.88 and 6.95% remaining (Figures 15, 16 and 21 to 24)."""
    noise: tuple[str, ...] = ("noise_0.5", "noise", "noise_2", "noise_3")
    """Arms whose initial weights have noise added, of 0.5, 1, 2 and 3 standard deviations (Figure 25)."""
    adam_alike: tuple[float, ...] = (2e-4, 8e-4, 1.2e-3, 2e-3)
    """Learning rates by Adam of similar accuracy; the last two learn fastest (Figure 26)."""
    adam_short: tuple[float, float] = (2.5e-5, 6.4e-3)
    """The least and the greatest, which do not reach their lowest validation loss (Figure 26)."""
    sgd_rates: tuple[float, float] = (0.4, 0.8)
    """Learning rates by SGD that stop about as early as Adam at its best (Figure 27)."""
    momentum_best: tuple[float, ...] = (0.025, 0.05, 0.1)
    """The best learning rates with momentum; the first has the most accurate dense network (Figure 28)."""
    gentle: tuple[float, ...] = (0.1, 0.2)
    """Shares pruned in a round that beat the others (Figure 29)."""
    momentum_rates: tuple[float, ...] = (0.003125, 0.0125, 0.025, 0.05, 0.1, 0.2, 0.4)
    """Learning rates with momentum 0.9 (Figure 28)."""
    pruning_rates: tuple[float, ...] = (0.1, 0.2, 0.4, 0.6, 0.8)
    """Shares pruned in a round (Figure 29)."""
    init_stds: tuple[float | None, ...] = (0.0125, 0.025, 0.05, 0.1, 0.2, 0.4, None)
    """Widths of the initial Gaussian, and None for Glorot's (Figure 30)."""
    weights_back: tuple[int, int] = (9_000, 15_000)
    """Weights at which every size is back at its own dense accuracy (Figure 31)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Conv(Network):
    """Conv-2, Conv-4 or Conv-6 on CIFAR-10 (section 3, Appendices B, E and H).

    Rounds stand for the paper's sizes. Conv-6 is matched by round alone: the paper's own sizes fit no network
    of the shape that it describes, so ours have up to half a point more weights left.
    """

    every: int | None = 3
    speed: float
    """Times sooner than dense at best, in the round ``fast`` (Figure 5)."""
    fast: int
    fast_size: str
    gain: float
    """Points above dense at best, in the round ``high`` (Figure 5)."""
    high: int
    high_size: str
    above: int
    """The last round of more than 2% remaining: until there tickets are above dense (Figure 13)."""
    small: int
    """The round nearest to 4.5% remaining: small, and still above dense (Figure 5)."""
    at_most: int
    """The first round of at most 20% of the weights (abstract: tickets of 10 to 20%)."""
    dropout: float
    """Points that dropout adds to the dense network (Figure 6)."""
    more: float
    """Points that pruning adds to those (Figure 6)."""
    steady: bool
    """Whether reinitialised tickets are at first as accurate as dense (Figure 5)."""
    adam_accuracies: Mapping[float, tuple[float, float]]
    """By Adam's rate: validation accuracy of the dense network and of the best ticket (Appendix H.2)."""
    adam_speeds: Mapping[float, float]
    """By Adam's rate: times sooner than dense at best (Appendix H.2)."""
    adam_best: int
    """The latest round of those bests (Appendix H.2)."""
    high_rates: tuple[float, float, float] = (2e-4, 3e-4, 8e-4)
    """Two of Adam's rates at which the pattern is there, and the highest, at which it is not (Figure 32)."""
    dropout_validation: tuple[float, float, str, float] | None = None
    """On validation (Appendix H.5): points that dropout adds, and pruning to that; the best ticket; times
    sooner at best. None where the paper gives no numbers."""

    @property
    def until(self) -> int:
        """The last round judged of those above 2%: two rounds before, where means cross a level slowly."""
        return self.above - 2


@dataclass(frozen=True, kw_only=True, eq=False)
class Deep(Network):
    """VGG-19 or Resnet-18 on CIFAR-10 (section 4, Appendix I)."""

    percent: Mapping[int, float]
    """Percent remaining in rounds that the text speaks of."""
    moments: tuple[int, ...]
    """Steps of training after which test accuracy is shown (Figures 7 and 8)."""
    last: int
    """The last round of winning tickets with warmup, pruned globally (Figures 7 and 8)."""
    shown: tuple[int, int, int]
    """Rounds small enough for tickets to matter, at which rates and warmups are compared."""
    sparse: tuple[int, int, int]
    """Rounds from where layer-wise tickets end to win, at which both scopes are compared (Appendix I.1)."""
    warmup: int
    """Steps of warmup (section 4)."""
    rates_figure: str
    """Appendix I.4."""
    warmups_figure: str
    """Appendix I.5."""

    @property
    def fractions(self) -> tuple[float, ...]:
        """The shares of training after which the paper shows test accuracy."""
        return tuple(step / self.steps for step in self.moments)


LENET = LeNet(key="lenet", name="LeNet", experiment="lenet_controls", steps=50_000)

CONV2 = Conv(
    key="conv2", name="Conv-2", experiment="conv2_controls", steps=20_000, dropout_steps=60_000,
    speed=3.5, fast=11, fast_size="8.8%", gain=3.4, high=14, high_size="4.6%",
    above=17, small=14, at_most=8, dropout=2.1, more=2.3, steady=True,
    adam_accuracies={2e-4: (67.6, 70.9), 4e-4: (65.2, 71.7)}, adam_speeds={2e-4: 4.8}, adam_best=16,
)  # fmt: skip

CONV4 = Conv(
    key="conv4", name="Conv-4", experiment="conv4_controls", steps=25_000, dropout_steps=75_000,
    speed=3.5, fast=12, fast_size="9.2%", gain=3.5, high=11, high_size="11.1%",
    above=20, small=16, at_most=8, dropout=3.0, more=4.6, steady=True,
    adam_accuracies={3e-4: (74.9, 78.6), 4e-4: (75.5, 79.1)}, adam_speeds={3e-4: 4.27, 2e-4: 5.1},
    adam_best=15, dropout_validation=(2.7, 5.0, "82.6% at 7.6% (r13)", 1.58),
)  # fmt: skip

CONV6 = Conv(
    key="conv6", name="Conv-6", experiment="conv6_controls", steps=30_000, dropout_steps=90_000,
    speed=2.5, fast=10, fast_size="15.1%", gain=3.3, high=7, high_size="26.4%",
    above=21, small=17, at_most=9, dropout=2.4, more=4.7, steady=False,
    adam_accuracies={3e-4: (79.1, 81.5), 4e-4: (79.2, 81.9)}, adam_speeds={3e-4: 2.61, 2e-4: 6.26},
    adam_best=17, dropout_validation=(2.2, 3.5, "84.8% at 10.5% (r12)", 1.5),
)  # fmt: skip

VGG19 = Deep(
    key="vgg19", name="VGG-19", experiment="vgg19_warmup", steps=112_480, every=4,
    percent={12: 6.9, 15: 3.5, 19: 1.5}, moments=(30_000, 60_000, 112_000), last=19,
    shown=(8, 12, 15), sparse=(12, 15, 19), warmup=10_000, rates_figure="43", warmups_figure="45",
)  # fmt: skip

RESNET18 = Deep(
    key="resnet18", name="Resnet-18", experiment="resnet18_warmup", steps=30_000, every=2,
    percent={4: 41.7, 6: 27.1, 7: 21.9, 10: 11.8}, moments=(10_000, 20_000, 30_000), last=10,
    shown=(6, 8, 10), sparse=(8, 10, 12), warmup=20_000, rates_figure="42", warmups_figure="44",
)  # fmt: skip

LOW_RATE_BEST = 89.5
"""Percent on test of Resnet-18's best tickets at learning rate 0.01 (Figure 8)."""

HIGH_RATE_DENSE = 90.5
"""Percent on test of Resnet-18's dense network at 0.1, and of its ticket of 27.1% with warmup (Figure 8)."""

CONVS = (CONV2, CONV4, CONV6)
DEEP = (RESNET18, VGG19)
NETWORKS: Mapping[str, Network] = {each.key: each for each in (LENET, *CONVS, VGG19, RESNET18)}
"""By key, in the order of the paper's sections."""

WAYS = ("lr01", "lr001", "warmup")
"""How VGG-19 and Resnet-18 are trained, as experiments' names end: rates 0.1 and 0.01, and with warmup."""
