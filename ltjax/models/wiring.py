"""How a network's layers follow one another, as data: compaction, FLOPs and whole channels go by it.

A Flax module can be run and not be looked into. A wiring says the forward pass as a list of steps, each
naming the steps that it reads. ltjax's own networks are wirings, of which ``wired`` makes the modules. A
module written by hand may have a wiring beside it; it must be that of the module in evaluation, which every
export tests. A network without one is trained, pruned and exported all the same, and neither compacted nor
pruned by channels.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np

from ltjax.core.registry import Registry
from ltjax.models.layers import EPSILON, max_pool
from ltjax.settings.schema import Model

Op: TypeAlias = Literal["images", "layer", "pool", "mean", "flatten", "add"]

IMAGES, FLAT = "images", "flat"
"""The names of the two axes that steps can leave entries out of: the images' channels, and the flat one."""


@dataclass(frozen=True)
class Step:
    """One step of a forward pass; ``sources`` are the numbers of the steps that it reads.

    A layer has the ``name`` of its kernel's place in the params, such as ``stage1_block1/conv1``, and that of
    the BatchNorm behind it, if any. What is needed beside to make the layer (``units``, ``size``, ``bias``,
    ``dropout``) is left out where a module is written by hand.
    """

    op: Op
    sources: tuple[int, ...] = ()
    name: str = ""
    norm: str = ""
    epsilon: float = EPSILON
    strides: int = 1
    relu: bool = False
    units: int = 0
    size: int = 0
    bias: bool = True
    dropout: bool = False


@dataclass
class Wiring:
    """The steps of a network in evaluation, the images first and the logits last.

    Each method adds a step behind ``source`` and returns its number; ``Wiring.images`` is the first's.

    Example:
        >>> wiring = Wiring()
        >>> units = wiring.layer("fc1", wiring.flatten(wiring.images), relu=True)
        >>> wiring.layer("output", units)
        3
        >>> [step.op for step in wiring.steps]
        ['images', 'flatten', 'layer', 'layer']
    """

    images = 0
    steps: list[Step] = field(default_factory=lambda: [Step("images", name=IMAGES)])

    def layer(
        self, name: str, source: int, *, relu: bool = False, norm: str = "", epsilon: float = EPSILON,
        strides: int = 1, units: int = 0, size: int = 0, bias: bool = True, dropout: bool = False,
    ) -> int:  # fmt: skip
        """A fully-connected layer, or a convolution with padding ``SAME``, as its kernel's axes say.

        Args:
            name: where its kernel and bias, if it has one, lie in the params.
            source: the step it reads.
            relu: whether a ReLU ends it.
            norm: where the params and statistics of a BatchNorm lie that comes before the ReLU.
            epsilon: that BatchNorm's.
            strides: of a convolution, by height and width alike.
            units: how many it has; 0 for one each class, or where the module is written by hand.
            size: of a convolution's kernel, by height and width alike; 0 for a fully-connected layer, or
                where the module is written by hand.
            bias: whether a convolution has one.
            dropout: whether the network's dropout comes behind it, in training.
        """
        return self._add(
            Step("layer", (source,), name, norm, epsilon, strides, relu, units, size, bias, dropout)
        )

    def pool(self, source: int) -> int:
        """``max_pool``: 2 × 2 at stride 2."""
        return self._add(Step("pool", (source,)))

    def mean(self, source: int) -> int:
        """The average over the image."""
        return self._add(Step("mean", (source,)))

    def flatten(self, source: int) -> int:
        """Images as one axis, by height, width and channel; a network has at most one such step."""
        return self._add(Step("flatten", (source,), FLAT))

    def add(self, one: int, other: int, *, relu: bool = False) -> int:
        """The sum of two steps of one shape: where a residual stream is joined."""
        return self._add(Step("add", (one, other), relu=relu))

    def head(self, model: Model, source: int) -> int:
        """The fully-connected layers of ``layers.head``."""
        for index, width in enumerate(model.widths, start=1):
            source = self.layer(f"fc{index}", source, relu=True, units=width, dropout=True)
        return self.layer("output", source)

    @property
    def layers(self) -> list[Step]:
        """The steps that have kernels."""
        return [step for step in self.steps if step.op == "layer"]

    def _add(self, step: Step) -> int:
        self.steps.append(step)
        return len(self.steps) - 1


WIRINGS: Registry[Callable[[Model], Wiring]] = Registry("wiring")
"""The wiring of each network that has one, by the network's name in ``MODELS``."""


def forward(
    wiring: Wiring, images: Any, linear: Callable[[Step, Any], Any], maximum: Callable[[Any, Any], Any],
    kept: Any,
) -> list[Any]:  # fmt: skip
    """The values of all steps, the logits last, in the arithmetic that is given: JAX's, NumPy's or sparse.

    Args:
        wiring: the network's.
        images: floats [batch, height, width, channels].
        linear: a layer's product and bias, before its ReLU.
        maximum: of two arrays, or of one and a number.
        kept: indices, by name, into the two axes that entries can be left out of; those absent are whole.
    """
    values: list[Any] = []
    for step in wiring.steps:
        inputs = [values[source] for source in step.sources] or [images]
        found = value(step, inputs, linear, maximum)
        if step.name in kept:
            found = found[..., kept[step.name]]
        values.append(maximum(found, 0) if step.relu else found)
    return values


def value(
    step: Step, inputs: Sequence[Any], linear: Callable[[Step, Any], Any], maximum: Callable[[Any, Any], Any]
) -> Any:
    """A step's value before its ReLU, of those that it reads; arithmetic as in ``forward``."""
    match step.op:
        case "images":
            return inputs[0]
        case "layer":
            return linear(step, inputs[0])
        case "pool":
            return max_pool(inputs[0], maximum)
        case "mean":
            return inputs[0].mean(axis=(1, 2))
        case "flatten":
            return inputs[0].reshape(len(inputs[0]), math.prod(inputs[0].shape[1:]))
        case "add":
            return inputs[0] + inputs[1]


def whole(size: int) -> np.ndarray:
    """The indices of an axis of which nothing is left out."""
    return np.arange(size, dtype=np.int32)
