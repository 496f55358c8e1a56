"""What each device holds when a lane of VGG-19 has several: the data axis, on a made-up large batch.

    JAX_NUM_CPU_DEVICES=8 python benchmarks/large_batch.py               # some minutes on two cores
    python benchmarks/large_batch.py --batch 16384 --devices 1 4 8       # on accelerators

Trains one lane for two steps at each number of devices, and prints what its compiled program holds on each of
them and the loss that comes of it, which must agree to float tolerance. CPU devices share one memory: there
it says what as many accelerators would hold.
"""

import argparse
from dataclasses import replace
from typing import Any

import jax
import numpy as np
from lenet import machine, table
from loops import Sizes, lane_starts, make_bench, progress

from ltjax import Compute, load_experiment
from ltjax.lanes import backend
from ltjax.lanes.program import LaneProgram
from ltjax.training.step import Training


def trained(batch: int, devices: int) -> tuple[int, float]:
    """Bytes on each device, and the test loss after two steps, of a lane on so many devices."""
    experiment = load_experiment("vgg19_lr001")
    train = replace(experiment.train, batch=batch, steps=2, evaluate_every=2, evaluate_batch=batch)
    train = replace(train, schedule="constant")
    bench = make_bench(Sizes(batch, 64, 64), replace(experiment, train=train))
    training, start = Training(bench.task, train, batch), lane_starts(bench, 1)
    compute = Compute(devices=devices, data=devices)
    program = LaneProgram(training, bench.data[True], train, compute, 1)
    needed = program.bytes_needed(start[0])
    progress(f"{devices} devices: compiled, {needed / 2**30:.2f} GiB on each")
    return needed, float(np.asarray(program.run(start).history.loss["test"])[0, -1])


def parse() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--batch", type=int, default=1024, help="examples of a step (default 1024)")
    parser.add_argument("--devices", nargs="+", type=int, default=[1, 2, 8], help="of the lane, in turn")
    return parser.parse_args()


def main() -> None:
    """Measure and print the table."""
    options = parse()
    backend.set_up()
    if (most := max(options.devices)) > jax.local_device_count():
        raise SystemExit(
            f"there are {jax.local_device_count()} devices, not {most}: JAX_NUM_CPU_DEVICES={most}"
        )
    rows: list[Any] = []
    for devices in options.devices:
        needed, loss = trained(options.batch, devices)
        rows.append([f"{devices}", f"{needed / 2**30:.2f}", f"{loss:.5f}"])
    print(machine())
    print(f"\nOne lane of VGG-19, batch {options.batch:,}.\n")
    print(table(["devices of the lane", "GiB held on each", "test loss after two steps"], rows))


if __name__ == "__main__":
    main()
