"""How fast Conv-2, Resnet-18 or VGG-19 lanes train on this machine, as a Markdown report.

    python benchmarks/cifar.py                                # Conv-2 and Resnet-18, as docs/performance.md
    python benchmarks/cifar.py vgg19_lr001 --lanes 1 5 30 --precision bfloat16       # on an accelerator
    python benchmarks/cifar.py conv2_iterative --executions   # every way for a batch of lanes to convolve
    python benchmarks/cifar.py conv2_iterative --lanes 2 --forms     # on CPU, sums of products too
    python benchmarks/cifar.py --quick                        # only to see that it works

Times ``LaneProgram``'s own compiled functions on made-up images, beside

- ``lax.conv``: one lane's step with XLA's own convolutions and gradients, jitted and called from Python,
- PyTorch: a straightforward loop (where torch is installed: ``pip install "ltjax[benchmark]"``), on the
  same device,

and the machine's matrix product. All take turns in short bursts, and every ratio is of two bursts of the same
repeat. With evaluation, every loop ends an interval with the paper's: 15,000 examples every 100 steps, in the
same proportion where bursts are shorter. Progress goes to stderr, the report to stdout.
"""

import argparse
import importlib.util
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jax
import numpy as np
from lenet import BUSY, LOAD, QUIET, compiled, machine, ratios, rival, spread, table
from loops import (
    Bench,
    Contestant,
    LaneLoop,
    Measured,
    Sizes,
    lane_starts,
    make_bench,
    measure,
    progress,
    torch_device,
)

from ltjax import Compute, Experiment, load_experiment
from ltjax.lanes import backend
from ltjax.lottery.dry_run import step_flops
from ltjax.models import convolution, make_network
from ltjax.training.step import Training
from ltjax.training.task import batched

CADENCE = 150
"""Examples evaluated for every step of training: 15,000 every 100 steps, as in the paper."""


class StepLoop:
    """One lane by XLA's own convolutions: a jitted step called from Python, and a jitted evaluation.

    Args:
        bench: what is trained.
        evaluated: whether an interval ends with an evaluation.
    """

    def __init__(self, bench: Bench, evaluated: bool) -> None:
        train, self.splits = bench.experiment.train, bench.data[evaluated]
        augment = bench.experiment.data.augment.make()
        training = Training(bench.task, train, self.splits.train.size, augment)
        self.start = lane_starts(bench, 1)[0]
        self.state, self.at, self.every = training.begin(self.start), 0, train.evaluate_every
        self.update = jax.jit(training._update, donate_argnums=0)
        self.measured = jax.jit(training.measure)
        self.held_out = (self.splits.validation, self.splits.test) if evaluated else ()

    def __call__(self, intervals: int) -> None:
        """Train that many intervals."""
        with convolution.automatic():
            for _ in range(intervals * self.every):
                self.state, _ = self.update(self.state, self.start, self.splits.train, np.int32(self.at))
                self.at += 1
                # a step waits for the one before, as it does where its loss is shown
                jax.block_until_ready(self.state)
            for split in self.held_out:
                jax.block_until_ready(self.measured(self.state, split))


def lanes_of(bench: Bench, lanes: int, evaluated: bool, compute: Compute, name: str = "") -> Contestant:
    """ltjax's loop for so many lanes, compiled."""
    loop = LaneLoop(bench, evaluated, compute, lanes)
    layout = loop.program.batching
    progress(f"compiled {bench.experiment.name}, lanes: {lanes}, {name or layout}")
    return Contestant(
        f"ltjax, {name or layout}", lanes, loop.program.mesh.size, evaluated, loop, loop.compile_seconds
    )


def torch_loop(bench: Bench, evaluated: bool) -> Contestant | None:
    """The PyTorch loop, on its default number of threads; None where torch is missing."""
    if importlib.util.find_spec("torch") is None:
        return None
    import torch_cifar
    from torch_lenet import TorchLoop

    train, device = bench.experiment.train, torch_device()
    parts = [
        torch_cifar.tensors(np.asarray(part.inputs), np.asarray(part.targets), device)
        for part in bench.data[evaluated]
    ]
    model = torch_cifar.network(bench.experiment).to(device)
    augmented: dict[str, Any] = {}
    if bench.experiment.data.augment.name == "flip_crop":
        augmented["augment"] = torch_cifar.flip_crop
    loop = TorchLoop(
        model, torch_cifar.optimizer(bench.experiment, model), parts[0], parts[1:] if evaluated else [],
        batch=train.batch, interval=train.evaluate_every, evaluate_batch=train.evaluate_batch, **augmented,
    )  # fmt: skip
    return Contestant("PyTorch", 1, 1, evaluated, loop)


def contestants(bench: Bench, options: argparse.Namespace) -> list[Contestant]:
    """All that are timed on one network."""
    found = []
    for evaluated in (False, True):
        found += [lanes_of(bench, lanes, evaluated, Compute()) for lanes in options.lanes]
        found.append(Contestant("lax.conv, step by step", 1, 1, evaluated, StepLoop(bench, evaluated)))
        found += [each for each in [torch_loop(bench, evaluated)] if each]
    if options.forms:
        direct = make_network(bench.experiment.model, bench.data[True].train.inputs.shape[1:], 10, "direct")
        other = bench._replace(task=replace(bench.task, network=direct))
        found += [
            lanes_of(other, lanes, evaluated, Compute(), "direct")
            for lanes in options.lanes
            for evaluated in (False, True)
        ]
    if options.executions:
        found += [
            lanes_of(bench, max(options.lanes), False, Compute(batching="vmap", convolution=how), how)
            for how in ("grouped", "unrolled", "loop")
        ]
    return found


def speed_table(bench: Bench, found: Sequence[Contestant], measured: Measured) -> str:
    """A row per contestant: rates, and its time as a ratio to each rival's of the same evaluation."""
    experiment = bench.experiment
    rivals = [name for name in ("lax.conv, step by step", "PyTorch") if name in {each.name for each in found}]
    flops = flops_of(bench)
    rows = []
    for each in found:
        rate = measured.rates[each]
        others = [rival(found, name, each.evaluated) for name in rivals]
        peaks = [max(repeat) * 1e9 / flops for repeat in measured.products]
        rows.append([
            each.name, str(each.lanes), str(each.devices), "yes" if each.evaluated else "no",
            spread([1e3 / value for value in rate], ".1f"),
            spread([experiment.train.batch * value for value in rate], ",.0f"),
            *[spread(ratios(measured.rates[other], rate), ".2f") for other in others],
            spread([100 * value for value in ratios(rate, peaks)], ".0f"), compiled(each),
        ])  # fmt: skip
    head = ["loop", "lanes", "devices", "evaluation", "ms a trial-step", "images/s",
            *[f"time / {name}'s" for name in rivals], "% of the peak", "compile (s)"]  # fmt: skip
    return table(head, rows)


def flops_of(bench: Bench) -> float:
    """FLOPs of a training step, as XLA counts them."""
    batch = batched(bench.task.data.seen, bench.experiment.train.batch)
    return step_flops(bench.task.network, lane_starts(bench, 1)[0], batch)


def shortened(name: str, interval: int, precision: str) -> Experiment:
    """A named experiment, evaluated every ``interval`` steps."""
    experiment = load_experiment(name)
    model: Any = replace(experiment.model, precision=precision)
    return replace(experiment, model=model, train=replace(experiment.train, evaluate_every=interval))


def report(name: str, options: argparse.Namespace) -> str:
    """The section of one experiment."""
    held_out = CADENCE * options.interval
    sizes = Sizes(5_000, held_out // 3, held_out - held_out // 3)
    bench = make_bench(sizes, shortened(name, options.interval, options.precision))
    found = contestants(bench, options)
    measured = measure(found, options.interval, options.repeats, 1)
    train = bench.experiment.train
    best = max(max(repeat) for repeat in measured.products)
    return "\n\n".join([
        f"### {name}: batch {train.batch}, {train.optimizer}, {options.precision}",
        f"{flops_of(bench) / 1e9:.1f} GFLOP a training step. Evaluation: {held_out:,} examples every "
        f"{options.interval} steps (the paper's cadence). The machine's own float32 product of two 2048 x "
        f"2048 matrices reaches {best:,.0f} GFLOP/s. Medians over {options.repeats} repeats (min–max).",
        speed_table(bench, found, measured),
    ])  # fmt: skip


def parse() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("names", nargs="*", default=["conv2_iterative", "resnet18_lr001"])
    parser.add_argument("--lanes", nargs="+", type=int, default=[1, 5], help="lane batches (default 1 5)")
    parser.add_argument("--interval", type=int, default=20, help="steps of a burst (default 20)")
    parser.add_argument("--repeats", type=int, default=5, help="turns of every contestant (default 5)")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--executions", action="store_true", help="time every execution of vmapped lanes too")
    parser.add_argument("--forms", action="store_true", help="time convolutions as sums of products too")
    parser.add_argument("--quick", action="store_true", help="one short turn, as a check")
    options = parser.parse_args()
    if options.quick:
        options.names, options.lanes, options.interval, options.repeats = options.names[:1], [2], 2, 1
    return options


def main() -> None:
    """Measure and print the report."""
    options = parse()
    backend.set_up()
    # compile times are to be those of a first start
    jax.config.update("jax_enable_compilation_cache", False)
    if options.quick:
        print("**A quick run: these numbers only show that the benchmark works.**\n")
    print("\n\n".join([*([] if LOAD < QUIET else [BUSY]), machine()]))
    for name in options.names:
        print("\n" + report(name, options), flush=True)


if __name__ == "__main__":
    main()
