"""A network that no training moves and that keeps what training shows it: every draw of a run in the open.

Its gradients are 0, so plain SGD leaves what a lane began with, and its collection ``seen``, which a round's
``collections`` hold, has what each step was given: the numbers of the examples, the key of dropout, and what
the augmentation drew. Its loss and its answers are functions of an example's number alone.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ltjax import ARMS as REGISTERED
from ltjax import (
    MODELS,
    WIRINGS,
    Data,
    Dataset,
    Experiment,
    Lane,
    Model,
    Prune,
    Rates,
    Round,
    Train,
    Wiring,
    find_tickets,
)
from ltjax.models.layers import batch_norm, channels_of, conv, dense, head
from ltjax.training.augmentations import AUGMENTATIONS

STEPS, BATCH, EPOCH = 7, 3, 3
TRAIN, VALIDATION, TEST = 10, 4, 5
"""Examples of each split: of ten, an epoch's three batches leave one out, another in each epoch."""

NUMBERS = {"train": np.arange(TRAIN + VALIDATION), "test": 100 + np.arange(TEST)}
DRAWN = 4
"""Bytes that the augmentation draws."""

ARMS = {"ticket": 2, "reinit": 2, "again": 2, "random": 2, "shuffle": 2, "noise": 2}
"""The arms of the witness and their repeats; ``again`` is ``reinit`` under another name."""

WITNESS = Experiment(
    name="witness", trials=2, seed=5, arms=ARMS,
    data=Data(validation=VALIDATION, augment="witness"), model=Model(name="witness", widths=(16,)),
    train=Train(steps=STEPS, batch=BATCH, optimizer="sgd", evaluate_every=3, evaluate_batch=2),
    prune=Prune(rounds=2, rates=Rates(fc=0.3, output=0.3)),
)  # fmt: skip
"""Two trials, six arms, three rounds; the last of its intervals is a single step."""


def answers(numbers: np.ndarray) -> np.ndarray:
    """The labels of examples by their numbers: 0, which the witness always answers, for some of them."""
    return np.where(numbers % 3 == 1, 0, 1 + numbers % 2)


def losses(numbers: np.ndarray) -> np.ndarray:
    """The witness's loss of every example, by NumPy: its logits are (number / 10 + 1, 0, 0)."""
    first = numbers / 10 + 1
    return np.log(np.exp(first) + 2) - np.where(answers(numbers) == 0, first, 0)


def images(numbers: np.ndarray) -> np.ndarray:
    """Images whose first pixel is the example's number; the others are the augmentation's to write in."""
    pixels = np.zeros((len(numbers), 1, 1 + DRAWN, 1), np.uint8)
    pixels[:, 0, 0, 0] = numbers
    return pixels


DATASET = Dataset(
    images(NUMBERS["train"]), answers(NUMBERS["train"]), images(NUMBERS["test"]), answers(NUMBERS["test"]), 3
)


class Witness(nn.Module):
    """Layers that count 0 in the logits, and the collection of what was seen."""

    model: Model
    classes: int

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> jax.Array:
        """Logits [batch, classes] of images [batch, 1, pixels, 1], by their first pixel alone."""
        pixels = images.reshape(images.shape[0], -1)
        units = dense(self.model, self.model.widths[0], "fc1")(pixels)
        nothing = 0 * dense(self.model, self.classes, "output")(units)
        self._keep(jnp.round(255 * pixels).astype(jnp.int32), train)
        number = 255 * pixels[:, :1]
        rest = jnp.zeros((len(pixels), self.classes - 1))
        return jnp.concatenate([number / 10 + 1, rest], axis=1) + nothing

    def _keep(self, pixels: jax.Array, train: bool) -> None:
        steps = self.variable("seen", "steps", lambda: jnp.int32(0))
        shapes = {"examples": (BATCH,), "crops": (DRAWN,), "dropout": (2,)}
        seen = {name: self.variable("seen", name, lambda shape=shape: jnp.zeros((STEPS, *shape), jnp.int32))
                for name, shape in shapes.items()}  # fmt: skip
        if train and not self.is_initializing():
            drawn = jax.random.key_data(self.make_rng("dropout")).view(jnp.int32)
            shown = {"examples": jnp.resize(pixels[:, 0], BATCH), "crops": pixels[0, 1:], "dropout": drawn}
            for name, value in shown.items():
                seen[name].value = seen[name].value.at[steps.value].set(value)
            steps.value += 1


def stamped(key: jax.Array, images: jax.Array) -> jax.Array:
    """The augmentation: bytes drawn from the key, in all pixels but the first."""
    drawn = jax.random.bits(key, (1, 1, DRAWN, 1), jnp.uint8)
    return images.at[:, :, 1:].set(jnp.broadcast_to(drawn, (len(images), 1, DRAWN, 1)))


class Normed(nn.Module):
    """A convolution with BatchNorm, and fully-connected layers with dropout: all that layers can do, once."""

    model: Model
    classes: int

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> jax.Array:
        """Logits [batch, classes] of images [batch, height, width, channels]."""
        (channels,) = channels_of(self.model, (2,))
        images = batch_norm(self.model, train, "norm")(conv(self.model, channels, "conv1")(images))
        return head(self.model, nn.relu(images).reshape(len(images), -1), self.classes, train)


def normed(model: Model) -> Wiring:
    """How the layers of ``Normed`` follow one another."""
    found = Wiring()
    images = found.layer("conv1", found.images, norm="norm", relu=True)
    found.head(model, found.flatten(images))
    return found


class Mixed(nn.Module):
    """A layer of every kind that the others lack: attention, recurrent, an embedding, and a shortcut."""

    classes: int

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> jax.Array:
        """Logits [batch, classes] of images [batch, height, width, 1], whose rows are tokens."""
        rows = images[..., 0]
        tokens = nn.Embed(8, 4)((7 * rows.mean(axis=-1)).astype(jnp.int32)) + nn.Dense(4)(rows)
        tokens = nn.Dense(4, name="shortcut")(tokens) + nn.MultiHeadDotProductAttention(1)(tokens)
        return nn.Dense(self.classes)(nn.RNN(nn.SimpleCell(4))(tokens)[:, -1])


@contextmanager
def called() -> Iterator[None]:
    """Registers the networks, the augmentation and the arm, for as long as it lasts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(MODELS, "witness", Witness)
        patch.setitem(MODELS, "normed", Normed)
        patch.setitem(WIRINGS, "normed", normed)
        patch.setitem(MODELS, "mixed", lambda model, classes: Mixed(classes))
        patch.setitem(AUGMENTATIONS, "witness", stamped)
        patch.setitem(REGISTERED, "again", REGISTERED["reinit"])
        yield


def rounds(experiment: Experiment = WITNESS, **options: object) -> list[Round]:
    """Every round of an experiment of the witness's."""
    with called():
        return list(find_tickets(experiment, dataset=DATASET, **options))  # type: ignore[arg-type]


def every(found: list[Round]) -> dict[tuple[int, Lane], Round]:
    """The rounds by (round, lane)."""
    return {(each.index, lane): each for each in found for lane in each.lanes}


def seen(found: Round, lane: Lane, what: str) -> np.ndarray:
    """What a lane was shown: ``examples``, ``crops`` or ``dropout`` [steps, …], or how many ``steps``."""
    return np.asarray(found.lane(lane).collections["seen"][what])
