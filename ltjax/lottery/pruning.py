"""The mask of a round, from scores: how many weights are kept of which layers, in how many steps."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

import jax
import numpy as np

from ltjax.core.found import Found
from ltjax.core.types import Mask
from ltjax.lottery.rehearsal import Functions
from ltjax.settings.schema import Experiment
from ltjax.sparsity import counts, schedules


def pruned(
    experiment: Experiment, functions: Functions, found: Found, kinds: Mapping[str, str],
    sign: Literal[1, -1] = 1,
) -> Mask:  # fmt: skip
    """The mask of a round, from what training left of the lane that its schedule prunes, or from θ₀.

    Args:
        experiment: says how many weights of which layers are kept.
        functions: the experiment's.
        found: what is known of the trial, its mask that of the lane that is pruned.
        kinds: the kind of each leaf that counts, by path.
        sign: what scores are multiplied with; with -1 the lowest are kept.

    Raises:
        UserError: the criterion failed, or weights cannot be ranked.
    """
    prune = experiment.prune
    last = schedules.step_of(prune, found.round).steps or functions.criterion_steps
    for at in range(1, last + 1):
        kept = counts.kept_of(prune, found.round, kinds, found.mask, at / last, functions.structure[1])
        key = found.key if last == 1 else jax.random.fold_in(found.key, at)
        scores = functions.scores(found, key)
        scores = scores if sign == 1 else jax.tree.map(np.negative, scores)
        mask = functions.selected(scores, found.mask, kept)
        found = replace(found, mask=mask)
    return found.mask
