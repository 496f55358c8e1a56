"""One lane of a run as files for other tools: params, mask, smaller forms of both, and the experiment."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from ltjax.core.errors import UserError
from ltjax.core.files import write_text
from ltjax.core.safetensors import STATISTICS, metadata, save_tensors
from ltjax.core.trees import nested
from ltjax.core.types import Lane, Mask, Params
from ltjax.core.version import __version__
from ltjax.export.csr import to_sparse
from ltjax.export.folded import to_tree
from ltjax.export.variants import Forms, make_forms
from ltjax.lottery.own_masks import params_begun
from ltjax.lottery.rehearsal import rehearse
from ltjax.lottery.search import Outcome, Search, begin
from ltjax.runs.folder import Run
from ltjax.settings import compatible
from ltjax.settings.schema import OF_DATA
from ltjax.sparsity import masks
from ltjax.training.tasks import task_of

CONTENTS = {
    "theta0": "the trial's initial params, unmasked: what --model.start takes",
    "initial": "what the lane began with, under its mask",
    "mask": "which weights survive, bool",
    "final": "params after training, pruned weights at 0 or at the values that they were given",
    "collections": "what the network carries beside its params after training: BatchNorm's statistics",
    "sparse": "params after training, kernels as compressed sparse rows",
    "compacted": "the smaller dense network with the same outputs, BatchNorm folded into its kernels",
    "units": "units, channels and inputs that the compacted network has, as indices into the trained one's",
}
"""What is written, each as NAME.safetensors."""

CONFIG = "config.json"
"""The experiment, beside them."""

CARD = ("card.md", "card.json")
"""What the lane is and what its forms take, for people and for programs."""


class Export(NamedTuple):
    """What was exported: the lane's outcome, its forms or why there are none, and a line for each file."""

    outcome: Outcome
    forms: Forms | None
    reason: str
    lines: list[str]


def export(run: Run, round: int, lane: Lane, folder: Path) -> Export:
    """Write a lane's files into a folder, each whole or not at all.

    A ticket began with what it was rewound to, under its mask. What another arm began with is drawn again
    from θ₀ and the seed, as when a run is continued; where that no longer gives the run's θ₀ and the lane's
    own mask, or the round before is missing, ``initial`` is left out. So are ``compacted`` and ``units``
    where there are no forms (``forms.make_forms`` says why). Nothing of an earlier export stays.

    Raises:
        UserError: the run has no such lane, or the folder holds something else.
        OSError: it cannot be written.
    """
    found = run.outcome(round, lane)
    trees: dict[str, Any] = {
        "theta0": run.theta0(lane.trial), "initial": _initial(run, round, lane),
        "mask": found.mask, "final": found.trained, "collections": found.collections or None,
        "sparse": to_sparse(found.trained, _needed(found)),
    }  # fmt: skip
    _check_folder(folder)
    forms, reason = _forms(run, found)
    trees["compacted"] = to_tree(forms.compacted.network) if forms else None
    trees["units"] = nested(forms.compacted.units) if forms else None
    facts = {"ltjax": __version__, "experiment": run.experiment.name, "round": round, **lane._asdict()}
    for name in CARD:  # an earlier export's would be taken for this lane's
        (folder / name).unlink(missing_ok=True)
    own = {"final": {"collections": STATISTICS}} if found.collections else {}
    lines = [_write(folder / f"{name}.safetensors", tree,
                    {**facts, "content": CONTENTS[name], **own.get(name, {})})
             for name, tree in trees.items() if tree is not None]  # fmt: skip
    write_text(folder / CONFIG, compatible.to_json(run.experiment))
    lines.append(f"{folder / CONFIG}: the experiment")
    for name in (name for name, tree in trees.items() if tree is None):
        (folder / f"{name}.safetensors").unlink(missing_ok=True)
    if trees["initial"] is None:
        why = "because what the lane began with cannot be drawn again from the run"
        lines.append(f"not written: {folder / 'initial.safetensors'}, {why}")
    if reason:
        lines.append(f"not compacted, because {reason}")
    return Export(found, forms, reason, lines)


def _forms(run: Run, found: Outcome) -> tuple[Forms | None, str]:
    """The forms of what was trained, or why there are none."""
    experiment, task = run.experiment, task_of(run.experiment)
    if experiment.task.name not in OF_DATA:
        return None, f"the task '{experiment.task.name}' has no wiring"
    shape = task.data.seen.shape
    try:
        return make_forms(experiment.model, shape, task.data.classes, found.trained, found.collections), ""
    except UserError as error:
        return None, str(error)


def _initial(run: Run, round: int, lane: Lane) -> Params | None:
    """What a lane began with, or None where it cannot be had again."""
    experiment, task = run.experiment, task_of(run.experiment)
    try:
        if lane.arm == "ticket" and not (lane.repeat and round == 0):
            ticket = run.ticket(round, lane.trial)
            return _with_pruned(params_begun(experiment, ticket), ticket.mask, ticket.pruned)
        drawn = begin(experiment, task.network, lane.trial).params
        search = Search(experiment, run, task, rehearse(experiment, task), only=[lane.trial])
        start = search.starts(round, [lane])[0]
    except UserError:  # the round before is not in the run, or the file of model.start is gone
        return None
    # another version of JAX may draw other numbers from the same seed
    same = _equal(drawn, run.theta0(lane.trial)) and _equal(start.mask, run.began(round, lane))
    return _with_pruned(start.params, start.mask, start.pruned) if same else None


def _with_pruned(params: Params, mask: Mask, pruned: Params | None) -> Params:
    """Params with the values of pruned weights, where these have any."""
    return jax.tree.map(np.asarray, params if pruned is None else masks.weights(params, mask, pruned))


def _needed(found: Outcome) -> Mask:
    """The weights that the trained network needs: those that survive, and pruned ones that are not 0."""
    return jax.tree.map(lambda keep, leaf: keep | (leaf != 0), found.mask, found.trained)


def _equal(one: Params, two: Params) -> bool:
    return bool(jax.tree.all(jax.tree.map(np.array_equal, one, two)))


def _write(path: Path, tree: Params, facts: Mapping[str, object]) -> str:
    save_tensors(path, tree, {name: str(fact) for name, fact in facts.items()})
    return f"{path}: {facts['content']}"


def _paths(folder: Path) -> list[Path]:
    """Every file that an export may have."""
    return [folder / name for name in (*(f"{name}.safetensors" for name in CONTENTS), CONFIG, *CARD)]


def _check_folder(folder: Path) -> None:
    """Refuse a folder in which anything would be mixed up with the export, a run's above all."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"'{folder}' is a file; choose another folder with --to.")
    # a name that begins with a dot is of a write that was killed
    found = {path for path in folder.glob("*") if not path.name.startswith(".")}
    if others := found - set(_paths(folder)):
        raise UserError(
            f"'{folder}' holds more than an export ('{min(others).name}'); choose another with --to."
        )
    if found and not any(_is_exported(path) for path in found):
        raise UserError(f"'{folder}' holds files that no export wrote; choose another with --to.")


def _is_exported(path: Path) -> bool:
    return path.suffix == ".safetensors" and {"ltjax", "content"} <= metadata(path).keys()
