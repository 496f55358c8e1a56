"""Effective sparsity: which of the weights that a mask keeps lie on a way from inputs to outputs.

A weight that is kept is idle where the inputs do not reach it or no output needs it (Vysogorets & Kempe 2023,
"Connectivity matters: neural network pruning through the lens of effective sparsity").
"""

from collections.abc import Collection, Sequence
from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from ltjax.analysis import probing
from ltjax.analysis.analyses import ANALYSES
from ltjax.analysis.lanes import FinishedLane
from ltjax.core.keys import named_key
from ltjax.core.trees import map_with_path
from ltjax.core.types import Mask, Params
from ltjax.models import Network
from ltjax.sparsity import masks


@ANALYSES.register("effective_sparsity")
def effective_sparsity(lanes: Sequence[FinishedLane]) -> pd.DataFrame:
    """Which kept weights lie on a way from inputs to outputs, layer by layer (Vysogorets & Kempe 2023).

    A row for each lane and layer, and one, of layer "", for all together. Columns: who the lane is;
    ``percent_remaining``; ``layer``; ``weights``, all that it has; ``kept``; ``effective``, how many of
    these are reached and needed; ``percent_effective``, of all weights.
    """
    rows = []
    for lane in lanes:
        kinds = tuple(layer.path for layer in lane.layers if layer.kind is not None)
        kept = masks.counted(lane.mask, kinds)
        found = masks.counted(effective(lane, kinds), kinds)
        layers = {path: (np.size(leaf), int(np.count_nonzero(leaf)), int(np.count_nonzero(found[path])))
                  for path, leaf in kept.items()}  # fmt: skip
        whole = tuple(sum(each) for each in zip(*layers.values(), strict=True))
        for layer, (weights, left, used) in {"": whole, **layers}.items():
            rows.append({
                **lane.identity, "percent_remaining": lane.percent_remaining, "layer": layer,
                "weights": weights, "kept": left, "effective": used,
                "percent_effective": masks.percent(used, weights),
            })  # fmt: skip
    return pd.DataFrame(rows)


def effective(lane: FinishedLane, kinds: Collection[str]) -> Mask:
    """The mask of the weights that lie on a way from inputs to outputs.

    One pass forward and one back, with made-up weights in place of those that count: once of both signs and
    once positive, so that no unit is off by chance. A weight whose gradient is not 0 is reached and needed.
    Inputs are made up too; where they are not numbers, such as tokens, they are training examples.
    """
    theta0, mask = lane.theta0, lane.mask
    inputs = probing.inputs(lane.task.data.seen)
    if inputs is None:
        inputs = lane.examples("train", probing.EXAMPLES).values()
    slopes, found = _slopes(lane.task.network), jax.tree.map(np.zeros_like, mask)
    for positive in (False, True):
        made = map_with_path(partial(probing.weights, kinds, positive), theta0.params, mask)
        own = slopes(masks.apply(mask, made), theta0.state, inputs)
        found = jax.tree.map(lambda used, slope: used | (np.asarray(slope) != 0), found, own)
    return jax.tree.map(np.logical_and, found, mask)


@lru_cache(maxsize=4)
def _slopes(network: Network) -> Any:
    """The gradient of a random sum of a network's outputs by its weights."""

    def summed(weights: Params, state: Any, inputs: Any) -> jax.Array:
        """The outputs, added up with random weights."""
        outputs, _ = network.apply(weights, state, inputs, False, named_key(0))
        return sum(
            (jnp.sum(leaf * probing.drawn(leaf.shape)) for leaf in jax.tree.leaves(outputs)), jnp.zeros(())
        )

    return jax.jit(jax.grad(summed))
