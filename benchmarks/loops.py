"""The loops that the benchmarks time: ltjax's lanes, PyTorch's, and the machine's product."""

import importlib.util
import itertools
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ltjax import Compute, Dataset, Experiment
from ltjax.core.keys import named_key
from ltjax.data import DATASETS, Splits, split
from ltjax.lanes import program as lanes_module
from ltjax.lanes.program import LaneProgram
from ltjax.models import Network, make_network
from ltjax.models.convolution import form_here
from ltjax.sparsity import masks
from ltjax.training.step import LaneStart, Training, course_of
from ltjax.training.task import Task
from ltjax.training.tasks import task_of

LANES = (1, 5, 15)
LAYOUT_LANES = 5
SIDE = 2048
PRODUCTS = 8
CLASSES = 10
TINY = 60
BEGAN = time.monotonic()

Burst = Callable[[int], None]
"""Trains so many intervals more, and returns when they are done."""


class Sizes(NamedTuple):
    """Examples of each split."""

    train: int
    validation: int
    test: int


class Contestant(NamedTuple):
    """One loop that is timed; ``compile_seconds`` is None where nothing is compiled."""

    name: str
    lanes: int
    devices: int
    evaluated: bool
    burst: Burst
    compile_seconds: float | None = None


class Measured(NamedTuple):
    """Trial-steps/s per contestant [repeats], and GFLOP/s of the products [repeats][products]."""

    rates: Mapping[Contestant, list[float]]
    products: list[list[float]]


class Bench(NamedTuple):
    """What all loops share: the experiment, its task, and the data with and without an evaluation."""

    experiment: Experiment
    task: Task
    data: Mapping[bool, Splits]


class LaneLoop:
    """The loop of ``LaneProgram.run``, cut into bursts so that others can take turns with it.

    Args:
        bench: what is trained.
        evaluated: whether an interval ends with an evaluation.
        compute: devices and batching.
        lanes: how many lanes.
    """

    def __init__(self, bench: Bench, evaluated: bool, compute: Compute, lanes: int) -> None:
        splits, train = bench.data[evaluated], bench.experiment.train
        augment = bench.experiment.data.augment.make()
        training = Training(bench.task, train, splits.train.size, augment)
        self.program = program = LaneProgram(training, splits, train, compute, lanes)
        self.every, self.step = train.evaluate_every, 0
        self.real, start = program._place(lane_starts(bench, lanes))
        self.course = start.course
        began = time.perf_counter()
        self.state, _ = program._call("begin", self.real, start, np.int32(0))
        interval = program._program("interval", *self.arguments(), length=self.every)
        self.compile_seconds = time.perf_counter() - began
        self.bytes = lanes_module._bytes(interval.memory_analysis())
        self.tallies: Any = None

    def __call__(self, intervals: int) -> None:
        """Train that many intervals; tallies are fetched one interval late, as in ``run``."""
        for _ in range(intervals):
            self.state, upcoming = self.program._call("interval", *self.arguments(), length=self.every)
            jax.device_get(self.tallies)
            self.tallies, self.step = upcoming, self.step + self.every
        jax.block_until_ready((self.state, self.tallies))

    def arguments(self) -> tuple[Any, ...]:
        """What the next interval is given."""
        return self.real, self.state, self.course, self.program.splits, np.int32(self.step)


def lane_starts(bench: Bench, lanes: int) -> list[LaneStart]:
    """Dense lanes, each of its own trial, as in round 0; a mask's values do not change the work."""
    starts = []
    for trial in range(lanes):
        params, collections = jax.device_get(bench.task.network.init(named_key(0, "init", trial)))
        key = named_key(0, "train", trial, 0, "ticket", 0)
        starts.append(LaneStart(params, collections, masks.dense(params), course_of(key)))
    return starts


def made_up(sizes: Sizes, image: tuple[int, ...]) -> Dataset:
    """Random images, of which as in MNIST a fifth of the pixels is not 0."""
    random = np.random.default_rng(0)

    def images(count: int) -> np.ndarray:
        shape = (count, *image)
        inked = random.integers(0, 5, shape, np.uint8) == 0
        return random.integers(0, 256, shape, np.uint8) * inked

    def labels(count: int) -> np.ndarray:
        return random.integers(0, CLASSES, count)

    total = sizes.train + sizes.validation
    return Dataset(images(total), labels(total), images(sizes.test), labels(sizes.test), CLASSES)


def make_bench(sizes: Sizes, experiment: Experiment) -> Bench:
    """An experiment on made-up data; without an evaluation, the held-out splits are tiny."""
    image = DATASETS[experiment.data.name].inputs.shape
    with_splits = split(made_up(sizes, image), sizes.validation, seed=0)
    tiny = Splits(
        with_splits.train,
        *(part.take(jnp.arange(min(TINY, part.size))) for part in with_splits[1:]),
    )
    form = form_here(experiment.numerics.convolution)
    network = make_network(experiment.model, image, CLASSES, form)
    task = task_for(experiment, network)
    return Bench(experiment, task, {True: with_splits, False: tiny})


def task_for(experiment: Experiment, network: Network) -> Task:
    """The task of an experiment, with this network."""
    return replace(task_of(experiment), network=network)


def lane_contestant(bench: Bench, lanes: int, evaluated: bool, compute: Compute) -> Contestant:
    """ltjax's loop for so many lanes, compiled."""
    loop = LaneLoop(bench, evaluated, compute, lanes)
    layout = loop.program.batching
    progress(f"compiled lanes: {lanes}, {layout}, devices: {loop.program.mesh.size}")
    return Contestant(
        f"ltjax, {layout}", lanes, loop.program.mesh.size, evaluated, loop, loop.compile_seconds
    )


def torch_contestants(bench: Bench) -> list[Contestant]:
    """The PyTorch loop with its default Adam and with the fused one; none where torch is missing."""
    if importlib.util.find_spec("torch") is None:
        return []
    from torch_lenet import LeNet, TorchLoop, adam, choose_threads, tensors

    train, device = bench.experiment.train, torch_device()
    parts = [tensors(np.asarray(part.inputs), np.asarray(part.targets), device) for part in bench.data[True]]
    settings: dict[str, Any] = {
        "batch": train.batch, "interval": train.evaluate_every, "evaluate_batch": train.evaluate_batch,
    }  # fmt: skip

    def loop(fused: bool, evaluated: bool) -> TorchLoop:
        model = LeNet((parts[0].images.shape[1], *bench.experiment.model.widths, CLASSES), device)
        optimizer = adam(model.parameters(), train.learning_rate, fused)
        return TorchLoop(model, optimizer, parts[0], parts[1:] if evaluated else [], **settings)

    choose_threads(loop(fused=False, evaluated=False))
    return [
        Contestant(name, 1, 1, evaluated, loop(name == FUSED, evaluated))
        for name, evaluated in itertools.product((PLAIN, FUSED), (False, True))
    ]


PLAIN, FUSED = "PyTorch", "PyTorch, fused Adam"


def torch_device() -> str:
    """The kind of device that ltjax uses too, where torch has it."""
    import torch

    return "cuda" if jax.default_backend() == "gpu" and torch.cuda.is_available() else "cpu"


def layout_contestants(bench: Bench, default: Contestant) -> list[Contestant]:
    """Both batchings on one device and on all, with evaluation; ``default`` is one of them already."""
    batchings: tuple[Literal["map", "vmap"], ...] = ("map", "vmap")
    found = []
    for batching, devices in itertools.product(batchings, sorted({1, jax.local_device_count()})):
        same = default.name.endswith(f" {batching}") and devices == jax.local_device_count()
        compute = Compute(devices=devices, batching=batching)
        found.append(default if same else lane_contestant(bench, LAYOUT_LANES, True, compute))
    return found


def products() -> Callable[[], list[float]]:
    """A function that multiplies square matrices several times and gives the GFLOP/s of each.

    CPU devices share the machine's cores, so one of them is given all the work; of other devices each is
    given its own product, at once.
    """
    devices = jax.local_devices()[: 1 if jax.default_backend() == "cpu" else None]
    matrix = np.random.default_rng(0).standard_normal((SIDE, SIDE), np.float32)
    placed = [jax.device_put(matrix, device) for device in devices]
    multiply = jax.jit(jnp.matmul)

    def one() -> float:
        began = time.perf_counter()
        jax.block_until_ready([multiply(each, each) for each in placed])
        return len(placed) * 2 * SIDE**3 / (time.perf_counter() - began) / 1e9

    one()  # compiles
    return lambda: [one() for _ in range(PRODUCTS)]


def measure(contestants: Sequence[Contestant], every: int, repeats: int, intervals: int) -> Measured:
    """Let all contestants take turns, strictly one after the other."""
    multiply = products()
    for contestant in contestants:
        contestant.burst(1)  # the first one warms up memory and thread pools
    rates: dict[Contestant, list[float]] = {contestant: [] for contestant in contestants}
    peaks = []
    for repeat in range(repeats):
        peaks.append(multiply())
        # every other repeat goes backwards, so that nobody always follows the same neighbour
        for contestant in contestants[:: -1 if repeat % 2 else 1]:
            rates[contestant].append(rate(contestant, every, intervals))
        progress(f"repeat {repeat + 1} of {repeats}")
    return Measured(rates, peaks)


def rate(contestant: Contestant, every: int, intervals: int) -> float:
    """Trial-steps/s of one burst."""
    began = time.perf_counter()
    contestant.burst(intervals)
    return contestant.lanes * intervals * every / (time.perf_counter() - began)


def progress(message: str) -> None:
    """Say on stderr how far it is, since minutes pass."""
    print(f"[{time.monotonic() - BEGAN:4.0f} s] {message}", file=sys.stderr, flush=True)
