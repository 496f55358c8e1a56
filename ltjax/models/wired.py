"""A Flax module made of a wiring, so that a network is said once."""

import itertools
from collections.abc import Iterator, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from ltjax.models.layers import batch_norm, conv, dense
from ltjax.models.wiring import Step, Wiring, value
from ltjax.settings.schema import Model


class Wired(nn.Module):
    """The network whose forward pass is the steps of a wiring.

    Every layer of it says how many ``units`` it has, but for ``output``, which has one for each class. Params
    lie, and their initial values are drawn, by the layers' names: those of ``stage1_block1/conv1`` in a
    module ``stage1_block1``. The layers of such a module follow one another in the wiring.
    """

    model: Model
    classes: int
    steps: tuple[Step, ...]

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> jax.Array:
        """Logits [batch, classes] of images [batch, height, width, channels]."""
        values = {0: images}
        for room, steps in _rooms(list(enumerate(self.steps))[1:]):
            if room:
                values |= Room(self.model, self.classes, tuple(steps), name=room)(values, train)
            else:
                _walk(self.model, self.classes, steps, values, train)
        return values[len(self.steps) - 1]


class Room(nn.Module):
    """Steps that lie in a module of their own, each with its number in the wiring."""

    model: Model
    classes: int
    steps: tuple[tuple[int, Step], ...]

    @nn.compact
    def __call__(self, values: dict[int, jax.Array], train: bool) -> dict[int, jax.Array]:
        """The values of its steps, of those before."""
        found = dict(values)
        _walk(self.model, self.classes, self.steps, found, train)
        return found


def wired(wiring: Wiring, model: Model, classes: int) -> nn.Module:
    """The module of a wiring for a configuration."""
    return Wired(model, classes, tuple(wiring.steps))


def _rooms(steps: Sequence[tuple[int, Step]]) -> Iterator[tuple[str, list[tuple[int, Step]]]]:
    for room, group in itertools.groupby(steps, lambda each: each[1].name.rpartition("/")[0]):
        yield room, list(group)


def _walk(
    model: Model, classes: int, steps: Sequence[tuple[int, Step]], values: dict[int, jax.Array], train: bool
) -> None:
    """Add the values of steps to those before, in the module that is being called."""

    def linear(step: Step, inputs: jax.Array) -> jax.Array:
        layer = _layer(model, step, classes)(inputs)
        norm = step.norm.rpartition("/")[2]
        return batch_norm(model, train, norm, step.epsilon)(layer) if norm else layer

    for number, step in steps:
        inputs = [values[source] for source in step.sources]
        found = value(step, inputs, linear, jnp.maximum)
        found = nn.relu(found) if step.relu else found
        values[number] = nn.Dropout(model.dropout, deterministic=not train)(found) if step.dropout else found


def _layer(model: Model, step: Step, classes: int) -> nn.Module:
    units, name = step.units or classes, step.name.rpartition("/")[2]
    if not step.size:
        return dense(model, units, name)
    return conv(model, units, name, size=step.size, strides=step.strides, bias=step.bias)
