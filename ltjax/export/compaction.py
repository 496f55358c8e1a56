"""Compaction: the smaller dense network that a sparse one is, with the same outputs to float tolerance.

A unit (or channel, or input) is *alive* where the images reach it over weights that are not 0, and it
reaches the logits over such. All others are left out, exactly:

- one that no image reaches is constant. What its constants contribute to the next layer is added to that
  layer's bias. Behind a padded convolution a constant is not the same at the border as inside, so the bias
  of the next convolution may become an image [height, width, outputs];
- one that reaches no logit contributes nothing.

Units that a sum joins, as in a residual stream, are one axis: such a unit stays where it is alive anywhere
along the stream. An axis of which nothing is alive keeps one unit, because convolutions of no channels do not
run everywhere. Logits always stay. docs/export.md has an example and the limits.
"""

import math
from typing import NamedTuple

import numpy as np

from ltjax.export.folded import Layer, Plain, patch_linear, patch_values
from ltjax.models.axes import joined
from ltjax.models.wiring import FLAT, IMAGES, Step, Wiring, whole

UNIFORM = 1e-12
"""By which share of its largest entry a bias may differ over the image and count as uniform: rounding."""


class Compacted(NamedTuple):
    """The smaller network, and the units that are left, as indices by layer, ``images`` and ``flat``."""

    network: Plain
    units: dict[str, np.ndarray]


def compact(wiring: Wiring, network: Plain, image: tuple[int, ...]) -> Compacted:
    """Leave out of a plain network for images [height, width, channels] all that is not alive.

    Compacting again leaves out nothing more.
    """
    # what is constant has its value on any image
    constants = [value[0] for value in patch_values(wiring, network, np.zeros((1, *image)))]
    shapes = [value.shape for value in constants]
    reached = _reached(wiring, network, shapes)
    needed = _needed(wiring, network, shapes)
    alive = [one & two for one, two in zip(reached, needed, strict=True)]
    kept = _kept(wiring, network, joined(wiring), alive)
    layers = {}
    for number, step in enumerate(wiring.steps):
        if step.op == "layer":
            layer, (source,) = network.layers[step.name], step.sources
            bias = _bias(step, layer, constants[source], ~kept[source] & ~reached[source])
            kernel = layer.kernel[..., kept[source], :][..., kept[number]]
            layers[step.name] = Layer(kernel, bias[..., kept[number]])
    units = {step.name: np.flatnonzero(kept[number]).astype(np.int32)
             for number, step in enumerate(wiring.steps) if step.name}  # fmt: skip
    return Compacted(Plain(layers, _indices(wiring, network, kept, shapes, image[-1])), units)


def _connected(layer: Layer) -> np.ndarray:
    """Which inputs a layer's weights connect to which outputs, bool [inputs, outputs]."""
    return np.any(layer.kernel != 0, axis=tuple(range(layer.kernel.ndim - 2)))


def _channels(network: Plain, channels: int, size: int) -> np.ndarray:
    """Of each entry of the flattened axis the channel that it is of."""
    return network.kept.get(FLAT, whole(size)) % channels


def _reached(wiring: Wiring, network: Plain, shapes: list[tuple[int, ...]]) -> list[np.ndarray]:
    """Which units of each step the images reach; the others are constant."""
    reached: list[np.ndarray] = []
    for number, step in enumerate(wiring.steps):
        before = [reached[source] for source in step.sources]
        if step.op == "images":
            reached.append(np.ones(shapes[number][-1], bool))
        elif step.op == "layer":
            reached.append(_connected(network.layers[step.name])[before[0]].any(axis=0))
        elif step.op == "flatten":
            reached.append(before[0][_channels(network, len(before[0]), shapes[number][-1])])
        else:
            reached.append(np.any(before, axis=0))
    return reached


def _needed(wiring: Wiring, network: Plain, shapes: list[tuple[int, ...]]) -> list[np.ndarray]:
    """Which units of each step reach the logits."""
    needed = [np.zeros(shape[-1], bool) for shape in shapes]
    needed[-1][:] = True
    for number, step in reversed(list(enumerate(wiring.steps))):
        for source in step.sources:
            if step.op == "layer":
                needed[source] |= _connected(network.layers[step.name])[:, needed[number]].any(axis=1)
            elif step.op == "flatten":
                channels = _channels(network, shapes[source][-1], shapes[number][-1])
                needed[source][channels[needed[number]]] = True
            else:
                needed[source] |= needed[number]
    return needed


def _kept(wiring: Wiring, network: Plain, axes: list[int], alive: list[np.ndarray]) -> list[np.ndarray]:
    """Which units of each step stay: those alive somewhere on their axis, or one where none is."""
    together = {axis: np.any([alive[at] for at, own in enumerate(axes) if own == axis], axis=0)
                for axis in axes}  # fmt: skip
    together[axes[-1]][:] = True
    for number, step in enumerate(wiring.steps):  # in order, as a flattened entry needs its channel
        if not together[axes[number]].any():
            first = 0
            if step.op == "flatten":
                channels = together[axes[step.sources[0]]]
                first = int(np.argmax(channels[_channels(network, len(channels), len(alive[number]))]))
            together[axes[number]][first] = True
    return [together[axis] for axis in axes]


def _bias(step: Step, layer: Layer, constants: np.ndarray, folded: np.ndarray) -> np.ndarray:
    """A layer's bias, and what the constants of the units that are folded into it contribute."""
    if not folded.any():
        return layer.bias
    added = patch_linear(step, np.where(folded, constants, 0)[None], layer.kernel)[0]
    if added.ndim == 3 and np.ptp(added, axis=(0, 1)).max() <= UNIFORM * np.abs(added).max():
        added = added[0, 0]  # one number a channel in place of an image of them
    return (layer.bias + added).astype(np.float32)


def _indices(
    wiring: Wiring, network: Plain, kept: list[np.ndarray], shapes: list[tuple[int, ...]], image: int
) -> dict[str, np.ndarray]:
    """Where the smaller network finds what is left of the images' channels and of the flat axis."""
    indices = {}
    for number, step in enumerate(wiring.steps):
        if step.op == "images":
            size = image
            left = network.kept.get(IMAGES, whole(size))[kept[number]]
        elif step.op == "flatten":
            (source,) = step.sources
            before, after = shapes[source][-1], int(kept[source].sum())
            size = math.prod(shapes[source][:-1]) * after
            pixel, channel = np.divmod(network.kept.get(FLAT, whole(len(kept[number])))[kept[number]], before)
            left = pixel * after + np.searchsorted(np.flatnonzero(kept[source]), channel)
        else:
            continue
        if len(left) < size:
            indices[step.name] = left.astype(np.int32)
    return indices
