"""How fast the paper's LeNet-300-100 trains on this machine, as a Markdown report (docs/performance.md).

    python benchmarks/lenet.py            # about seven minutes on two cores that do nothing else
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
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from statistics import median

import jax
import numpy as np
from loops import (
    CLASSES,
    LANES,
    LAYOUT_LANES,
    SIDE,
    TINY,
    Bench,
    Contestant,
    Measured,
    Sizes,
    lane_contestant,
    layout_contestants,
    make_bench,
    measure,
    torch_contestants,
    torch_device,
)

from ltjax import Compute, Experiment, load_experiment
from ltjax.data import DATASETS
from ltjax.lanes import backend

LOAD = os.getloadavg()[0]  # before this process adds its own
QUIET = 0.5


def forward_flops(experiment: Experiment) -> list[int]:
    """Floating-point operations of each layer's matrix product for one example."""
    sizes = (int(np.prod(DATASETS["mnist"].inputs.shape)), *experiment.model.widths, CLASSES)
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

    chosen = f"CPU threads: {torch.get_num_threads()} (the faster of 1 and its default)"
    return f"PyTorch: on {torch_device()}, {chosen}, in the same process"


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
    held_out = splits.validation.size + splits.test.size
    flops, evaluation = step_flops(bench.experiment), held_out * sum(forward_flops(bench.experiment))
    return (
        f"LeNet-300-100, Adam {train.learning_rate}, batch {train.batch}, on {splits.train.size:,} "
        "random uint8 images of MNIST's shape, a fifth of their pixels inked; speed does not depend on what "
        f"they show. Evaluation: {splits.validation.size:,} validation and "
        f"{splits.test.size:,} test examples every {train.evaluate_every} steps; without it, ltjax "
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
    sizes = Sizes(3_000, 500, 1_000) if options.quick else Sizes(55_000, 5_000, 10_000)
    bench = make_bench(sizes, load_experiment("lenet_iterative"))
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
