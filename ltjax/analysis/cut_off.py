"""Networks that pruning has cut off: layers of which nothing is left, or no way from inputs to outputs."""

import functools
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ltjax.analysis import probing
from ltjax.core.keys import named_key
from ltjax.core.texts import spans
from ltjax.core.trees import leaves_by_path, map_with_path
from ltjax.core.types import Lane, Mask, Params
from ltjax.lottery.arms import in_order
from ltjax.lottery.layers import Layer
from ltjax.runs.folder import Run
from ltjax.sparsity import masks
from ltjax.training.task import Task

NAMED = 4
"""Most emptied layers that a sentence names."""


class Cut(NamedTuple):
    """An arm's networks of a round that are cut off.

    ``emptied`` are the paths of layers of which nothing is left, in any of its lanes; ``closed`` says whether
    one answers the same whatever it is given.
    """

    round: int
    arm: str
    emptied: frozenset[str]
    closed: bool


def cut_off(run: Run, layers: Collection[Layer], task: Task | None = None) -> list[Cut]:
    """What pruning has cut off in a run, from the last round back to one in which nothing is.

    Args:
        run: the run.
        layers: of its network; with none, nothing is known.
        task: what it learns; without it, or where inputs are not floats, only emptied layers are known.

    Raises:
        UserError: a checkpoint is damaged.
    """
    counted = [each.path for each in layers if each.kind is not None and each.weights]
    closed = _closed(task, tuple(counted)) if task and counted and _is_of(task, layers) else None
    found: list[Cut] = []
    for round in sorted(run.parts, reverse=True):
        here = [cut for cut in _of_round(run, round, counted, closed) if cut.emptied or cut.closed]
        if not here:
            break
        found = here + found
    return found


def _of_round(
    run: Run, round: int, counted: Sequence[str], closed: Callable[[Mask], bool] | None
) -> Iterable[Cut]:
    arms: dict[str, list[Lane]] = {}
    for lane in sorted(run.lanes(round)):
        arms.setdefault(lane.arm, []).append(lane)
    for arm in in_order(arms):
        own = [run.mask(round, lane) for lane in arms[arm]]
        left = [masks.counted(mask, counted) for mask in own]
        emptied = {path for each in left for path, leaf in each.items() if not np.any(leaf)}
        suspects = [mask for mask, each in zip(own, left, strict=True) if _sparse(each.values())]
        yield Cut(round, arm, frozenset(emptied), closed is not None and any(map(closed, suspects)))


def _sparse(leaves: Iterable[Any]) -> bool:
    """Whether a layer reaches no more than half of its units: else any two have units in common."""
    wide = [np.asarray(leaf) for leaf in leaves if np.ndim(leaf) > 1]
    return any(2 * np.count_nonzero(units) <= units.size for leaf in wide for units in _reached(leaf))


def _reached(leaf: np.ndarray) -> list[np.ndarray]:
    """Which inputs and which outputs of a kernel have weights."""
    flat = np.any(leaf.reshape(-1, *leaf.shape[-2:]), axis=0)
    return [np.any(flat, axis=1), np.any(flat, axis=0)]


def _is_of(task: Task, layers: Collection[Layer]) -> bool:
    """Whether layers are those of a task's network, which may have another under the same name by now."""
    shapes = {path: tuple(leaf.shape) for path, leaf in leaves_by_path(task.shapes[0]).items()}
    return shapes == {each.path: each.shape for each in layers}


@functools.lru_cache(maxsize=4)
def _closed(task: Task, counted: tuple[str, ...]) -> Callable[[Mask], bool] | None:
    """Says of a mask whether networks under it answer alike to different inputs, whatever their weights are.

    Weights are drawn anew, once of both signs and once positive, so that no unit is off by chance.
    """
    inputs = probing.inputs(task.data.seen)
    if inputs is None:
        return None
    params, state = jax.jit(task.network.init)(named_key(0))

    @jax.jit
    def alike(weights: Params) -> jax.Array:
        """Whether all examples are answered alike."""
        outputs, _ = task.network.apply(weights, state, inputs, False, named_key(0))
        found = [jnp.all((leaf == leaf[:1]) & jnp.isfinite(leaf)) for leaf in jax.tree.leaves(outputs)]
        return jnp.stack(found).all()

    def closed(mask: Mask) -> bool:
        """Whether both made-up networks answer all examples alike."""
        weights = [map_with_path(functools.partial(probing.weights, counted, positive), params, mask)
                   for positive in (False, True)]  # fmt: skip
        return all(bool(alike(each)) for each in weights)

    return closed


def told(cuts: Sequence[Cut]) -> str:
    """What is cut off, in a sentence; empty where nothing is."""
    paths = dict.fromkeys(path for cut in cuts for path in sorted(cut.emptied))
    emptied = [f"{path} {_where([cut for cut in cuts if path in cut.emptied])}" for path in paths]
    closed = [cut for cut in cuts if cut.closed]
    more = [f"{len(emptied) - NAMED} more layers"] * (len(emptied) > NAMED)
    parts = [f"nothing is left of {', '.join(emptied[:NAMED] + more)}"] * bool(emptied)
    if closed:
        where = _where(closed)
        parts.append(f"no way leads from input to output {where}, and the answer is the same to every input")
    return f"Pruning has cut networks off: {'; '.join(parts)}." if parts else ""


def _where(cuts: Sequence[Cut]) -> str:
    return f"in {spans({cut.round for cut in cuts})} ({', '.join(in_order({cut.arm for cut in cuts}))})"
