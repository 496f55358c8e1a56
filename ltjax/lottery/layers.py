"""What is pruned of a network, layer by layer: paths, shapes, kinds, rates, and how much of each is kept."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ltjax.core.trees import leaves_by_path
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


def kept(task: Task, prune: Prune) -> Mapping[str, Sequence[int]]:
    """The surviving weights of every layer that counts, in rounds 0 to ``prune.rounds``.

    Layers that are ranked together have no numbers of their own before training: they are left out.
    """
    structure = structure_of(prune.structure, lambda: task.axes)
    by_group = counts.surviving_by_group(task.shapes[0], prune, task.kinds, structure)
    alone = [group for group in by_group[0] if len(group) == 1]
    return {group[0]: [each[group] for each in by_group] for group in alone}
