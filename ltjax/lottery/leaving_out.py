"""Whether a network can do without whole channels, as its wiring says: the network itself is asked."""

from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ltjax.core.errors import UserError
from ltjax.core.guards import is_library
from ltjax.core.keys import named_key
from ltjax.core.trees import keys_like
from ltjax.core.types import Key, Params, State
from ltjax.lanes.placement import on_cpu
from ltjax.models import MODELS, WIRINGS
from ltjax.settings.schema import OF_DATA, Experiment
from ltjax.sparsity import masks
from ltjax.sparsity.channels import without
from ltjax.training.task import Task

SAME = 1e-5
"""By how much outputs may differ, of the largest of them: rounding."""


def check_wiring(experiment: Experiment, task: Task) -> None:
    """Check a wiring of the user's where whole channels are pruned; ltjax's own make their networks.

    Raises:
        UserError: it is not the network's.
    """
    prune, name = experiment.prune, experiment.model.name
    ours = experiment.task.name in OF_DATA and all(
        found is not None and is_library(found.place)
        for found in (MODELS.definition(name), WIRINGS.definition(name))
    )
    if prune.rounds and hasattr(prune.structure.make(), "along") and not ours:
        check_channels(task)


@lru_cache(maxsize=8)
def check_channels(task: Task) -> None:
    """Check that a network does not see whether the channels that are left out are read.

    Of every axis each second channel is left out, once by what writes it alone, once by what reads it too.
    With made-up weights the outputs are the same, unless the wiring is another network's, or something that
    lies between two layers makes of 0 what is not 0.

    Raises:
        UserError: they differ.
    """
    axes = task.axes
    with on_cpu(), task.guard():
        params, state = task.network.init(named_key(0, "channels"))
        params = jax.tree.map(_made_up, keys_like(named_key(0, "channels", 1), params), params)
        alive = [np.arange(axis.size) % 2 == 0 for axis in axes]
        dense = masks.dense(params)
        written = without(dense, [axis._replace(readers=()) for axis in axes], alive)
        apply = jax.jit(partial(_outputs, task))
        one, other = (jax.tree.leaves(apply(masks.apply(mask, params), state))
                      for mask in (written, without(dense, axes, alive)))  # fmt: skip
    if not all(np.allclose(left, right, rtol=0, atol=SAME * np.abs(left).max(), equal_nan=True)
               for left, right in zip(one, other, strict=True)):  # fmt: skip
        raise UserError(
            "the wiring is not the network's: without every second channel, its outputs change with the "
            "weights that would read these channels; check which step reads which, and that what lies "
            "between layers makes 0 of 0 (docs/extending.md, The wiring of a network)."
        )


def _made_up(key: Key, leaf: Any) -> jax.Array:
    return leaf + 0.1 * jax.random.normal(key, jnp.shape(leaf), jnp.result_type(leaf))


def _outputs(task: Task, params: Params, state: State) -> Any:
    """What comes out of made-up inputs, in evaluation."""

    def inputs(key: Key, leaf: Any) -> jax.Array:
        shape = (2, *leaf.shape)
        floats = jnp.issubdtype(leaf.dtype, jnp.floating)
        return jax.random.normal(key, shape, leaf.dtype) if floats else jnp.zeros(shape, leaf.dtype)

    key, seen = named_key(0, "inputs"), task.data.seen
    return task.network.apply(params, state, jax.tree.map(inputs, keys_like(key, seen), seen), False, key)[0]
