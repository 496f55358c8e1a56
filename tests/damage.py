"""Damage every file of a run in turn, do what the messages say, and compare with the undisturbed run."""

import random
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from ltjax.analysis.results import read_study
from ltjax.core.errors import UserError
from ltjax.lanes.snapshots import Snapshot
from ltjax.lottery.loop import Round
from ltjax.runs import checkpoints, opening, paths
from ltjax.runs.folder import Run
from ltjax.runs.merging import Piece
from ltjax.runs.opening import open_run
from ltjax.runs.partial import Begun

from .conftest import TINY

LANES = 4
SNAPSHOT = Snapshot(
    20, [np.arange(100.0 * LANES).reshape(LANES, 100)],
    {"steps": np.arange(2), **{each: {"test": np.ones((2, LANES))} for each in ("loss", "accuracy")}},
)  # fmt: skip
"""Of the lanes of a round of TINY."""

KINDS = (
    "config.json", "environment.json", "summary.csv", "curves/round_001_part_0.parquet",
    "checkpoints/theta0/trial_1", "checkpoints/rounds/round_000_part_0", "checkpoints/begun",
)  # fmt: skip
"""A file of each kind in a run's folder, or a folder of files."""


def rounds_of(run: Run) -> list[Round]:
    """What training found in a run's rounds; writing it into other folders trains nothing."""
    parts = [(path, note) for round in sorted(run.parts) for path, note in run.parts[round]]
    return [
        Piece(run.folder, "", run, path, note, tuple(range(len(note["rows"])))).load() for path, note in parts
    ]


def write(folder: Path, rounds: Sequence[Round]) -> Run:
    """Do with a folder what the command line does, as far as files go: what training finds is known."""
    run = open_run(folder, TINY)
    opening.restore_theta0(run)
    opening.write_environment(folder, {"versions": {}})
    begun = Begun(folder, 0.0)
    for found in rounds:
        snapshots = begun.of(found.index, [("", lane) for lane in found.lanes])
        if snapshots.begun:
            np.testing.assert_array_equal(snapshots.begun.state[0], SNAPSHOT.state[0])
        if set(found.lanes) - run.lanes(found.index):
            snapshots.keep(SNAPSHOT)
            run.save(found, 0.0)
    return run


def read(folder: Path) -> list[object]:
    """All that a run's folder holds, as it is read: its tables as text, and the checksums of all arrays."""
    run = Run(folder)
    study = read_study([folder]).runs[0]
    order = ["round", "arm", "trial", "repeat", "split", "step"]
    found = [study.summary.to_csv(), study.curves.sort_values(order).to_csv(index=False)]
    found += [checkpoints.checksums(run.theta0(trial)) for trial in range(TINY.trials)]
    # one part a round, unless a test has made it otherwise
    found += [
        checkpoints.checksums(checkpoints.load(paths.part(folder, round, 0))) for round in sorted(run.parts)
    ]
    return found


def mended(folder: Path, rounds: Sequence[Round]) -> list[str]:
    """Continue and read a run, doing what its messages say, and tell these."""
    messages: list[str] = []
    while len(messages) < 4:
        try:
            write(folder, rounds)
            read(folder)
            return messages
        except UserError as error:
            messages.append(str(error))
            path = advised(str(error))
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    raise AssertionError(f"no end of messages: {messages}")


def advised(message: str) -> Path:
    """What a message says is to be removed."""
    quoted = re.search(r"[Rr]emove '([^']+)'", message)
    if quoted is None:
        assert re.search(r"remove (it|that file|that folder)", message), f"there is no advice in: {message}"
        quoted = re.search(r"'([^']+)'", message)
    assert quoted
    return Path(quoted[1])


def truncate(path: Path, at: float) -> None:
    """Cut a file."""
    path.write_bytes(path.read_bytes()[: int(at * path.stat().st_size)])


def flip(path: Path, at: float) -> None:
    """Flip one bit of a file."""
    content = bytearray(path.read_bytes())
    content[int(at * len(content))] ^= 1 << int(at * 1009) % 8
    path.write_bytes(content)


Damage = tuple[Callable[[Path, float], None], float]
"""What is done to a file, and where."""


def damages(number: int, seed: int) -> list[Damage]:
    """So many, of which the first two cut a file and the others flip a bit at random."""
    draw = random.Random(seed)
    return [(truncate, 0.5), (truncate, 0.0), *((flip, draw.random()) for _ in range(number))][:number]


def files(run: Path) -> Iterator[Path]:
    """The files of each of ``KINDS`` that are not empty, by their paths in the run's folder."""
    for kind in KINDS:
        found = [run / kind] if (run / kind).is_file() else sorted((run / kind).rglob("*"))
        yield from (path.relative_to(run) for path in found if path.is_file() and path.stat().st_size)


def damaged(run: Path, file: Path, damage: Damage, rounds: Sequence[Round], to: Path) -> tuple[bool, bool]:
    """Damage a file in a copy of a run and mend it: was it told, and is all as in the run then?"""
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(run, to)
    damage[0](to / file, damage[1])
    return bool(mended(to, rounds)), read(to) == read(run)


def table(run: Path, rounds: Sequence[Round], number: int, seed: int) -> tuple[list[str], int]:
    """Each file damaged so many times: the rows of a table in Markdown, by kind, and how many went wrong."""
    counts = {kind: [0, 0, 0] for kind in KINDS}
    for place, file in enumerate(files(run)):
        kind = next(kind for kind in KINDS if str(file).startswith(kind))
        for damage in damages(number, seed + place):
            told, right = damaged(run, file, damage, rounds, run.parent / "damaged")
            counts[kind] = [old + new for old, new in zip(counts[kind], (1, told, not right), strict=True)]
    rows = [f"| {kind} | " + " | ".join(map(str, count)) + " |" for kind, count in counts.items()]
    return rows, sum(count[-1] for count in counts.values())
