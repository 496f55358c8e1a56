"""A part's checkpoint: what one call of the lane program found, as it is written and read.

It holds the mask of every lane and the next round's masks, in packed bits, and the trained params of those
lanes whose params the run keeps. The note holds all else: the rows of the summary, what was kept, and the
checksums of θ₀.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from ltjax.core.trees import leaves_by_path, nested, stack, take
from ltjax.core.types import Lane, Mask, Params
from ltjax.lottery.loop import Round
from ltjax.models import Collections
from ltjax.runs import checkpoints
from ltjax.sparsity import masks

SHAPES = "shapes"
"""Where a note has the shapes of a mask's leaves; without it a part is of before masks were packed."""

KEPT = "params"
"""Where a note has the places, among the part's lanes, of those whose params were kept."""


BEGUN = "begun"
"""Where a checkpoint has the round's masks, of lanes whose masks changed while they trained."""


class Stored(NamedTuple):
    """What a part's checkpoint holds.

    ``masks`` have a leading axis over ``lanes``, ``trained`` and ``collections`` one over ``kept``, the lanes
    whose params are there; ``ahead`` has the next round's masks by trial. Where training leaves
    lanes masks of their own ``masks`` are these, and ``begun`` the round's.
    """

    lanes: tuple[Lane, ...]
    kept: tuple[Lane, ...]
    masks: Mask
    trained: Params
    collections: Collections
    ahead: dict[int, Mask]
    begun: Mask | None = None

    def mask(self, lane: Lane) -> Mask:
        """The mask of one lane."""
        mask: Mask = take(self.masks, self.lanes.index(lane))
        return mask

    def began(self, lane: Lane) -> Mask:
        """The mask of the round that one lane had before it was trained."""
        mask: Mask = take(self.masks if self.begun is None else self.begun, self.lanes.index(lane))
        return mask


def lanes(note: dict[str, Any]) -> tuple[Lane, ...]:
    """The lanes of a part, in the order of its rows."""
    return tuple(Lane(row["arm"], row["trial"], row["repeat"]) for row in note["rows"])


def kept(note: dict[str, Any]) -> tuple[Lane, ...]:
    """The lanes of a part whose params were kept, in the order in which they lie."""
    own = lanes(note)
    return tuple(own[place] for place in note.get(KEPT, range(len(own))))


def write(
    path: Path, found: Round, wanted: Sequence[Lane], note: dict[str, Any], over: bool = False
) -> dict[str, Any]:
    """Write what a round found; all processes of a job together, each the params that it holds.

    Args:
        path: where.
        found: what was found.
        wanted: the lanes whose params are to be kept.
        note: what is kept beside the arrays.
        over: whether it takes the place of what is there.

    Returns:
        The note as it was written.

    Raises:
        OSError: it could not be written.
    """
    shapes = {name: np.shape(leaf)[1:] for name, leaf in leaves_by_path(found.masks).items()}
    bits = stack([masks.pack(found.mask(lane)) for lane in found.lanes])
    tree = {"mask": bits, "ahead": {str(trial): masks.pack(mask) for trial, mask in found.ahead.items()}}
    if found.begun is not None:
        tree[BEGUN] = stack([masks.pack(found.began(lane)) for lane in found.lanes])
    holders = found.holders or [0] * len(found.lanes)
    places = [at for at, lane in enumerate(found.lanes) if lane in wanted]
    here = [at for at, lane in enumerate(found.held) if lane in wanted]
    own = {"trained": found.trained, "collections": found.collections}
    by_lane = {name: jax.tree.map(lambda leaf: leaf[here], each) for name, each in own.items() if each}
    whole = {**note, SHAPES: shapes, KEPT: places}
    if over:
        checkpoints.replace(path, tree, whole, by_lane if places else {})
    elif places:
        checkpoints.save(path, tree, whole, by_lane, [holders[at] for at in places])
    else:
        checkpoints.save(path, tree, whole)
    return whole


def read(path: Path, note: dict[str, Any]) -> Stored:
    """What a part's checkpoint holds.

    Raises:
        UserError: it is damaged.
    """
    tree = checkpoints.load(path)
    stacked, ahead, begun = tree["mask"], {}, None
    if SHAPES in note:
        like = nested({name: np.empty(shape, bool) for name, shape in note[SHAPES].items()})
        own = [masks.unpack(take(stacked, at), like) for at in range(len(note["rows"]))]
        stacked = stack(own)
        if BEGUN in tree:
            begun = stack([masks.unpack(take(tree[BEGUN], at), like) for at in range(len(note["rows"]))])
        ahead = {int(trial): masks.unpack(bits, like) for trial, bits in tree.get("ahead", {}).items()}
    return Stored(
        lanes(note), kept(note), stacked, tree.get("trained", {}), tree.get("collections", {}), ahead, begun
    )
