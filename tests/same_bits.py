"""Whether two revisions give the same bits: ``python -m tests.same_bits REVISION``.

Every run of ``tests.same_bits_runs`` is made with REVISION and then with the working tree (or a second
revision), in one environment, and compared bit for bit: configurations, summaries, curves, masks, θ₀, trained
params and BatchNorm's statistics; the settings of all named experiments too. A line tells of each case; the
status is 1 where something differs. The second revision continues runs that the first began.

The cases are those of the first revision: what only the second one has (an arm, a setting, a column) is no
difference. What has another name in the second is looked up in ``RENAMED``; numerics that only the second can
choose are as they were (``same_bits_runs.BEFORE``).

Both share a folder of compilations, in which JAX finds a program by all that it computes: revisions find one
another's only where theirs are the same. Every optimizer and arm is run as compiled for users; the other
cases without XLA's dearest passes, which alone could tell some programs apart, unless ``--whole`` is said.
"""

import argparse
import io
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import jax
import numpy as np
import pandas as pd
from orbax.checkpoint import v1 as ocp

from .same_bits_runs import CHOICES, Order, cases, renamed

RENAMED: dict[str, dict[str, str]] = {
    "settings": {
        "prune.score": "prune.criterion", "prune.scope": "prune.structure",
        "prune.fractions": "prune.schedule.fractions", "train.momentum": "train.optimizer.momentum",
        "train.warmup": "train.schedule.warmup", "train.drops": "train.schedule.drops",
    },
    "columns": {},
    "experiments": {},
}  # fmt: skip
"""What the working tree calls otherwise than revisions before it: the old name, and the new one."""

ADDED = ("train.schedule",)
"""Settings of cases that revisions before had no name for: what these did follows from the others."""

LACKING = {"prune.schedule.fractions": "[]", "train.optimizer.momentum": "0.9", "train.schedule.drops": "[]"}
"""What revisions before said, as JSON, also where a choice has no such parameter."""

ROOT = Path(__file__).parent.parent

Values: TypeAlias = dict[str, np.ndarray]
"""Columns, leaves or settings by name."""


def settings(tree: Mapping[str, Any], prefix: str = "") -> Values:
    """Settings by dotted name, each as JSON text."""
    found: Values = {}
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if name in CHOICES and isinstance(value, dict):
            found[name] = np.array(json.dumps(value["name"]))
            value = {parameter: each for parameter, each in value.items() if parameter != "name"}
        inner = isinstance(value, dict)
        found |= settings(value, f"{name}.") if inner else {name: np.array(json.dumps(value))}
    return found


def point_renamed(name: str) -> str:
    """The name of a sweep's point, or a path with it, by what settings are called now."""
    for old, new in RENAMED["settings"].items():
        word, other = (each.rsplit(".", 1)[-1] for each in (old, new))
        name = re.sub(rf"(^|[/,]){word}=", rf"\g<1>{other}=", name)
    return name


def checkpoint(folder: Path) -> Values:
    """The leaves of a checkpoint."""
    described = ocp.metadata(folder).metadata
    shapes = jax.tree.map(lambda leaf: np.empty(leaf.shape, leaf.dtype), described)
    leaves = jax.tree_util.tree_leaves_with_path(ocp.load(folder, shapes))
    found = {"/".join(step.key for step in path): np.asarray(leaf) for path, leaf in leaves}
    note = json.loads((folder / "_CHECKPOINT_METADATA").read_text())["custom_metadata"]
    return unpacked_masks(found, note["shapes"]) if "shapes" in note else found


def unpacked_masks(found: Values, shapes: Mapping[str, Sequence[int]]) -> Values:
    """A part's arrays as they were before masks were packed bits, and the next round's among them."""
    masks = {
        f"mask/{name}": np.unpackbits(found[f"mask/{name}"], axis=1, count=math.prod(shape))
        .astype(bool).reshape(-1, *shape)
        for name, shape in shapes.items()
    }  # fmt: skip
    return {**{name: each for name, each in found.items() if not name.startswith("ahead/")}, **masks}


def contents(run: Path) -> dict[str, Values]:
    """What a run's folder holds, by file: its configuration, tables and checkpoints, those of points too."""
    found: dict[str, Values] = {}
    for path in sorted(run.rglob("*")):
        name = str(path.relative_to(run))
        if path.name == "config.json":
            kept = {key: each for key, each in json.loads(path.read_text()).items() if key != "crc32"}
            found[name] = settings(kept)
        elif path.name == "summary.csv":
            # as text: what is compared is what was written
            found[name] = _columns(pd.read_csv(path, dtype=str, keep_default_na=False))
        elif path.suffix == ".parquet":
            found[name] = _columns(pd.read_parquet(path))
        elif path.name == "_CHECKPOINT_METADATA":
            found[str(path.parent.relative_to(run))] = checkpoint(path.parent)
    return found


def _columns(table: pd.DataFrame) -> Values:
    return {name: table[name].to_numpy() for name in table}


def differing(one: np.ndarray, other: np.ndarray) -> str:
    """How two arrays differ, to the bit; empty where they are the same."""
    if (one.dtype, one.shape) != (other.dtype, other.shape) and one.dtype.kind + other.dtype.kind != "UU":
        return f"{one.dtype} {list(one.shape)} became {other.dtype} {list(other.shape)}"
    if one.dtype.kind in "OU":
        unequal = np.atleast_1d(one != other)
    else:
        bits = [np.ascontiguousarray(each).view(np.uint8).reshape(one.size, -1) for each in (one, other)]
        unequal = (bits[0] != bits[1]).any(axis=1)
    if not unequal.any():
        return ""
    return f"{one} became {other}" if one.ndim == 0 else f"{unequal.sum():,} of {unequal.size:,} differ"


def differences(old: Mapping[str, Values], new: Mapping[str, Values]) -> list[str]:
    """What differs between two runs, a line each; columns and settings that only the new one has do not."""
    found = []
    for file, values in {point_renamed(file): values for file, values in old.items()}.items():
        if "point" in values:
            points = [point_renamed(each) for each in values["point"]]
            values = {**values, "point": np.array(points, values["point"].dtype)}
        if file not in new:
            found.append(f"{file} is missing")
            continue
        grows = file.endswith((".json", ".csv", ".parquet"))
        table = RENAMED["settings" if file.endswith(".json") else "columns"] if grows else {}
        named = {renamed(name, table): each for name, each in values.items()}
        for name, each in named.items():
            if name not in new[file] and file.endswith(".json") and LACKING.get(name) == str(each):
                continue
            how = differing(each, new[file][name]) if name in new[file] else "is missing"
            found += [f"{file}: {name}: {how}"] if how else []
        found += [f"{file}: {name}: is new" for name in new[file] if name not in named and not grows]
    return [*found, *(f"{file} is new" for file in new if file not in map(point_renamed, old))]


def compared(name: str, old: Path, new: Path) -> list[str]:
    """What differs between two homes' runs of a case; a run that failed shows nothing."""
    failed = {"first": old / f"{name}.failed", "second": new / f"{name}.failed"}
    if said := [f"failed in the {which} revision: {path.read_text()}"
                for which, path in failed.items() if path.exists()]:  # fmt: skip
        return said
    return differences(contents(old / name), contents(new / name))


def compared_experiments(old: Path, new: Path) -> list[str]:
    """What differs between the settings of the named experiments."""
    said = [json.loads((home / "experiments.json").read_text()) for home in (old, new)]
    one, other = ({f"{name}.json": settings(each) for name, each in tree.items()} for tree in said)
    return differences(one, other)


def told(name: str, found: Sequence[str]) -> str:
    """A line about a case: ``same``, or what differs first and how much else does."""
    if not found:
        return f"{name:28} same"
    return f"{name:28} DIFFERS: {found[0]}" + (f" (and {len(found) - 1} more)" if found[1:] else "")


def unpacked(revision: str, folder: Path) -> Path:
    """The files of a revision, in a folder of their own."""
    packed = subprocess.run(
        ["git", "archive", "--format=tar", revision], cwd=ROOT, check=True, stdout=subprocess.PIPE
    )
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as files:
        files.extractall(folder, filter="data")
    return folder


def drive(work: Path, order: Order) -> None:
    """Make the runs of one revision, in a process of its own.

    Raises:
        subprocess.CalledProcessError: it ended before all cases were tried.
    """
    home = Path(order.home)
    home.mkdir()
    own = {
        "PYTHONPATH": order.tree, "JAX_NUM_CPU_DEVICES": "2", "XDG_CACHE_HOME": str(home / "cache"),
        "JAX_COMPILATION_CACHE_DIR": str(work / "xla"), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }  # fmt: skip
    program = work / "runs.py"
    if not order.before:  # both revisions run one program, whatever is edited meanwhile
        shutil.copy(ROOT / "tests" / "same_bits_runs.py", program)
    command = [sys.executable, "-P", str(program), json.dumps(order._asdict())]
    subprocess.run(command, cwd=work, env={**os.environ, **own}, check=True)


def compare(trees: Sequence[Path], work: Path, only: Sequence[str], whole: bool) -> int:
    """Drive two trees, tell what differs, and give the exit status."""
    old, new = work / "first", work / "second"
    called = {new: old for old, new in RENAMED["settings"].items()} | dict.fromkeys(ADDED, "")
    drive(work, Order(str(trees[0]), str(old), "", called, {}, list(only), whole))
    drive(work, Order(str(trees[1]), str(new), str(old), called, RENAMED["experiments"], list(only), whole))
    found = {"named experiments": compared_experiments(old, new)}
    said = json.loads((old / "names.json").read_text())
    names = cases(said["registries"], said["settings"])
    for name in [*found, *names]:
        if name in names and only and name not in only:
            continue
        found[name] = found[name] if name in found else compared(name, old, new)
        print(told(name, found[name]), flush=True)
    return int(any(found.values()))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.same_bits", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("revision", help="the revision before, as git calls it")
    parser.add_argument("second", nargs="?", help="the revision after; the working tree by default")
    parser.add_argument("--case", nargs="+", default=[], help="only these cases, by the names that are told")
    parser.add_argument("--whole", action="store_true", help="compile every case as for users; slow")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        first = unpacked(given.revision, work / "first_tree")
        second = unpacked(given.second, work / "second_tree") if given.second else ROOT
        sys.exit(compare((first, second), work, given.case, given.whole))


if __name__ == "__main__":
    main()
