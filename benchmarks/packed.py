"""How large a run is in its folder, by what is kept, and packed: Conv-2, five trials, rounds 0 to 21.

    python benchmarks/packed.py [EXPERIMENT] [--trials 5] [--rounds 21]

Nothing is trained: each round's weights are drawn at random, as incompressible as trained ones, and pruned as
a run would prune them; curves are as many as the experiment's, of random numbers. It prints a Markdown table.
"""

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
from rich.filesize import decimal

from ltjax import load_experiment
from ltjax.core.trees import stack
from ltjax.lanes.history import History, curves, summarise
from ltjax.lottery.loop import Round
from ltjax.lottery.resolving import resolve
from ltjax.lottery.search import Nothing, Outcome, Search
from ltjax.runs.opening import open_run
from ltjax.runs.packing import pack
from ltjax.runs.thinning import thin
from ltjax.settings.schema import Experiment


def rounds(experiment: Experiment) -> Iterator[Round]:
    """The rounds of a run whose training is a draw of random numbers."""
    resolved, draw = resolve(experiment), np.random.default_rng(0)
    search = Search(resolved.experiment, Nothing(), resolved.tasks[""], resolved.rehearsals[""])
    for index in range(experiment.prune.rounds + 1):
        lanes = resolved.lanes("", index)
        starts = search.starts(index, lanes)
        trained = [jax.tree.map(lambda leaf: draw.normal(size=leaf.shape).astype(np.float32), start.params)
                   for start in starts]  # fmt: skip
        for lane, start, params in zip(lanes, starts, trained, strict=True):
            if search.needs(index, lane):
                search.keep(index, lane, Outcome(start.mask, params, {}))
        history = measured(experiment, len(lanes), draw)
        masks = [start.mask for start in starts]
        theta0 = {lane.trial: search.theta0(lane.trial).params for lane in lanes}
        yield Round(
            index, tuple(lanes), theta0, stack(masks),
            stack(trained), {}, summarise(lanes, index, history, masks), curves(lanes, index, history),
            ahead=search.ahead(index, lanes),
        )  # fmt: skip


def measured(experiment: Experiment, lanes: int, draw: np.random.Generator) -> History:
    """Losses and accuracies at every evaluation, at random."""
    steps = np.arange(0, experiment.train.steps + 1, experiment.train.evaluate_every)
    table = {split: draw.random((lanes, len(steps))) for split in ("train", "validation", "test")}
    return History(steps, table, table, table["train"][:, -1])


def folder_bytes(folder: Path) -> int:
    """The bytes of the files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main() -> None:
    """Make the run, thin it step by step, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("experiment", nargs="?", default="conv2_iterative")
    parser.add_argument("--trials", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=21)
    asked = parser.parse_args()
    named = load_experiment(asked.experiment)
    experiment = replace(
        named, trials=asked.trials, prune=replace(named.prune, rounds=asked.rounds),
        compute=replace(named.compute, keep="tickets"),
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as home:
        folder, file = Path(home) / "run", Path(home) / "run.tar.gz"
        run = open_run(folder, experiment)
        for found in rounds(experiment):
            run.save(found, 0.0)
        print(f"| {asked.experiment}, {asked.trials} trials, rounds 0 to {asked.rounds} | size |\n|---|---:|")
        print(f"| folder, `--keep tickets` | {decimal(folder_bytes(folder))} |")
        thin(run, "masks")
        print(f"| folder, `--keep masks` | {decimal(folder_bytes(folder))} |")
        print(f"| packed | {decimal(pack(folder, file))} |")


if __name__ == "__main__":
    main()
