"""``ltjax export``: one lane of a run as safetensors files."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import jax
import numpy as np
import tyro

from ltjax import backend, identity, masks
from ltjax.catalogue import load_experiment
from ltjax.command import exit_codes
from ltjax.errors import UserError
from ltjax.evaluation import network_of, read_run
from ltjax.files import write_text
from ltjax.options import read
from ltjax.runs import Run
from ltjax.search import Nothing, Search
from ltjax.tensors import save_tensors
from ltjax.types import Lane, Mask, Params
from ltjax.version import __version__

PROGRAM = "python -m ltjax.export"

CONTENTS = {
    "theta0": "the trial's initial params, unmasked: what --model.start takes",
    "initial": "what the lane began with, under its mask",
    "mask": "which weights survive, bool",
    "final": "params after training, pruned weights at 0",
    "collections": "what the network carries beside its params after training: BatchNorm's statistics",
}
"""What is written, each as NAME.safetensors."""

CONFIG = "config.json"
"""The experiment, beside them."""


@dataclass(frozen=True)
class Options:
    """Write one lane of a run as safetensors, which other tools read, and its experiment as config.json.

    The files are theta0 (unmasked: what --model.start takes), initial, mask and final; and collections, where
    the network has BatchNorm.
    """

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """Folder of a run, or of one point of a swept run."""
    round: int
    """Round of the lane."""
    to: Path
    """Folder to write; one that is new, empty, or of an earlier export."""
    arm: str = "ticket"
    """Arm of the lane."""
    trial: int = 0
    """Trial of the lane."""
    repeat: int = 0
    """Repeat of the lane."""
    config: Path | None = None
    """A .py file that registers the run's data set, network or arm, where these are your own."""


def main(arguments: list[str] | None = None, program: str = PROGRAM) -> None:
    """The command line; exits with 0, 1 (input or output failed), 2 (unusable), 130 (interrupted) or 143."""
    arguments = sys.argv[1:] if arguments is None else arguments
    backend.set_up()
    with exit_codes(program, arguments):
        options = read(Options, arguments, program)
        lane = Lane(options.arm, options.trial, options.repeat)
        if options.config:
            load_experiment(options.config)
        print("\n".join(export(read_run(options.run), options.round, lane, options.to)))


def export(run: Run, round: int, lane: Lane, folder: Path) -> list[str]:
    """Write a lane's files into a folder, each whole or not at all.

    A ticket began with θ₀ under its mask. What another arm began with is drawn again from θ₀ and the seed, as
    when a run is continued; where that no longer gives the run's θ₀ and the lane's own mask, or the round
    before is missing, ``initial`` is left out.

    Returns:
        What was written and what was not, a line each.

    Raises:
        UserError: the run has no such lane, or the folder holds something else.
        OSError: it cannot be written.
    """
    found = run.outcome(round, lane)
    search = Search(run.experiment, run, network_of(run.experiment))
    trees = {"theta0": search.theta0(lane.trial), "initial": _initial(search, round, lane, found.mask),
             "mask": found.mask, "final": found.trained}  # fmt: skip
    _check_folder(folder)
    if found.collections:
        trees["collections"] = found.collections
    else:  # an earlier export's would be taken for this lane's
        (folder / "collections.safetensors").unlink(missing_ok=True)
    facts = {"ltjax": __version__, "experiment": run.experiment.name, "round": round, **lane._asdict()}
    lines = [_write(folder / f"{name}.safetensors", tree, {**facts, "content": CONTENTS[name]})
             for name, tree in trees.items()]  # fmt: skip
    write_text(folder / CONFIG, identity.to_json(run.experiment))
    return [*lines, f"{folder / CONFIG}: the experiment"]


def _initial(search: Search, round: int, lane: Lane, mask: Mask) -> Params | None:
    """What a lane began with, or None where it cannot be had again."""
    if lane.arm == "ticket":
        return masks.apply(mask, search.theta0(lane.trial))
    try:
        drawn = Search(search.experiment, Nothing(), search.network).theta0(lane.trial)
        start = search.starts(round, [lane])[0]
    except UserError:  # the round before is not in the run, or the file of model.start is gone
        return None
    # another version of JAX may draw other numbers from the same seed
    same = _equal(drawn, search.theta0(lane.trial)) and _equal(start.mask, mask)
    return masks.apply(mask, start.params) if same else None


def _equal(one: Params, two: Params) -> bool:
    return bool(jax.tree.all(jax.tree.map(np.array_equal, one, two)))


def _write(path: Path, tree: Params | None, facts: Mapping[str, object]) -> str:
    if tree is None:
        path.unlink(missing_ok=True)  # an earlier export's would be taken for this lane's
        return f"not written: {path}, because what the lane began with cannot be drawn again from the run"
    save_tensors(path, tree, {name: str(fact) for name, fact in facts.items()})
    return f"{path}: {facts['content']}"


def _check_folder(folder: Path) -> None:
    """Refuse a folder in which anything would be mixed up with the export, a run's above all."""
    ours = {CONFIG, *(f"{name}.safetensors" for name in CONTENTS)}
    if folder.exists() and not folder.is_dir():
        raise UserError(f"'{folder}' is a file; choose another folder with --to.")
    # a name that begins with a dot is of a write that was killed
    others = {path.name for path in folder.glob("*") if not path.name.startswith(".")} - ours
    if others:
        raise UserError(f"'{folder}' holds more than an export ('{min(others)}'); choose another with --to.")
