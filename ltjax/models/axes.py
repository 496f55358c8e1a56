"""Axes of a network by its wiring: which channels go together, and which params they go through."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ltjax.core.errors import UserError, shown
from ltjax.core.trees import leaves_by_path
from ltjax.core.types import Axis, Kernel, Params
from ltjax.models.wiring import Step, Wiring


def joined(wiring: Wiring) -> list[int]:
    """For each step the number of the axis that its channels are on; sums join those of what they add.

    Example:
        >>> wiring = Wiring()
        >>> stream = wiring.layer("conv1", wiring.images)
        >>> end = wiring.add(stream, wiring.layer("conv2", stream))
        >>> joined(wiring)
        [0, 1, 1, 1]
    """
    axes: list[int] = []
    for number, step in enumerate(wiring.steps):
        if step.op in ("images", "layer", "flatten"):
            axes.append(number)
        else:
            own = axes[step.sources[0]]
            added = {axes[source] for source in step.sources}
            axes = [own if axis in added else axis for axis in axes] + [own]
    return axes


def axes_of(wiring: Wiring, params: Params) -> tuple[Axis, ...]:
    """The axes of whose channels some can be left out, in the order of their first layers.

    They are all but the images' channels, what the network answers with, and what is added to a flattened
    axis.

    Args:
        wiring: the network's.
        params: arrays, or their shapes.

    Raises:
        UserError: the wiring is not the network's, as far as the params' names and shapes tell.
    """
    shapes = {path: tuple(np.shape(leaf)) for path, leaf in leaves_by_path(params).items()}
    _check_steps(wiring)
    _check_names(wiring, shapes)
    on = joined(wiring)
    flattened = [(on[number], on[step.sources[0]]) for number, step in enumerate(wiring.steps)
                 if step.op == "flatten"]  # fmt: skip
    fixed = _fixed(wiring, on, flattened)
    writers: dict[int, list[Step]] = {}
    readers: dict[int, list[tuple[Step, bool]]] = {}
    for number, step in enumerate(wiring.steps):
        if step.op == "layer":
            writers.setdefault(on[number], []).append(step)
            before = on[step.sources[0]]
            read = _read(before, dict(flattened), fixed)
            readers.setdefault(read, []).append((step, read != before))
    return tuple(_axis(each, readers.get(axis, []), shapes)
                 for axis, each in writers.items() if axis not in fixed)  # fmt: skip


def _fixed(wiring: Wiring, on: list[int], flattened: list[tuple[int, int]]) -> set[int]:
    """Axes of which nothing can be left out, those among them whose channels lie on such a flat one."""
    layers = {on[number] for number, step in enumerate(wiring.steps) if step.op == "layer"}
    flat = [axis for axis, _ in flattened]
    added = {axis for axis in flat if axis in layers or flat.count(axis) > 1}
    fixed = {on[wiring.images], on[-1], *added}
    for axis, source in reversed(flattened):
        fixed |= {source} if axis in fixed else set()
    return fixed


def _read(axis: int, flattened: Mapping[int, int], fixed: set[int]) -> int:
    """The axis whose channels lie on an axis that is read: itself, or what was flattened."""
    while axis in flattened and axis not in fixed:
        axis = flattened[axis]
    return axis


def _axis(
    writers: list[Step], readers: list[tuple[Step, bool]], shapes: Mapping[str, tuple[int, ...]]
) -> Axis:
    """The axis of some layers; of a reader it is known whether images are flattened before it."""

    def kernel(step: Step) -> Kernel:
        return Kernel(path := f"{step.name}/kernel", shapes[path])

    scales = [f"{step.norm}/scale" for step in writers if step.norm]
    beside = [f"{name}/bias" for step in writers for name in (step.name, step.norm) if name] + scales
    found = Axis(
        tuple(kernel(step) for step in writers), tuple(kernel(step) for step, _ in readers),
        tuple(each for each in beside if each in shapes), tuple(each for each in scales if each in shapes),
    )  # fmt: skip
    written = (*(path for path, _ in found.writers), *found.beside)
    sizes = [(path, shapes[path], shapes[path][-1]) for path in written]
    for step, flat in readers:
        inputs = kernel(step).shape[-2]
        sizes.append((*kernel(step), inputs % found.size or found.size if flat else inputs))
    for path, shape, size in sizes:
        if size != found.size:
            raise UserError(
                f"the wiring is not the network's: {shown(path)} of shape {list(shape)} cannot go with the "
                f"{found.size} channels of {shown(found.writers[0].path)}."
            )
    return found


def _check_steps(wiring: Wiring) -> None:
    for number, step in enumerate(wiring.steps):
        if step.op != "images" and not all(0 <= source < number for source in step.sources):
            raise UserError(
                f"step {number} of the wiring reads steps {list(step.sources)}, which must come before it."
            )


def _check_names(wiring: Wiring, shapes: Mapping[str, Any]) -> None:
    names = [step.name for step in wiring.layers]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UserError(f"the wiring uses a layer twice, {shown(twice[0])}, and so cannot say what it reads.")
    kernels = {f"{name}/kernel" for name in names}
    known = kernels | {f"{step.name}/bias" for step in wiring.layers}
    known |= {f"{step.norm}/{leaf}" for step in wiring.layers for leaf in ("scale", "bias") if step.norm}
    if wrong := sorted((kernels - set(shapes)) | (set(shapes) - known)):
        raise UserError(
            f"the wiring is not the network's: {shown(wrong[0])} is a param of "
            f"{'the wiring' if wrong[0] in known else 'the network'} alone."
        )
