"""The configuration of an experiment: frozen dataclasses whose defaults are the experiment ``digits``.

They train LeNet on scikit-learn's digits, which come with a package; every experiment in ``experiments/``
states what differs. ``settings.compatible`` says what makes two experiments one.
"""

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from ltjax.core.keys import PINNED

Keep: TypeAlias = Literal["all", "tickets", "masks"]
"""Whose trained params a run's folder keeps, from the most to the least."""


@dataclass(frozen=True)
class Data:
    """The data set, where it lies, and what is held out of its training split."""

    name: str = "digits"
    """Data set, by its name in the registry."""
    validation: int = 200
    """Examples of the training split held out, drawn by seed, to find the early-stop step."""
    dir: str | None = None
    """Folder of prepared data sets; otherwise $TFDS_DATA_DIR, otherwise TFDS's own default."""
    raw: str | None = None
    """Folder with the data set's original files, to prepare it from without a network."""
    augment: str = "none"
    """What is done to training images at random, by its name in the registry."""


@dataclass(frozen=True)
class Model:
    """The network and how its weights begin."""

    name: str = "lenet"
    """Network, by its name in the registry."""
    widths: tuple[int, ...] = (300, 100)
    """Units of each hidden fully-connected layer."""
    channels: tuple[int, ...] | None = None
    """Channels of each stage of convolutions; by default the network's own."""
    dropout: float = 0.0
    """Share of the units of each hidden fully-connected layer that a training step leaves out."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """What layers compute in; params, masks and the optimizer stay float32."""
    init: str = "glorot_normal"
    """Initializer of the kernels (from jax.nn.initializers); biases begin at 0."""
    init_std: float | None = None
    """Draws all kernels from N(0, init_std²), in place of what init says."""
    start: str | None = None
    """Safetensors file of params that trials begin with; {trial} in it is replaced by the trial's number."""


@dataclass(frozen=True)
class Train:
    """How one lane is trained, and when it is evaluated."""

    steps: int = 1500
    """Optimizer updates of every lane in every round."""
    batch: int = 60
    """Examples per update."""
    optimizer: str = "adam"
    """Optimizer, by its name in the registry."""
    learning_rate: float = 1.2e-3
    """Step size of the optimizer."""
    momentum: float = 0.9
    """Momentum, for the optimizer of that name."""
    weight_decay: float = 0.0
    """L2 penalty: this much of every param is added to its gradient."""
    warmup: int = 0
    """Steps over which the learning rate first rises from 0, linearly."""
    drops: tuple[int, ...] = ()
    """Steps from which on the learning rate is a tenth of what it was before."""
    evaluate_every: int = 20
    """Steps between two evaluations of the whole validation and test splits; step 0 is one too."""
    evaluate_batch: int = 1000
    """Examples per batch of an evaluation; smaller ones need less memory."""
    repeat: tuple[Literal["order", "augmentation", "dropout"], ...] = ("order", "augmentation", "dropout")
    """Draws in which the repeats of an arm differ; the others are those of its first repeat."""
    train_curve: Literal["running", "exact"] = "running"
    """Train curve: mean over the minibatches since the last evaluation (free), or the whole split."""


@dataclass(frozen=True)
class Rates:
    """Fraction of a layer's surviving weights that a round removes; None never prunes it."""

    conv: float | None = 0.1
    """Of convolutions."""
    fc: float | None = 0.2
    """Of fully-connected layers."""
    output: float | None = 0.1
    """Of the output layer (half of fc's in the paper)."""


@dataclass(frozen=True)
class Prune:
    """What a round removes."""

    rounds: int = 10
    """Rounds after the dense one: 10 trains rounds 0 to 10."""
    rates: Rates = Rates()
    scope: Literal["layer", "global"] = "layer"
    """Rank weights within each layer, or all prunable layers together (their rates must agree)."""
    score: str = "magnitude"
    """What ranks the weights, by its name in the registry; the lowest are removed."""
    schedule: str = "iterative"
    """Whose weights are ranked before each round, by its name in the registry."""
    fractions: tuple[float, ...] = ()
    """For schedule oneshot: the fc rate of rounds 1, 2, … by which the dense network is pruned at once."""


@dataclass(frozen=True)
class Numerics:
    """What changes a run's bits and not what it finds; resolved when a run begins, and kept with it."""

    convolution: Literal["auto", "direct", "winograd"] = "auto"
    """Sums of products, or Winograd's fewer products where they are faster; auto: winograd on CPU."""
    random_numbers: str = PINNED
    """How JAX draws random numbers; ltjax has one way."""
    x64: bool | None = None
    """Whether JAX has 64-bit numbers (JAX_ENABLE_X64); None: as it is where the run begins."""


@dataclass(frozen=True)
class Compute:
    """How the work is laid out on the devices; the same experiment whatever is chosen here."""

    devices: int | None = None
    """Devices of each process to use; by default all of them, and on CPU one per core."""
    data: int = 1
    """Devices among which each lane's batches are split, where a network or batch is too large for one."""
    batching: Literal["auto", "map", "vmap", "unrolled"] = "auto"
    """Lanes of one device: in a loop (map; auto on CPU), each written out (unrolled), or together (vmap)."""
    convolution: Literal["auto", "grouped", "unrolled", "loop"] = "auto"
    """How vmapped lanes convolve: as one grouped convolution, lane by lane written out, or in a loop."""
    lanes: int | None = None
    """Lanes trained at once; by default as many as the devices' memory holds."""
    memory: float | None = None
    """GiB that training may use of each device; by default nearly all it has."""
    snapshot_minutes: float = 5.0
    """Minutes between snapshots within a round, from which a killed run continues."""
    keep: Keep = "tickets"
    """Whose trained params the run's folder keeps: every lane's, the tickets' or nobody's; also --keep."""


@dataclass(frozen=True)
class Experiment:
    """One lottery-ticket experiment, whole."""

    name: str = "digits"
    """Name; results go to runs/NAME unless --workdir says otherwise."""
    trials: int = 5
    """Random initialisations, each with its own tickets and controls."""
    seed: int = 0
    """The one seed from which every random number of the experiment follows."""
    arms: dict[str, int] = field(default_factory=lambda: {"ticket": 1})
    """What is trained in each round, and its repeats per trial; 0 switches an arm off."""
    control_rounds: tuple[int, ...] | None = None
    """Rounds in which the arms that are no tickets are trained; by default all."""
    sweep: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    """Settings that vary, by dotted name; the i-th point has the i-th value of each."""
    data: Data = Data()
    model: Model = Model()
    train: Train = Train()
    prune: Prune = Prune()
    numerics: Numerics = Numerics()
    compute: Compute = Compute()
