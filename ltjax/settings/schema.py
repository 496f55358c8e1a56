"""The configuration of an experiment: frozen dataclasses whose defaults are the experiment ``digits``.

They train LeNet on scikit-learn's digits, which come with a package; every experiment in ``experiments/``
states what differs. A field's annotation states its bound and its role, where that is not the role of what it
lies in; the text under it is its help. ``settings.compatible`` says what makes two experiments one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeAlias

from ltjax.core.choices import Choice, chosen
from ltjax.core.keys import PINNED
from ltjax.settings.bounds import (
    AMOUNT,
    BELOW_1,
    MANY,
    NAME,
    NOT_NEGATIVE,
    PATH,
    POSITIVE,
    RATE_BY_PATH,
    ROUNDS,
    STEPS,
    TICKET,
    real,
    share,
    whole,
)
from ltjax.settings.fields import (
    ALL_POINTS,
    COMPUTE,
    GREATER,
    NUMERICS,
    PLACE,
    SHAPE,
    VALUE,
    Kind,
    Role,
    facts_of,
)

Keep: TypeAlias = Literal["all", "tickets", "masks"]
"""Whose trained params a run's folder keeps, from the most to the least."""


class _Choosing:
    """Settings among which are choices: a name, or an instance of what is registered, is made one."""

    def __post_init__(self) -> None:
        for name, facts in facts_of(type(self)).items():
            if facts.kind:
                object.__setattr__(self, name, chosen(facts.kind, getattr(self, name)))


@dataclass(frozen=True)
class Data(_Choosing):
    """The data set, where it lies, and what is held out of its training split."""

    name: Annotated[str, ALL_POINTS] = "digits"
    """Data set, by its name in the registry."""
    validation: Annotated[int, whole(1, MANY * 1000)] = 200
    """Examples of the training split held out, drawn by seed, to find the early-stop step."""
    dir: Annotated[str | None, PATH, PLACE] = None
    """Folder of prepared data sets; otherwise $TFDS_DATA_DIR, otherwise TFDS's own default."""
    raw: Annotated[str | None, PATH, PLACE] = None
    """Folder with the data set's original files, to prepare it from without a network."""
    augment: Annotated[Choice, Kind("augmentation")] = Choice("augmentation", "none")
    """What is done to training images at random, by its name in the registry."""


@dataclass(frozen=True)
class Model:
    """The network and how its weights begin."""

    name: str = "lenet"
    """Network, by its name in the registry."""
    widths: Annotated[tuple[int, ...], whole(1, MANY, values=100)] = (300, 100)
    """Units of each hidden fully-connected layer."""
    channels: Annotated[tuple[int, ...] | None, whole(1, MANY, values=100)] = None
    """Channels of each stage of convolutions; by default the network's own."""
    dropout: Annotated[float, BELOW_1] = 0.0
    """Share of the units of each hidden fully-connected layer that a training step leaves out."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """What layers compute in; params, masks and the optimizer stay float32."""
    init: Annotated[str, VALUE] = "glorot_normal"
    """Initializer of the kernels (from jax.nn.initializers); biases begin at 0."""
    init_std: Annotated[float | None, POSITIVE, VALUE] = None
    """Draws all kernels from N(0, init_std²), in place of what init says."""
    start: Annotated[str | None, PATH, VALUE] = None
    """Safetensors file of params that trials begin with; {trial} in it is replaced by the trial's number."""


@dataclass(frozen=True)
class Train(_Choosing):
    """How one lane is trained, and when it is evaluated."""

    steps: Annotated[int, whole(1, STEPS)] = 1500
    """Optimizer updates of every lane in every round."""
    batch: Annotated[int, whole(1, MANY * 1000)] = 60
    """Examples per update."""
    optimizer: Annotated[Choice, Kind("optimizer")] = Choice("optimizer", "adam")
    """Optimizer, by its name in the registry."""
    learning_rate: Annotated[float, POSITIVE, VALUE] = 1.2e-3
    """Step size of the optimizer; the schedule says how it goes from step to step."""
    weight_decay: Annotated[float, NOT_NEGATIVE] = 0.0
    """L2 penalty: this much of every param is added to its gradient."""
    schedule: Annotated[Choice, Kind("rate schedule")] = Choice("rate schedule", "constant")
    """Rate schedule: how the learning rate goes from step to step, by its name in the registry."""
    repeat: tuple[Literal["order", "augmentation", "dropout"], ...] = ("order", "augmentation", "dropout")
    """Draws in which the repeats of an arm differ; the others are those of its first repeat."""
    redraw: bool = True
    """Whether the repeats of an arm also differ in what the arm draws: fresh params, masks, new places."""
    evaluate_every: Annotated[int, whole(1, STEPS)] = 20
    """Steps between two evaluations of the whole validation and test splits; step 0 is one too."""
    evaluate_batch: Annotated[int, whole(1, MANY * 1000)] = 1000
    """Examples per batch of an evaluation; smaller ones need less memory."""
    train_curve: Literal["running", "exact"] = "running"
    """Train curve: mean over the minibatches since the last evaluation (free), or the whole split."""


Rate: TypeAlias = Annotated[float | None, share(hint="; None leaves these layers unpruned")]


@dataclass(frozen=True)
class Rates:
    """Fraction of a layer's surviving weights that a round removes; None never prunes it."""

    conv: Rate = 0.1
    """Of convolutions."""
    fc: Rate = 0.2
    """Of fully-connected layers."""
    output: Rate = 0.1
    """Of the output layer (half of fc's in the paper)."""
    attention: Rate = 0.2
    """Of attention's projections."""
    recurrent: Rate = 0.2
    """Of recurrent layers."""
    embedding: Rate = None
    """Of embeddings."""
    shortcut: Rate = None
    """Of layers called shortcut, which make a residual stream fit (left whole in the paper)."""


@dataclass(frozen=True)
class Prune(_Choosing):
    """What a round removes."""

    rounds: Annotated[int, whole(0, ROUNDS), GREATER] = 10
    """Rounds after the dense one: 10 trains rounds 0 to 10."""
    rates: Rates = Rates()
    rate_by_path: Annotated[tuple[str, ...], RATE_BY_PATH] = ()
    """Rates of layers by path, before those by kind: 'encoder/*=0.1' 'embed/*=None'; first match wins."""
    output: str | None = None
    """Path of the output layer; by default the one called output, else the last that is called."""
    criterion: Annotated[Choice, Kind("criterion")] = Choice("criterion", "magnitude")
    """What ranks the weights, by its name in the registry; the lowest are removed."""
    structure: Annotated[Choice, Kind("structure")] = Choice("structure", "layer")
    """Among which weights the lowest are looked for, by its name in the registry."""
    densities: Annotated[Choice, Kind("densities")] = Choice("densities", "rates")
    """How what a round keeps lies over the layers, by its name in the registry."""
    schedule: Annotated[Choice, Kind("schedule")] = Choice("schedule", "iterative")
    """Whose weights are ranked before each round, by its name in the registry."""
    rewind: Annotated[Choice, Kind("rewinding")] = Choice("rewinding", "original")
    """What survivors are reset to before they train again, by its name in the registry."""


@dataclass(frozen=True)
class Numerics:
    """What changes a run's bits and not what it finds; resolved when a run begins, and kept with it."""

    convolution: Literal["auto", "direct", "winograd"] = "auto"
    """Sums of products, or Winograd's fewer products where they are faster; auto: winograd on CPU."""
    random_numbers: Annotated[str, SHAPE] = PINNED
    """How JAX draws random numbers; ltjax has one way."""
    x64: bool | None = None
    """Whether JAX has 64-bit numbers (JAX_ENABLE_X64); None: as it is where the run begins."""


@dataclass(frozen=True)
class Compute:
    """How the work is laid out on the devices; the same experiment whatever is chosen here."""

    devices: Annotated[int | None, whole(1, MANY)] = None
    """Devices of each process to use; by default all of them, and on CPU one per core."""
    data: Annotated[int, whole(1, MANY)] = 1
    """Devices among which each lane's batches are split, where a network or batch is too large for one."""
    batching: Literal["auto", "map", "vmap", "unrolled"] = "auto"
    """Lanes of one device: in a loop (map; auto on CPU), each written out (unrolled), or together (vmap)."""
    convolution: Literal["auto", "grouped", "unrolled", "loop"] = "auto"
    """How vmapped lanes convolve: as one grouped convolution, lane by lane written out, or in a loop."""
    lanes: Annotated[int | None, whole(1, MANY)] = None
    """Lanes trained at once; by default as many as the devices' memory holds."""
    memory: Annotated[float | None, AMOUNT] = None
    """GiB that training may use of each device; by default nearly all it has."""
    snapshot_minutes: Annotated[float, AMOUNT] = 5.0
    """Minutes between snapshots within a round, from which a killed run continues."""
    keep: Keep = "tickets"
    """Whose trained params the run's folder keeps: every lane's, the tickets' or nobody's; also --keep."""


def _arms(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    """The arms of both, each with the more repeats."""
    return {arm: max(one.get(arm, 0), other.get(arm, 0)) for arm in {**one, **other}}


def _union(one: tuple[int, ...] | None, other: tuple[int, ...] | None) -> tuple[int, ...] | None:
    """The rounds of both; None are all."""
    return None if one is None or other is None else tuple(sorted({*one, *other}))


def _points(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
    """The points of both sweeps, those of the first one first."""
    if not one:
        return {}
    rows = list(zip(*one.values(), strict=True))
    rows += [row for row in zip(*(other[name] for name in one), strict=True) if row not in rows]
    return dict(zip(one, zip(*rows, strict=True), strict=True))


OF_DATA = ("classification", "regression")
"""The tasks that are of the data set and the network which ``data`` and ``model`` name."""


def _both(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    """The names of both, those of the first ones first."""
    return tuple(dict.fromkeys((*one, *other)))


REPEATS = Role("extent", grow=_arms)
NAMES = Role("extent", grow=_both)
CONTROLS = Role(
    "extent", grow=_union,
    heard=lambda experiment: any(count for arm, count in experiment.arms.items() if arm != "ticket"),
)  # fmt: skip
POINTS = Role(
    "extent", grow=_points, fits=lambda one, other: list(one) == list(other),  # whose order names the points
    told=lambda sweep: " and ".join(sweep) or "nothing",
)  # fmt: skip


@dataclass(frozen=True)
class Experiment(_Choosing):
    """One lottery-ticket experiment, whole."""

    name: Annotated[str, NAME, PLACE] = "digits"
    """Name; results go to runs/NAME unless --workdir says otherwise."""
    trials: Annotated[int, whole(1, 10_000), GREATER] = 5
    """Random initialisations, each with its own tickets and controls."""
    seed: Annotated[int, real(lambda value: 0 <= value < 2**32, f"must lie between 0 and {2**32 - 1}")] = 0
    """The one seed from which every random number of the experiment follows."""
    arms: Annotated[dict[str, int], whole(0, 10_000), REPEATS, ALL_POINTS] = field(
        default_factory=lambda: {"ticket": 1}
    )
    """What is trained in each round, and its repeats per trial; 0 switches an arm off."""
    control_rounds: Annotated[
        tuple[int, ...] | None,
        real(lambda value: value <= ROUNDS, f"must be rounds up to {ROUNDS}", values=ROUNDS + 1),
        CONTROLS,
    ] = None
    """Rounds in which the arms that are no tickets are trained; by default all."""
    ticket: Annotated[str | None, TICKET, VALUE] = None
    """RUN:ROUND, whose tickets' masks round 0 has in place of the dense network, trial by trial."""
    sweep: Annotated[dict[str, tuple[Any, ...]], POINTS, ALL_POINTS] = field(default_factory=dict)
    """Settings that vary, by dotted name; the i-th point has the i-th value of each."""
    task: Annotated[Choice, Kind("task"), SHAPE, ALL_POINTS] = Choice("task", "classification")
    """What is learned, by its name in the registry."""
    loss: Annotated[Choice, Kind("loss"), SHAPE] = Choice("loss", "auto")
    """What training minimises, by its name in the registry; auto: the task's own."""
    metric: Annotated[Choice, Kind("metric"), SHAPE] = Choice("metric", "auto")
    """What tables and figures show beside the loss, by its name in the registry; auto: the task's own."""
    evolve: Annotated[Choice, Kind("evolve"), SHAPE] = Choice("evolve", "none")
    """How masks change while lanes train, by its name in the registry."""
    scheme: Annotated[Choice, Kind("scheme"), SHAPE] = Choice("scheme", "weights")
    """What is trained, the weights or a mask over weights that stay, by its name in the registry."""
    analyses: Annotated[tuple[str, ...], NAMES, ALL_POINTS] = ()
    """Analyses, by their names in the registry, that are made of each round before params are dropped."""
    data: Annotated[Data, SHAPE] = field(default_factory=Data)
    model: Annotated[Model, SHAPE] = field(default_factory=Model)
    train: Annotated[Train, SHAPE] = field(default_factory=Train)
    prune: Annotated[Prune, VALUE] = field(default_factory=Prune)
    numerics: Annotated[Numerics, NUMERICS] = field(default_factory=Numerics)
    compute: Annotated[Compute, COMPUTE] = field(default_factory=Compute)

    @property
    def trains_weights(self) -> bool:
        """Whether weights are trained, and not what a scheme has in their place."""
        return self.scheme.name == "weights"

    @property
    def subject(self) -> str:
        """What is learned, and by which network, in a few words."""
        if self.task.name in OF_DATA:
            return f"{self.model.name} on {self.data.name}"
        return f"the task {self.task.name}"
