"""What is pruned of a network, layer by layer: paths, shapes, kinds, rates, and how much of each is kept."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ltjax.core.trees import leaves_by_path
from ltjax.core.types import Mask
from ltjax.settings.schema import Prune
from ltjax.sparsity import counts, selection
from ltjax.sparsity.structures import structure_of
from ltjax.training.task import Task


class Layer(NamedTuple):
    """A leaf of the params.

    ``kind`` is None where it is neither pruned nor counted; ``rate`` is None where it is never pruned.
    """

    path: str
    shape: tuple[int, ...]
    kind: str | None
    rate: float | None

    @property
    def weights(self) -> int:
        """How many there are."""
        return int(np.prod(self.shape, dtype=int))


def layers(task: Task, prune: Prune) -> list[Layer]:
    """Every leaf of a task's params, in the params' own order.

    Raises:
        UserError: ``prune.rate_by_path`` or ``prune.output`` matches nothing.
    """
    rates = selection.rates_by_path(task.kinds, prune.rates, prune.rate_by_path)
    return [
        Layer(path, tuple(leaf.shape), task.kinds.get(path), rates.get(path))
        for path, leaf in leaves_by_path(task.shapes[0]).items()
    ]


def kept(task: Task, prune: Prune, first: Mask | None = None) -> Mapping[str, Sequence[int]]:
    """The surviving weights of every layer that counts, in rounds 0 to ``prune.rounds``.

    Layers that are ranked together have no numbers of their own before training: of them it is round 0 alone.
    ``first`` is the mask of round 0, where it is not dense.
    """
    shapes, structure = task.shapes[0], structure_of(prune.structure, lambda: task.axes)
    by_group = counts.surviving_by_group(shapes, prune, task.kinds, structure, first)
    alone = {group[0]: [each[group] for each in by_group] for group in by_group[0] if len(group) == 1}
    there = counts.alive(shapes, task.kinds, first)
    return {path: alone.get(path, [number]) for path, number in there.items()}
