"""Kill a small run at random moments, continue it each time, and look at what was lost.

    python -m tests.faults --kills 50 [--damages 10] [--seed 0]

A run is killed again and again in one folder until it is finished; then another is begun, until there were
so many kills. After each: files are whole or not there, what they hold is the undisturbed run's, and nothing
that was finished is gone. And of each finished run: its tables, curves, masks, params and θ₀ are those of the
undisturbed run, bit for bit, and nothing is left over. Exit status 1 if anything was lost.
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ltjax.lottery.loop import find_tickets
from ltjax.runs import checkpoints, paths, tables
from ltjax.runs.folder import read_config

from . import damage
from .conftest import TINY
from .mortal import Place

ROOT = Path(__file__).parent.parent
SMALL = (
    "--config digits --trials 2 --arms.reinit 1 --seed 3 --data.validation 100 --model.widths 16 12 "
    "--train.steps 60 --train.batch 30 --train.evaluate-every 20 --train.evaluate-batch 128 --prune.rounds 2 "
    "--compute.snapshot-minutes 1e-9 --keep all"
).split()
"""Two trials, two arms, three rounds, a snapshot at every evaluation; some seconds."""

TABLE, ROUND, THETA0, BEGUN = (
    r"(curves/)?\.(round|summary|config|environment)", r"checkpoints/rounds/", r"checkpoints/theta0/",
    r"checkpoints/begun/",
)  # fmt: skip
UNFINISHED = rf"[^/]+{checkpoints.UNFINISHED}$"

ANY = "any moment, importing and compiling included"

MOMENTS: dict[str, tuple[str, int, float] | None] = {
    ANY: None,
    "a checkpoint begun, up to 60 ms later": (rf"mkdir {ROUND}{UNFINISHED}", 2, 0.06),
    "before a checkpoint has its name": (rf"rename {ROUND}", 2, 0.0),
    "while a checkpoint gets its name": (rf"rename {ROUND}", 2, 0.0005),
    "curves written, checkpoint not begun": (rf"mkdir {ROUND}{UNFINISHED}", 3, 0.0),
    "checkpoint written, summary not begun": (r"open \.summary", 2, 0.0),
    "half of a table, configuration or environment": (f"sync {TABLE}", 4, 0.0),
    "before one of these has its name": (r"rename (curves/round|summary|config|environment)", 4, 0.0),
    "a snapshot begun, up to 60 ms later": (rf"mkdir {BEGUN}{UNFINISHED}", 6, 0.06),
    "while an older snapshot is removed": (rf"(rename|rmtree|remove|rmdir) {BEGUN}\S+-removed", 9, 0.002),
    "while θ₀ is kept, up to 60 ms": (rf"mkdir {THETA0}{UNFINISHED}", 2, 0.06),
}
"""Where: the event, the last of them that may be chosen, and the most seconds between it and the kill."""

THINNING = "while a part is thinned, up to 20 ms later"
THINNED = (rf"(mkdir|rename|rmtree) {ROUND}", 9, 0.02)
"""As in ``MOMENTS``, of ``ltjax keep`` and a finished run."""


@dataclass
class Kill:
    """A moment, the event at which it came or the last before it, and what was lost."""

    moment: str
    at: str
    lost: list[str]


class Trial:
    """Folders in which runs are killed, beside that of the undisturbed run."""

    def __init__(self, home: Path, seed: int) -> None:
        self.home, self.random, self.count = home, random.Random(seed), 0
        self.undisturbed = home / "undisturbed"
        self.live(self.undisturbed, Place())  # compiles
        self.thinned = Path(shutil.copytree(self.undisturbed, home / "thinned"))
        self.live(self.thinned, Place(), thin=True)
        began = time.monotonic()
        status, _ = self.live(home / "timed", Place())
        self.seconds = time.monotonic() - began
        assert status == 0, "the undisturbed run failed"

    def live(
        self, folder: Path, place: Place, seconds: float | None = None, thin: bool = False
    ) -> tuple[int, list[str]]:
        """Run in a folder, and kill it at a place or after some seconds: its exit status and what it did.

        Where it is to ``thin``, the folder holds a finished run.
        """
        log = self.home / "log"
        log.unlink(missing_ok=True)
        command = [
            sys.executable,
            "-m",
            "tests.mortal",
            log,
            place.to_json(),
            *(["keep", folder, "--keep", "masks"] if thin else ["--", *SMALL, "--workdir", folder]),
        ]
        process = subprocess.Popen(command, cwd=ROOT, env=self.environment(), stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True)  # fmt: skip
        try:
            output = process.communicate(timeout=seconds)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            output = process.communicate()[0]
        self.output = output
        return process.returncode, log.read_text().splitlines() if log.exists() else ["nothing"]

    def environment(self) -> dict[str, str]:
        """Two devices and kept compilations, as in the tests, unless the environment says otherwise."""
        cache = str(self.home / "cache")
        ours = {"JAX_NUM_CPU_DEVICES": "2", "XDG_CACHE_HOME": cache, "JAX_COMPILATION_CACHE_DIR": cache,
                "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}  # fmt: skip
        return {**ours, **os.environ}

    def kills(self, number: int) -> list[Kill]:
        """So many kills, of all moments in turn, each told as it comes; the last run is finished, too."""
        done: list[Kill] = []
        folder, moments = self.fresh(), [*MOMENTS, ANY, ANY] * (1 + number // len(MOMENTS))
        self.random.shuffle(moments)
        while len(done) < number:
            before = finished(folder)
            status, events = self.kill(folder, moments[-1])
            if status == 0:  # it was finished before that moment came
                self.judge(folder, done)
                folder = self.fresh()
                continue
            kill = Kill(moments.pop(), events[-2] if events[-1] == "SIGKILL" else events[-1], [])
            kill.lost = [] if status == -9 else [f"exit status {status}: {self.output[-300:]}"]
            kill.lost += self.harm(folder) + [f"{path} is gone" for path in before - finished(folder)]
            done.append(kill)
            print(
                f"{len(done):3}  {kill.moment}; at: {kill.at}; lost: {kill.lost or 'nothing'}",
                flush=True,
            )
        if self.live(folder, Place())[0]:
            done[-1].lost.append(f"it could not be continued: {self.output[-300:]}")
        self.judge(folder, done)
        return done

    def judge(self, folder: Path, done: list[Kill]) -> None:
        """Compare a finished run with the undisturbed one; what is lost is the last kill's. Then thin it."""
        lost = self.end(folder)
        assert done or not lost, f"without any kill: {lost}"
        for kill in done[-1:]:
            kill.lost += lost + self.killed_thinning(folder)

    def killed_thinning(self, folder: Path) -> list[str]:
        """What a finished run lacks after its thinning was killed and repeated."""
        event, most, latest = THINNED
        place = Place(event, self.random.randint(1, most), self.random.uniform(0, latest))
        status, events = self.live(folder, place, thin=True)
        print(f"     {THINNING}; at: {events[-2]}; status {status}", flush=True)
        if self.live(folder, Place(), thin=True)[0]:
            return [f"it could not be thinned: {self.output[-300:]}"]
        found = [path for path in finished(self.thinned) if path.parts[0] == "checkpoints"]
        others = finished(folder) ^ finished(self.thinned)
        return [
            f"{path} is another after thinning" for path in found
            if not same_checkpoint(folder / path, self.thinned / path)
        ] + [f"{path} is not in both folders after thinning" for path in others]  # fmt: skip

    def fresh(self) -> Path:
        """A folder for another run."""
        self.count += 1
        return self.home / f"run_{self.count}"

    def kill(self, folder: Path, moment: str) -> tuple[int, list[str]]:
        """Continue the run and kill it at such a moment, if it comes."""
        if MOMENTS[moment] is None:
            return self.live(folder, Place(), self.random.uniform(0, self.seconds))
        event, most, latest = MOMENTS[moment]
        # in a new folder all events come; in an older one perhaps only the first
        count = self.random.randint(1, most if not folder.exists() else 1)
        delay = self.random.uniform(0, latest)
        return self.live(folder, Place(event, count, delay, half=event.startswith("sync")))

    def harm(self, folder: Path) -> list[str]:
        """What is there and is not whole, or not the undisturbed run's."""
        found = [f"{path} is another" for path in finished(folder) if not self.same(folder, path)]
        if paths.config(folder).exists():
            read_config(folder)
        if paths.summary(folder).exists():
            lines = paths.summary(self.undisturbed).read_text()
            found += [] if lines.startswith(paths.summary(folder).read_text()) else ["summary.csv is another"]
        return found

    def same(self, folder: Path, path: Path) -> bool:
        """Whether a finished checkpoint or file of curves can be read and is the undisturbed run's."""
        one, two = folder / path, self.undisturbed / path
        try:
            if path.parts[0] == "curves":
                return tables.read_curves(one).equals(tables.read_curves(two))
            return path.parts[0] != "checkpoints" or same_checkpoint(one, two)
        except Exception:
            return False

    def end(self, folder: Path) -> list[str]:
        """What of a finished run is not the undisturbed one's, and what is left over."""
        found = self.harm(folder)
        if others := finished(folder) ^ finished(self.undisturbed):
            found.append(f"these are not in both folders: {others}")
        if paths.summary(folder).read_bytes() != paths.summary(self.undisturbed).read_bytes():
            found.append("summary.csv is another")
        if not pd.read_parquet(folder / "curves").equals(pd.read_parquet(self.undisturbed / "curves")):
            found.append("curves are others")
        left = {path.relative_to(folder) for path in folder.rglob(".*") if path != paths.lock(folder)}
        left |= {path for path in (paths.begun(folder),) if path.exists()}
        return found + [f"{path} was left over" for path in left]


def finished(folder: Path) -> set[Path]:
    """The tables, θ₀ and the checkpoints and curves of finished parts, by their paths in the folder."""
    parts = checkpoints.finished(paths.rounds(folder))
    curves = [paths.curves(folder, *paths.round_and_part(path)) for path in parts]
    theta0 = checkpoints.finished(paths.theta0(folder, 0).parent)
    files = [paths.config(folder), paths.environment(folder), paths.summary(folder)]
    there = {path.relative_to(folder) for path in files if path.exists()}
    return there | {path.relative_to(folder) for path in [*parts, *curves, *theta0]}


def same_checkpoint(one: Path, two: Path) -> bool:
    """Whether two checkpoints hold the same arrays, bit for bit, and rows; each is checked as it is read."""
    first, second = checkpoints.load(one), checkpoints.load(two)
    rows = [checkpoints.note(path).get("rows") for path in (one, two)]
    return checkpoints.checksums(first) == checkpoints.checksums(second) and rows[0] == rows[1]


def table(done: list[Kill]) -> str:
    """What was tried and what was lost, as Markdown."""
    tried = Counter(kill.moment for kill in done)
    lost = Counter(kill.moment for kill in done if kill.lost)
    rows = [f"| {moment} | {tried[moment]} | {lost[moment]} |" for moment in MOMENTS]
    total = f"| all | {len(done)} | {sum(lost.values())} |"
    return "\n".join(["| killed | times | lost something |", "|---|---|---|", *rows, total])


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--damages", type=int, default=10, help="of every file of a finished run")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        trial = Trial(Path(home), given.seed)
        done = trial.kills(given.kills)
        print(f"\nin {trial.count} runs:\n\n{table(done)}\n", flush=True)
        rounds = list(find_tickets(TINY))
        damage.write(Path(home) / "whole", rounds)
        rows, wrong = damage.table(Path(home) / "whole", rounds, given.damages, given.seed)
    print("\n".join(["| damaged | times | told | not as before in the end |", "|---|---|---|---|", *rows]))
    raise SystemExit(bool(wrong) or any(kill.lost for kill in done))


if __name__ == "__main__":
    main()
