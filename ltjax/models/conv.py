"""Conv-2, Conv-4 and Conv-6: small VGGs without BatchNorm (paper, Figure 2)."""

import flax.linen as nn

from ltjax.models.layers import channels_of
from ltjax.models.network import MODELS
from ltjax.models.wired import wired
from ltjax.models.wiring import WIRINGS, Wiring
from ltjax.settings.schema import Model

CHANNELS = {"conv2": (64,), "conv4": (64, 128), "conv6": (64, 128, 256)}
"""The paper's channels of each stage."""


@WIRINGS.register("conv2")
@WIRINGS.register("conv4")
@WIRINGS.register("conv6")
def wiring(model: Model) -> Wiring:
    """How the layers of each of the three follow one another."""
    return pairs(model, CHANNELS[model.name])


def pairs(model: Model, own: tuple[int, ...]) -> Wiring:
    """Pairs of 3 × 3 convolutions, each pair followed by a max-pool; then fully-connected layers.

    ``own`` are the channels of each stage where the model names none.
    """
    found = Wiring()
    images = found.images
    for stage, channels in enumerate(channels_of(model, own)):
        for index in (1, 2):
            images = found.layer(f"conv{2 * stage + index}", images, relu=True, units=channels, size=3)
        images = found.pool(images)
    found.head(model, found.flatten(images))
    return found


@MODELS.register("conv2")
def conv2(model: Model, classes: int) -> nn.Module:
    """64, 64, pool; fully-connected layers of ``widths``, 256 and 256 in the paper."""
    return wired(pairs(model, CHANNELS["conv2"]), model, classes)


@MODELS.register("conv4")
def conv4(model: Model, classes: int) -> nn.Module:
    """Conv-2's convolutions, then 128, 128, pool."""
    return wired(pairs(model, CHANNELS["conv4"]), model, classes)


@MODELS.register("conv6")
def conv6(model: Model, classes: int) -> nn.Module:
    """Conv-4's convolutions, then 256, 256, pool."""
    return wired(pairs(model, CHANNELS["conv6"]), model, classes)
