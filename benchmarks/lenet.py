"""How fast the paper's LeNet-300-100 trains on this machine, as a Markdown report (docs/performance.md).

    python benchmarks/lenet.py            # about fifteen minutes on two cores that do nothing else
    python benchmarks/lenet.py --quick    # only to see that it works

Times ``LaneProgram``'s own compiled functions on made-up data of MNIST's shape, a hand-written PyTorch loop
of the same work (where torch is installed: ``pip install "ltjax[benchmark]"``) and the machine's matrix
product. Machines are noisy, so all of them take turns in short bursts, one at a time, and every ratio is of
two bursts of the same repeat. Progress goes to stderr, the report to stdout.
"""

import argparse
import importlib.util
import itertools
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ltjax import Compute, Dataset, Experiment, backend, load_experiment, masks
from ltjax.data import Splits, split
from ltjax.keys import named_key
from ltjax.lanes import LaneProgram
from ltjax.models import Network, make_network
from ltjax.training import LaneStart, make_training

LANES = (1, 5, 15)
LAYOUT_LANES = 5
SIDE = 2048
PRODUCTS = 8
IMAGE = (28, 28, 1)
CLASSES = 10
TINY = 60
BEGAN = time.monotonic()
LOAD = os.getloadavg()[0]  # before this process adds its own
QUIET = 0.5

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
    """What all loops share: the experiment, its network, and the data with and without an evaluation."""

    experiment: Experiment
    network: Network
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
        training = make_training(bench.network, train, len(splits.train.labels))
        self.program = program = LaneProgram(training, splits, train, compute, lanes)
        self.every, self.step = train.evaluate_every, 0
        self.real, self.start = program._place(lane_starts(bench, lanes))
        seconds = compile_seconds(program.begin, self.real, self.start)
        self.state = program.begin(self.real, self.start)
        seconds += compile_seconds(program.inspect, self.real, self.state, program.splits)
        self.tallies = program.inspect(self.real, self.state, program.splits)
        self.compile_seconds = seconds + compile_seconds(
            program.interval, *self.arguments(), length=self.every
        )

    def __call__(self, intervals: int) -> None:
        """Train that many intervals; tallies are fetched one interval late, as in ``run``."""
        for _ in range(intervals):
            self.state, upcoming = self.program.interval(*self.arguments(), length=self.every)
            jax.device_get(self.tallies)
            self.tallies, self.step = upcoming, self.step + self.every
        jax.block_until_ready((self.state, self.tallies))

    def arguments(self) -> tuple[Any, ...]:
        """What the next interval is given."""
        return self.real, self.state, self.start, self.program.splits, np.int32(self.step)


def compile_seconds(function: Any, *arguments: Any, **fixed: int) -> float:
    """Seconds to trace and compile a jitted function; its first call then finds the result ready."""
    began = time.perf_counter()
    function.lower(*arguments, **fixed).compile()
    return time.perf_counter() - began


def lane_starts(bench: Bench, lanes: int) -> list[LaneStart]:
    """Dense lanes, each of its own trial, as in round 0; a mask's values do not change the work."""
    starts = []
    for trial in range(lanes):
        params, collections = jax.device_get(bench.network.init(named_key(0, "init", trial)))
        key = named_key(0, "train", trial, 0, "ticket", 0)
        starts.append(LaneStart(params, collections, masks.dense(params), key))
    return starts


def made_up(sizes: Sizes) -> Dataset:
    """Random images of MNIST's shape, of which as in MNIST a fifth of the pixels is not 0."""
    random = np.random.default_rng(0)

    def images(count: int) -> np.ndarray:
        shape = (count, *IMAGE)
        inked = random.integers(0, 5, shape, np.uint8) == 0
        return random.integers(0, 256, shape, np.uint8) * inked

    def labels(count: int) -> np.ndarray:
        return random.integers(0, CLASSES, count)

    total = sizes.train + sizes.validation
    return Dataset(images(total), labels(total), images(sizes.test), labels(sizes.test), CLASSES)


def make_bench(sizes: Sizes) -> Bench:
    """The paper's experiment on made-up data; without an evaluation, the held-out splits are tiny."""
    experiment = load_experiment("lenet_iterative")
    with_splits = split(made_up(sizes), sizes.validation, seed=0)
    tiny = Splits(
        with_splits.train,
        *(part._replace(images=part.images[:TINY], labels=part.labels[:TINY]) for part in with_splits[1:]),
    )
    network = make_network(experiment.model, IMAGE, CLASSES)
    return Bench(experiment, network, {True: with_splits, False: tiny})


def lane_contestant(bench: Bench, lanes: int, evaluated: bool, compute: Compute) -> Contestant:
    """ltjax's loop for so many lanes, compiled."""
    loop = LaneLoop(bench, evaluated, compute, lanes)
    layout = "vmap" if loop.program.vmapped else "map"
    progress(f"compiled lanes: {lanes}, {layout}, devices: {loop.program.mesh.size}")
    return Contestant(
        f"ltjax, {layout}", lanes, loop.program.mesh.size, evaluated, loop, loop.compile_seconds
    )


def torch_contestants(bench: Bench) -> list[Contestant]:
    """The PyTorch loop with its default Adam and with the fused one; none where torch is missing."""
    if importlib.util.find_spec("torch") is None:
        return []
    from torch_lenet import TorchLoop, choose_threads, tensors

    train, device = bench.experiment.train, torch_device()
    parts = [tensors(np.asarray(part.images), np.asarray(part.labels), device) for part in bench.data[True]]
    settings: dict[str, Any] = {
        "widths": bench.experiment.model.widths, "batch": train.batch, "interval": train.evaluate_every,
        "learning_rate": train.learning_rate, "evaluate_batch": train.evaluate_batch,
    }  # fmt: skip
    choose_threads(TorchLoop(parts[0], [], fused=False, **settings))
    return [
        Contestant(name, 1, 1, evaluated, TorchLoop(
            parts[0], parts[1:] if evaluated else [], fused=name == FUSED, **settings
        ))
        for name, evaluated in itertools.product((PLAIN, FUSED), (False, True))
    ]  # fmt: skip


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


def forward_flops(experiment: Experiment) -> list[int]:
    """Floating-point operations of each layer's matrix product for one example."""
    sizes = (int(np.prod(IMAGE)), *experiment.model.widths, CLASSES)
    return [2 * into * out for into, out in itertools.pairwise(sizes)]


def step_flops(experiment: Experiment) -> int:
    """Those of a step's matrix products: layer 1 needs two of them (no gradient of the images), others 3."""
    first, *others = forward_flops(experiment)
    return experiment.train.batch * (2 * first + 3 * sum(others))


def report(
    bench: Bench, speed: Sequence[Contestant], layouts: Sequence[Contestant], measured: Measured
) -> str:
    """The whole report in Markdown."""
    parts = [
        *([] if LOAD < QUIET else [BUSY]),
        machine(),
        peak_text(measured),
        "### Training speed",
        speed_text(bench, speed),
        speed_table(bench, speed, measured),
        f"### Batching and devices, {LAYOUT_LANES} lanes with evaluation",
        layout_table(layouts, measured),
    ]
    return "\n\n".join(parts)


BUSY = (
    "**Something else was running on this machine when the measurement began: a loop that uses threads, as "
    "PyTorch's does, suffers from that more than others, so the ratios are not to be quoted.**"
)


def machine() -> str:
    """What it ran on."""
    versions = [f"{name} {metadata.version(name)}" for name in ("jax", "jaxlib", "numpy", *torch_name())]
    kinds = [f"{device.platform}: {device.device_kind}" for device in jax.local_devices()]
    lines = [
        f"Machine: {cpu_model()}, {len(os.sched_getaffinity(0))} cores; load average at the start {LOAD:.1f}",
        f"JAX devices: {len(kinds)} ({', '.join(sorted(set(kinds)))})",
        f"Versions: Python {platform.python_version()}, {', '.join(versions)}, "
        f"ltjax revision {backend.revision() or 'unknown'}",
        torch_line(),
    ]
    return "\n".join(f"- {line}" for line in lines)


def torch_name() -> list[str]:
    """The name of torch where it is installed."""
    return ["torch"] if importlib.util.find_spec("torch") else []


def torch_line() -> str:
    """How PyTorch is set up, or that it is missing."""
    if not torch_name():
        return "PyTorch: not installed, so nothing is compared with it"
    import torch

    threads = torch.get_num_threads()
    return f"PyTorch: on {torch_device()}, CPU threads: {threads} (the faster of 1 and its default), same process"


def cpu_model() -> str:
    """The processor's name as Linux tells it, else as Python does."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def peak_text(measured: Measured) -> str:
    """The machine's own matrix product."""
    every = [each for repeat in measured.products for each in repeat]
    return (
        f"The machine's own float32 product of two {SIDE} x {SIDE} matrices, by jitted XLA, reaches "
        f"**{max(every):.0f} GFLOP/s** at best and {median(every):.0f} in the median of {len(every)}, spread "
        "over the whole measurement."
    )


def speed_text(bench: Bench, speed: Sequence[Contestant]) -> str:
    """What the first table means."""
    train, splits = bench.experiment.train, bench.data[True]
    held_out = len(splits.validation.labels) + len(splits.test.labels)
    flops, evaluation = step_flops(bench.experiment), held_out * sum(forward_flops(bench.experiment))
    return (
        f"LeNet-300-100, Adam {train.learning_rate}, batch {train.batch}, on {len(splits.train.labels):,} "
        "random uint8 images of MNIST's shape, a fifth of their pixels inked; speed does not depend on what "
        f"they show. Evaluation: {len(splits.validation.labels):,} validation and "
        f"{len(splits.test.labels):,} test examples every {train.evaluate_every} steps; without it, ltjax "
        f"still evaluates {TINY} of each and PyTorch none. Every loop also tallies loss and correct answers "
        "of its minibatches. A trial-step is one update of one lane. All loops take turns in short bursts, "
        "one at a time; numbers are the median over repeats (min–max), ratios are taken within each repeat."
        "\n\n"
        f"The fraction of the peak counts a training step's matrix products, {flops / 1e6:.1f} MFLOP, and is "
        "of the best product of the same repeat. With evaluation, it still counts training alone, although "
        f"the evaluation adds {evaluation / train.evaluate_every / 1e6:.1f} MFLOP per step. Compile time is "
        "that of a first start, for everything a row runs; later starts find it in the cache."
    )


def speed_table(bench: Bench, speed: Sequence[Contestant], measured: Measured) -> str:
    """A row per contestant, with its ratio to each PyTorch loop of the same evaluation."""
    rivals = sorted({each.name for each in speed if each.compile_seconds is None})
    head = ["loop", "lanes", "devices", "evaluation", "trial-steps/s", *[f"× {name}" for name in rivals],
            "of the peak", "compile (s)"]  # fmt: skip
    flops = step_flops(bench.experiment)
    rows = []
    for each in speed:
        peaks = [max(repeat) * 1e9 / flops for repeat in measured.products]
        compared = [measured.rates[rival(speed, name, each.evaluated)] for name in rivals]
        rows.append([
            *identity(each), "yes" if each.evaluated else "no", spread(measured.rates[each], ".0f"),
            *[spread(ratios(measured.rates[each], other), ".2f") for other in compared],
            f"{median(ratios(measured.rates[each], peaks)):.0%}", compiled(each),
        ])  # fmt: skip
    return table(head, rows)


def layout_table(layouts: Sequence[Contestant], measured: Measured) -> str:
    """A row per layout, with its ratio to the first one of the table on all devices."""
    base = max(layouts, key=lambda each: (each.name == layouts[0].name, each.devices))
    head = ["loop", "lanes", "devices", "trial-steps/s", f"× {base.name}, devices: {base.devices}",
            "compile (s)"]  # fmt: skip
    return table(head, [
        [*identity(each), spread(measured.rates[each], ".0f"),
         spread(ratios(measured.rates[each], measured.rates[base]), ".2f"), compiled(each)]
        for each in layouts
    ])  # fmt: skip


def identity(contestant: Contestant) -> list[str]:
    """The first cells of a contestant's row."""
    return [contestant.name, str(contestant.lanes), str(contestant.devices)]


def compiled(contestant: Contestant) -> str:
    """The cell of its compile time."""
    return "–" if contestant.compile_seconds is None else f"{contestant.compile_seconds:.1f}"


def rival(contestants: Sequence[Contestant], name: str, evaluated: bool) -> Contestant:
    """The contestant of that name that evaluates, or does not."""
    return next(each for each in contestants if (each.name, each.evaluated) == (name, evaluated))


def ratios(of: Sequence[float], to: Sequence[float]) -> list[float]:
    """Repeat by repeat: what disturbed a whole repeat disturbed both."""
    return [mine / other for mine, other in zip(of, to, strict=True)]


def spread(values: Sequence[float], form: str) -> str:
    """The median and, in brackets, the range."""
    return f"{median(values):{form}} ({min(values):{form}}–{max(values):{form}})"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table: the first column to the left, all others to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def progress(message: str) -> None:
    """Say on stderr how far it is, since minutes pass."""
    print(f"[{time.monotonic() - BEGAN:4.0f} s] {message}", file=sys.stderr, flush=True)


def parse() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--repeats", type=int, default=5, help="turns of every contestant (default 5)")
    parser.add_argument("--intervals", type=int, default=10, help="of 100 steps, per turn (default 10)")
    parser.add_argument("--quick", action="store_true", help="one short turn on little data, as a check")
    options = parser.parse_args()
    if min(options.repeats, options.intervals) < 1:
        parser.error("--repeats and --intervals must be at least 1")
    if options.quick:
        options.repeats, options.intervals = 1, 1
    return options


def main() -> None:
    """Measure and print the report."""
    options = parse()
    backend.set_up()
    # compile times are to be those of a first start
    jax.config.update("jax_enable_compilation_cache", False)
    bench = make_bench(Sizes(3_000, 500, 1_000) if options.quick else Sizes(55_000, 5_000, 10_000))
    speed = [
        lane_contestant(bench, lanes, evaluated, Compute())
        for lanes, evaluated in itertools.product(LANES, (False, True))
    ]
    layouts = layout_contestants(bench, next(e for e in speed if e.lanes == LAYOUT_LANES and e.evaluated))
    speed += torch_contestants(bench)
    every = bench.experiment.train.evaluate_every
    measured = measure(list(dict.fromkeys(speed + layouts)), every, options.repeats, options.intervals)
    if options.quick:
        print("**A quick run: these numbers only show that the benchmark works.**\n")
    print(report(bench, speed, layouts, measured))
    print(f"\nRepeats: {options.repeats}; a burst: {options.intervals} times {every} steps of every lane.")


if __name__ == "__main__":
    main()
