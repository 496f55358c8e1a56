"""Counts: how many weights a round keeps of each layer, in whole numbers, before anything is ranked.

The schedule says how many in all, or at which rates; densities say how they lie over the layers; and some
structures have counts of their own. Nothing is sorted, so the dry run asks the same functions.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ltjax.core.errors import UserError, shown
from ltjax.core.types import Mask, Params
from ltjax.settings.schema import Prune
from ltjax.sparsity import masks
from ltjax.sparsity.densities import Layer, checked
from ltjax.sparsity.schedules import Step, step_of
from ltjax.sparsity.selection import Group, of_kinds, rates_by_path, removed
from ltjax.sparsity.structures import check_rates, structure_of, together

BY_RATES = "rates"
"""The densities that are the rates themselves, layer by layer."""


def kept_of(
    prune: Prune, round: int, kinds: Mapping[str, str], mask: Mask, share: float = 1, structure: Any = None
) -> dict[Group, int]:  # fmt: skip
    """How many weights a round keeps of what a mask leaves, by group of layers that are ranked together.

    Args:
        prune: the settings.
        round: from 1 on.
        kinds: the kind of each leaf that counts, by path.
        mask: what is pruned.
        share: of the way to the round's density, in equal factors.
        structure: the settings', for this network; by default as it is for any.

    Raises:
        UserError: the schedule's density cannot be met, a rate lies outside (0, 1), or densities or structure
            cannot be used so.
    """
    shapes = {path: np.shape(leaf) for path, leaf in masks.counted(mask, kinds).items()}
    structure = structure_of(prune.structure) if structure is None else structure
    return _kept(prune, round, kinds, shapes, alive(mask, kinds, mask), structure, share)


def _kept(
    prune: Prune, round: int, kinds: Mapping[str, str], shapes: Mapping[str, tuple[int, ...]],
    alive: Mapping[str, int], structure: Any, share: float = 1,
) -> dict[Group, int]:  # fmt: skip
    step = step_of(of_kinds(prune, kinds), round)
    if step.density is not None:
        step = step._replace(density=step.density**share)
    rates = rates_by_path(kinds, step.rates, prune.rate_by_path)
    for path, rate in rates.items():
        if not 0 < rate < 1:
            raise UserError(f"the pruning rate of {path} must lie between 0 and 1, not {rate}.")
    layers = {path: Layer(shapes[path], alive[path], rate, kinds[path]) for path, rate in rates.items()}
    if step.density is not None and not getattr(structure, "by_density", True):
        raise UserError(
            f"prune.structure {prune.structure.name} goes by rates, and prune.schedule {prune.schedule.name} "
            "has densities; choose --prune.schedule oneshot, which prunes the dense network too."
        )
    if hasattr(structure, "counts"):
        own = structure.counts(layers, round)
        kept, final = sum(own.values()), step.density is not None and share == 1
        if final and kept != _in_all(step, layers, shapes, alive, structure):
            raise UserError(
                f"prune.schedule.densities must say for round {round} what prune.structure "
                f"{prune.structure.name} keeps, {kept} of the weights that are pruned."
            )
        return {(path,): number for path, number in own.items()}
    if together(structure):
        return {tuple(layers): _in_all(step, layers, shapes, alive, structure)}
    if step.density is None and prune.densities.name == BY_RATES:
        return {(path,): layer.alive - removed(layer.rate, layer.alive) for path, layer in layers.items()}
    total = _in_all(step, layers, shapes, alive, structure)
    found = checked(prune.densities.make()(layers, total), prune.densities.name, layers, total)
    return {(path,): number for path, number in found.items()}


def _in_all(
    step: Step, layers: Mapping[str, Layer], shapes: Mapping[str, tuple[int, ...]],
    alive: Mapping[str, int], structure: Any,
) -> int:  # fmt: skip
    """How many weights the layers that are pruned keep together."""
    there = sum(layer.alive for layer in layers.values())
    if step.density is None:
        if together(structure):
            check_rates({path: layer.rate for path, layer in layers.items()})
            return there - removed(next(iter(layers.values())).rate, there)
        return there - sum(removed(layer.rate, layer.alive) for layer in layers.values())
    whole = sum(math.prod(shape) for shape in shapes.values())
    others = sum(number for path, number in alive.items() if path not in layers)
    kept = round(step.density * whole) - others
    if not 0 < kept <= there:
        raise UserError(
            f"a density of {shown(step.density)} cannot be met: it is {kept + others} of {whole} weights, "
            f"of which {others} are never pruned and {there} are left to prune."
        )
    return kept


def surviving(
    params: Params, prune: Prune, kinds: Mapping[str, str], structure: Any = None, first: Mask | None = None
) -> list[int]:  # fmt: skip
    """The surviving weights of rounds 0 to ``prune.rounds``, untrained (paper, Figure 2's rates)."""
    return [sum(each.values()) for each in surviving_by_group(params, prune, kinds, structure, first)]


def surviving_by_group(
    params: Params, prune: Prune, kinds: Mapping[str, str], structure: Any = None, first: Mask | None = None
) -> list[dict[Group, int]]:  # fmt: skip
    """The surviving weights of every group of layers in rounds 0 to ``prune.rounds``, untrained.

    Layers that are never pruned are groups of their own. How many of a group each of its layers keeps is not
    known before training, where several are ranked together: all of it is counted for the first of them.

    Args:
        params: arrays, or their shapes.
        prune: the settings.
        kinds: the kind of each leaf that counts, by path.
        structure: as ``kept_of`` takes it.
        first: the mask of round 0; by default all weights are there.

    Raises:
        UserError: as ``kept_of``.
    """
    shapes = {path: tuple(np.shape(leaf)) for path, leaf in masks.counted(params, kinds).items()}
    rounds = [alive(params, kinds, first)]
    groups: list[Group] = [(path,) for path in shapes]
    structure = structure_of(prune.structure) if structure is None else structure
    for number in range(1, prune.rounds + 1):
        before = rounds[step_of(of_kinds(prune, kinds), number).before]
        kept = _kept(prune, number, kinds, shapes, before, structure)
        rounds.append(before | {path: at_first for group, total in kept.items()
                               for path, at_first in _at_first(group, total)})  # fmt: skip
        if several := [group for group in kept if len(group) > 1]:
            paths = {path for group in several for path in group}
            groups = [*several, *(each for each in groups if not paths & set(each) and each not in several)]
    return [{group: sum(each[path] for path in group) for group in groups} for each in rounds]


def alive(params: Params, kinds: Mapping[str, str], mask: Mask | None = None) -> dict[str, int]:
    """The weights of every layer that counts, by path: those that a mask leaves, by default all of them.

    Example:
        >>> alive({"kernel": np.zeros((2, 2))}, {"kernel": "fc"}, {"kernel": np.eye(2, dtype=bool)})
        {'kernel': 2}
    """
    if mask is None:
        return {path: math.prod(np.shape(leaf)) for path, leaf in masks.counted(params, kinds).items()}
    return {path: int(np.count_nonzero(leaf)) for path, leaf in masks.counted(mask, kinds).items()}


def _at_first(group: Group, total: int) -> Sequence[tuple[str, int]]:
    return [(path, 0 if at else total) for at, path in enumerate(group)]
