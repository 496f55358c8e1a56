"""Structures: among which weights the lowest are looked for, and in which patterns weights survive.

A structure is a pure function ``(scores, mask, kept) -> mask``: ``kept`` says how many weights each group of
layers keeps, by their path names; a group is one layer, unless the structure is ``together``, which ranks all
layers in one. What more a structure may have:

- ``counts(layers, round)``, where its pattern decides how many weights a layer keeps; ``by_density`` False,
  where these follow from rates alone;
- ``along(axes)``, which makes the structure for a network by the axes of its wiring (``core.types.Axis``);
- ``shuffle(key, mask)``, which gives a mask of its pattern at random; else each layer is shuffled by itself.

Adding one takes a function, or a frozen dataclass with parameters and ``__call__``, and its
``@STRUCTURES.register`` line. Whole channels are in ``channels``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, TypeAlias

import numpy as np

from ltjax.core.choices import Choice
from ltjax.core.errors import UserError
from ltjax.core.registry import Registry, registry
from ltjax.core.trees import leaves_by_path, replace_leaves
from ltjax.core.types import Axis, Mask
from ltjax.settings.bounds import ROUNDS, whole
from ltjax.settings.fields import LONGER
from ltjax.sparsity.densities import Layer
from ltjax.sparsity.selection import Group, highest

Structure: TypeAlias = Callable[[Any, Mask, Mapping[Group, int]], Mask]

STRUCTURES: Registry[Callable[..., Any]] = registry("structure")


@STRUCTURES.register("layer")
def layer(scores: Any, mask: Mask, kept: Mapping[Group, int]) -> Mask:
    """Each layer by itself (paper, section 2)."""
    return highest(scores, mask, kept)


@STRUCTURES.register("global")
@dataclass(frozen=True)
class Together:
    """All prunable layers together (paper, section 4); rates must be one for all."""

    together: ClassVar[bool] = True

    def __call__(self, scores: Any, mask: Mask, kept: Mapping[Group, int]) -> Mask:
        """The mask of the highest scores."""
        return highest(scores, mask, kept)


@STRUCTURES.register("n_of_m")
@dataclass(frozen=True)
class NofM:
    """N of every M weights along a layer's inputs, such as 2:4; rates only say which layers are pruned."""

    n: Annotated[tuple[int, ...], whole(1, 64, values=ROUNDS), LONGER] = (2,)
    """How many weights of a group survive in rounds 1, 2, …"""
    m: Annotated[int, whole(2, 64)] = 4
    """The weights of a group, which lie next to each other along the inputs."""

    def counts(self, layers: Mapping[str, Layer], round: int) -> dict[str, int]:
        """What the pattern keeps of each layer.

        Raises:
            UserError: there is no n for the round, it is not below m, or m does not divide a layer's inputs.
        """
        if round > len(self.n):
            raise UserError(
                f"round {round} needs as many prune.structure.n, not {len(self.n)}; two would be "
                "--prune.rounds 2 --prune.structure.n 3 2."
            )
        if not all(one > other for one, other in zip((self.m, *self.n), self.n, strict=False)):
            raise UserError(f"prune.structure.n must fall from round to round, from below m {self.m}.")
        for path, layer in layers.items():
            inputs = layer.shape[-2] if len(layer.shape) > 1 else layer.size
            if inputs % self.m:
                raise UserError(
                    f"prune.structure n_of_m takes groups of {self.m} inputs, and {path} has {inputs}; leave "
                    f"it whole by --prune.rate-by-path '{path}=None', or choose another m."
                )
        return {path: layer.size // self.m * self.n[round - 1] for path, layer in layers.items()}

    def __call__(self, scores: Any, mask: Mask, kept: Mapping[Group, int]) -> Mask:
        """The mask that keeps the highest of each group, as many as make ``kept``."""
        ranked, alive = leaves_by_path(scores), leaves_by_path(mask)
        return replace_leaves(mask, {
            path: self._of_layer(np.asarray(ranked[path]), np.asarray(alive[path]), number)
            for (path,), number in kept.items()
        })  # fmt: skip

    def _of_layer(self, scores: np.ndarray, alive: np.ndarray, number: int) -> np.ndarray:
        inputs = max(alive.ndim - 2, 0)
        last = np.moveaxis(alive, inputs, -1)
        groups = last.reshape(-1, self.m), np.moveaxis(scores, inputs, -1).reshape(-1, self.m)
        order = np.lexsort((groups[1], groups[0]), axis=-1)  # by score, those that are pruned first
        found = np.zeros(groups[0].shape, bool)
        np.put_along_axis(found, order[:, self.m - number // len(found) :], True, axis=-1)
        return np.ascontiguousarray(np.moveaxis(found.reshape(last.shape), -1, inputs)) & alive


def structure_of(chosen: Choice, axes: Callable[[], tuple[Axis, ...]] | None = None) -> Any:
    """The structure that is chosen, for a network.

    Args:
        chosen: an entry of ``STRUCTURES``.
        axes: gives those of the network's wiring, along which some structures go.

    Raises:
        UserError: the structure goes by the wiring, and that is not known.
    """
    structure = chosen.make()
    if not hasattr(structure, "along"):
        return structure
    if axes is None:
        raise UserError(f"prune.structure {chosen.name} goes by a network's wiring, which is not known here.")
    with STRUCTURES.guarded(chosen.name):
        return structure.along(axes())


def together(structure: Any) -> bool:
    """Whether a structure ranks all layers in one."""
    return bool(getattr(structure, "together", False))


def check_rates(rates: Mapping[str, float]) -> None:
    """Check that layers which are ranked together have one rate.

    Raises:
        UserError: there are several.
    """
    firsts = {rate: path for path, rate in reversed(dict(rates).items())}
    if len(firsts) != 1:
        raise UserError(
            "prune.structure global ranks all layers together, so it needs one rate for every pruned layer, "
            f"not {' and '.join(f'{rate} for {path}' for rate, path in firsts.items())}."
        )
