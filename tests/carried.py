"""Carry Conv-2's tickets, found on real CIFAR-10, over several processes, and compare with one that stayed.

    python -m tests.carried [--minutes 0.8] [--processes 4]

Each process begins in a fresh folder, with nothing but the file that the one before packed, trains in a box
of minutes and packs. The run that stayed does all of it in one go. Exit status 1 if the tables, curves or
masks differ, or if fewer processes were needed than asked for. Needs CIFAR-10 ($TFDS_DATA_DIR).
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from ltjax.core.texts import duration
from ltjax.runs import checkpoints, paths
from ltjax.runs.folder import Run

from .test_runs import curves

CONV2 = '''
from dataclasses import replace

from ltjax import Data, load_experiment
from ltjax.data import data_set, load_dataset


@data_set("cifar10_tenth", train=5_000, test=1_000, image=(32, 32, 3), classes=10)
def tenth(data):
    """The first tenth of CIFAR-10."""
    whole = load_dataset(Data("cifar10", dir=data.dir))
    return whole._replace(
        train_inputs=whole.train_inputs[:5_000], train_targets=whole.train_targets[:5_000],
        test_inputs=whole.test_inputs[:1_000], test_targets=whole.test_targets[:1_000],
    )


named = load_experiment("conv2_iterative")
experiment = replace(
    named, name="carried", trials=2, arms={"ticket": 1},
    data=Data("cifar10_tenth", validation=500),
    train=replace(named.train, steps=40, evaluate_every=20),
    prune=replace(named.prune, rounds=3),
)
'''
"""Conv-2 on a tenth of CIFAR-10: two trials, 40 steps, four rounds."""


def ltjax(*arguments: object) -> str:
    """Run an ltjax command; what it printed."""
    words = [str(each) for each in arguments]
    done = subprocess.run([sys.executable, "-m", "ltjax", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def carried(home: Path, run: Sequence[object], minutes: float) -> tuple[Path, int]:
    """The folder in which the last of the processes finished the run, and how many there were."""
    file, number = home / "carried.tar.gz", 0
    while True:
        folder = home / f"process_{number}"
        if number:
            ltjax("unpack", file, "--to", folder)
        began = time.monotonic()
        said = ltjax(*run, "--workdir", folder, "--minutes", minutes)
        number += 1
        rounds = sorted(Run(folder).parts)
        taken = duration(time.monotonic() - began)
        size = ltjax("pack", folder, "--to", file).split(": ")[1].split(";")[0]
        print(f"process {number}: {taken}; rounds {rounds}; packed {size}", flush=True)
        if "holds the tables" in said:
            return folder, number


def differences(one: Path, two: Path) -> list[str]:
    """What two runs' folders differ in."""
    found = [] if paths.summary(one).read_bytes() == paths.summary(two).read_bytes() else ["summary.csv"]
    found += [] if curves(one).equals(curves(two)) else ["curves"]
    for path in sorted(paths.rounds(one).iterdir()):
        sums = [
            checkpoints.checksums(checkpoints.load(paths.rounds(each) / path.name)["mask"])
            for each in (one, two)
        ]
        found += [] if sums[0] == sums[1] else [f"masks of {path.name}"]
    return found


def main() -> None:
    """Carry a run, and compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--minutes", type=float, default=0.8)
    parser.add_argument("--processes", type=int, default=4, help="at least so many must have been needed")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as given:
        home = Path(given)
        (home / "conv2.py").write_text(CONV2)
        run, stayed = ("run", "--config", home / "conv2.py", "--keep", "masks"), home / "stayed"
        began = time.monotonic()
        ltjax(*run, "--workdir", stayed)
        print(f"in one go: {duration(time.monotonic() - began)}", flush=True)
        folder, number = carried(home, run, asked.minutes)
        different = differences(stayed, folder)
    print(f"{number} processes; differences: {', '.join(different) or 'none'}")
    raise SystemExit(bool(different) or number < asked.processes)


if __name__ == "__main__":
    main()
