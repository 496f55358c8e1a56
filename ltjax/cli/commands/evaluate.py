"""``ltjax evaluate``: loss and accuracy of what a run trained, or of a file."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from ltjax.analysis.evaluation import SPLITS, Evaluation, measured, read_run
from ltjax.cli.checking import check_identity
from ltjax.cli.command import exit_codes
from ltjax.cli.parsing import read
from ltjax.core.errors import UserError
from ltjax.core.safetensors import load_params
from ltjax.core.types import Lane, Params
from ltjax.lanes.history import ACCURACY
from ltjax.models import Collections
from ltjax.settings.loading import load_experiment, run_file
from ltjax.settings.schema import Experiment
from ltjax.training.task import shapes_of
from ltjax.training.tasks import network_of, task_of

PROGRAM = "ltjax evaluate"


@dataclass(frozen=True)
class Options:
    """Loss and accuracy, over whole splits, of a lane that a run trained or of params in a safetensors file.

    They are computed as in training: what a run trained last has the accuracies in its summary.csv.
    """

    what: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN|FILE.safetensors")]
    """Folder of a run (or of one point of a swept run), or file of params."""
    config: str | None = None
    """The experiment that a file is evaluated by: its name, a config.json or a run's folder; or the .py file
    that registers a data set or network of your own, of a run too."""
    round: int | None = None
    """Round of the run's lane."""
    collections: Path | None = None
    """File of what the network carries beside its params (BatchNorm's statistics), where it does; by default
    collections.safetensors beside the file of params, as ltjax export writes it."""
    arm: str = "ticket"
    """Arm of the lane."""
    trial: int = 0
    """Trial of the lane."""
    repeat: int = 0
    """Repeat of the lane."""
    split: Literal["test", "validation", "train", "all"] = "test"
    """What to evaluate on; validation is the experiment's own, held out by its seed."""
    accept_changes: bool = False
    """Evaluate though your code or data are others than the run was begun with; its folder then tells so."""


OF_RUNS = {"round": None, "arm": "ticket", "trial": 0, "repeat": 0}
"""Options that a file has no use for, and what they are where they are not given."""


def main(arguments: list[str] | None = None, program: str = PROGRAM) -> None:
    """The command line; exits with 0, 1 (input or output failed), 2 (unusable), 130 (interrupted) or 143."""
    arguments = sys.argv[1:] if arguments is None else arguments
    with exit_codes(program, arguments):
        options = read(Options, arguments, program)
        is_file = options.what.is_file() or options.what.suffix == ".safetensors"
        params, collections, experiment = _from_file(options) if is_file else _from_run(options)
        task = task_of(experiment)
        dataset = task.load(experiment.data)
        if not is_file:
            config = None if options.config is None else Path(options.config)
            check_identity(options.what, experiment, dataset, config, options.accept_changes, program)
        for split in SPLITS if options.split == "all" else (options.split,):
            found = measured(task, dataset, params, experiment, split, collections)
            print(f"{split:<10}  loss {found.loss:.6f}  {found.metric} {found.value}  ({_of(found)})")


def _of(found: Evaluation) -> str:
    """Over how many examples; of an accuracy, how many of them were right."""
    right = f"{round(found.value * found.examples):,} of " if found.metric == ACCURACY else ""
    return f"{right}{found.examples:,}"


def _from_file(options: Options) -> tuple[Params, Collections, Experiment]:
    if options.config is None:
        raise UserError(f"say with --config NAME or --config RUN whose params '{options.what}' holds.")
    if given := [name for name, default in OF_RUNS.items() if getattr(options, name) != default]:
        raise UserError(f"--{given[0]} is for a run's folder; a file holds the params of one network.")
    experiment = load_experiment(options.config)
    params, collections = shapes_of(network_of(experiment))
    if collections:
        beside = options.collections or options.what.with_name("collections.safetensors")
        collections = load_params(beside, collections)
    return load_params(options.what, params), collections, experiment


def _from_run(options: Options) -> tuple[Params, Collections, Experiment]:
    run = read_run(options.what)
    if options.config is not None and not options.config.endswith(".py"):
        raise UserError("--config is for a safetensors file; a run's folder has its own configuration.")
    if options.collections is not None:
        raise UserError("--collections is for a safetensors file; a run's folder has its own.")
    if options.config is not None:
        run_file(Path(options.config))
    if options.round is None:
        raise UserError(
            f"say with --round which round of '{options.what}', from 0 to {max(run.parts, default=0)}."
        )
    found = run.outcome(options.round, Lane(options.arm, options.trial, options.repeat))
    return found.trained, found.collections, run.experiment
