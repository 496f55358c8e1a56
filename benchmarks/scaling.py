"""What the paper's whole study costs on so many accelerators, from step times and bytes measured on one.

    python benchmarks/scaling.py --measure > measured.json                   # on a CPU: one of its cores
    python benchmarks/scaling.py --measure --lanes 1 5 30 > measured.json    # on an accelerator
    python benchmarks/scaling.py measured.json                               # the tables of docs/scaling.md
    python benchmarks/scaling.py measured.json --devices 1 4 64              # for other numbers of devices

Measured is ``LaneProgram``'s own interval, with the paper's evaluations, of each of the paper's networks; the
rest is arithmetic: an experiment's rounds follow one another, the lanes of a round are shared out evenly, and
what is smaller or larger than the measured network takes time by its FLOPs. Compilation, checkpoints and the
time between rounds are left out; docs/scaling.md says how much they are.
"""

import argparse
import json
import math
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from cifar import CADENCE
from lenet import machine, table
from loops import LaneLoop, Sizes, lane_starts, make_bench, progress

from ltjax import Compute, Experiment, load_experiment
from ltjax.lanes import backend
from ltjax.lottery.dry_run import plan
from ltjax.lottery.resolving import resolve
from ltjax.settings.loading import experiments

NETWORKS = {
    "lenet": "lenet_iterative", "conv2": "conv2_iterative", "conv4": "conv4_iterative",
    "conv6": "conv6_iterative", "resnet18": "resnet18_lr001", "vgg19": "vgg19_lr001",
}  # fmt: skip
"""The paper's networks, each with the experiment that is measured."""

SPLITS, TALLY = 3, 8
"""What an evaluation tells of each lane: bytes of loss and correct answers, on three splits."""


class Load(NamedTuple):
    """Lanes that train as one program: how many in each round, for how many steps, by which network.

    ``size`` is the FLOPs of a step, as a multiple of the network's that was measured.
    """

    network: str
    lanes: Sequence[int]
    steps: int
    size: float = 1.0


def step_seconds(measured: Mapping[str, float], lanes: int) -> float:
    """The seconds of a step of so many lanes on one device; between measured numbers, on the line between.

    Args:
        measured: seconds by number of lanes, as text.
        lanes: how many; beyond the most that were measured, as many times slower.
    """
    known = sorted((int(number), seconds) for number, seconds in measured.items())
    most, slowest = known[-1]
    if lanes > most:
        return slowest * lanes / most
    return float(np.interp(lanes, *zip(*known, strict=True)))


def hours(load: Load, measured: Mapping[str, float], devices: int) -> float:
    """Hours that a load takes on so many devices: each round waits for the device with the most lanes."""
    seconds = sum(
        load.steps * step_seconds(measured, math.ceil(lanes / devices)) for lanes in load.lanes if lanes
    )
    return load.size * seconds / 3600


def loads_of(experiment: Experiment, network: str, flops: float) -> list[Load]:
    """The loads of an experiment: one for all points of a sweep that share a program."""
    resolved, found = resolve(experiment), []
    for group in resolved.programs():
        rounds = range(resolved.rounds + 1)
        lanes = [sum(len(resolved.lanes(point, at)) for point in group) for at in rounds]
        size = plan(resolved, group[0]).step_flops / flops
        found.append(Load(network, lanes, resolved.points[group[0]].train.steps, size))
    return found


def study() -> dict[str, dict[str, list[Load]]]:
    """Every experiment of the paper's, by network and name."""
    found: dict[str, dict[str, list[Load]]] = {network: {} for network in NETWORKS}
    for name in experiments():
        network = name.split("_")[0]
        if network in NETWORKS:
            flops = plan(resolve(load_experiment(NETWORKS[network]))).step_flops
            found[network][name] = loads_of(load_experiment(name), network, flops)
            progress(name)
    return found


def cost_table(every: Mapping[str, Mapping[str, Sequence[Load]]], facts: Any, devices: Sequence[int]) -> str:
    """A row per network, and all of it: hours on so many devices, one experiment after the other."""
    rows, sums = [], dict.fromkeys(devices, 0.0)
    for network, named in every.items():
        loads = [load for each in named.values() for load in each]
        taken = {n: sum(hours(load, facts[network]["seconds"], n) for load in loads) for n in devices}
        sums = {n: sums[n] + taken[n] for n in devices}
        most = max(max(load.lanes) for load in loads)
        steps = sum(load.steps * sum(load.lanes) for load in loads)
        rows.append([network, str(len(named)), f"{steps / 1e6:,.0f}", str(most),
                     *(f"{taken[n]:,.1f}" for n in devices)])  # fmt: skip
    rows.append(["**all**", "", "", "", *(f"**{sums[n]:,.1f}**" for n in devices)])
    head = ["network", "experiments", "million trial-steps", "lanes of the largest program",
            *(f"hours on {n}" for n in devices)]  # fmt: skip
    return table(head, rows)


def side_by_side(every: Mapping[str, Mapping[str, Sequence[Load]]], facts: Any, devices: int) -> str:
    """What at best experiments that run at the same time take together: no less than the longest of them."""
    spent, longest = 0.0, ("", 0.0)
    for network, named in every.items():
        for name, loads in named.items():
            spent += sum(hours(load, facts[network]["seconds"], 1) for load in loads)
            alone = max(hours(load, facts[network]["seconds"], max(load.lanes)) for load in loads)
            longest = max(longest, (name, alone), key=lambda each: each[1])
    return (
        f"On {devices} devices, experiments side by side: at least {spent / devices:,.1f} hours if all were "
        f"always busy, and no less than {longest[1]:,.1f}, which {longest[0]}'s rounds take one after the "
        "other with a device for each lane."
    )


def paying_table(facts: Any, lanes: Sequence[int]) -> str:
    """How a device's time for a lane falls as lanes share it: where it stops, more lanes do not pay."""
    rows = []
    for network, fact in facts.items():
        alone = step_seconds(fact["seconds"], 1)
        shares = [step_seconds(fact["seconds"], n) / n / alone for n in lanes]
        rows.append([network, f"{1e3 * alone:,.2f}", *(f"{share:.2f}" for share in shares)])
    return table(["network", "ms a step, 1 lane", *(f"{n} lanes, each" for n in lanes)], rows)


def bytes_table(facts: Any) -> str:
    """What is held, written and told, by network."""
    rows = []
    for network, fact in facts.items():
        reduced = 2 * fact["params_bytes"] / step_seconds(fact["seconds"], 1)
        rows.append([
            network, *(f"{fact[name] / 2**20:,.1f}" for name in (
                "device_bytes", "params_bytes", "part_bytes", "snapshot_bytes",
            )), f"{SPLITS * TALLY}", f"{reduced / 2**20:,.1f}",
        ])  # fmt: skip
    head = ["network", "MiB held on a device, 1 lane", "MiB told of a ticket a round",
            "MiB written of a lane a round", "MiB of a lane's snapshot", "bytes told of a lane an evaluation",
            "MiB/s a lane's device sends at `compute.data` 2"]  # fmt: skip
    return table(head, rows)


def measure_network(name: str, lanes: Sequence[int], interval: int, repeats: int) -> dict[str, Any]:
    """Step times by number of lanes on one device, with the paper's evaluations, and bytes."""
    experiment = load_experiment(name)
    train = replace(experiment.train, evaluate_every=interval)
    held_out = CADENCE * interval
    sizes = Sizes(5_000, held_out // 3, held_out - held_out // 3)
    bench = make_bench(sizes, replace(experiment, train=train))
    seconds, device_bytes = {}, 0
    for number in lanes:
        loop = LaneLoop(bench, True, Compute(devices=1), number)
        device_bytes = device_bytes or loop.program.bytes_needed(lane_starts(bench, 1)[0])
        loop(1)
        bursts = []
        for _ in range(repeats):
            began = time.perf_counter()
            loop(1)
            bursts.append((time.perf_counter() - began) / interval)
        seconds[str(number)] = statistics.median(bursts)
        progress(f"{name}, lanes: {number}: {1e3 * seconds[str(number)]:.2f} ms a step")
    start = lane_starts(bench, 1)[0]
    params, mask = _bytes(start.params), _bytes(start.mask)
    state = jax.eval_shape(loop.program.training.begin, start)
    return {
        "experiment": name, "seconds": seconds, "device_bytes": device_bytes, "params_bytes": params,
        "part_bytes": params + mask + _bytes(start.collections), "snapshot_bytes": _bytes(state),
    }  # fmt: skip


def _bytes(tree: Any) -> int:
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def parse() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("measured", nargs="?", type=Path, help="what --measure printed")
    parser.add_argument("--measure", action="store_true", help="measure this machine's device")
    parser.add_argument("--lanes", nargs="+", type=int, default=[1], help="lanes on the device (default 1)")
    parser.add_argument("--interval", type=int, default=10, help="steps of a burst (default 10)")
    parser.add_argument("--repeats", type=int, default=3, help="bursts (default 3)")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--devices", nargs="+", type=int, default=[1, 8, 256])
    options = parser.parse_args()
    if options.measure == bool(options.measured):
        parser.error("give either --measure or a file that it printed")
    return options


def main() -> None:
    """Measure, or print the tables."""
    options = parse()
    backend.set_up()
    if options.measure:
        facts = {
            network: measure_network(NETWORKS[network], options.lanes, options.interval, options.repeats)
            for network in options.networks
        }
        json.dump({"machine": machine(), "networks": facts}, sys.stdout, indent=1)
        return
    told = json.loads(options.measured.read_text())
    facts, every = told["networks"], study()
    every = {network: named for network, named in every.items() if network in facts}
    lanes = sorted({int(number) for fact in facts.values() for number in fact["seconds"]} | {1})
    parts = [told["machine"], cost_table(every, facts, options.devices),
             *(side_by_side(every, facts, n) for n in options.devices[-1:]),
             *([paying_table(facts, lanes)] if len(lanes) > 1 else []), bytes_table(facts)]  # fmt: skip
    print("\n\n".join(parts))


if __name__ == "__main__":
    main()
