"""VGG-19 for CIFAR, with BatchNorm and a single fully-connected layer (paper, Figure 2)."""

from collections.abc import Sequence

import flax.linen as nn

from ltjax.models.layers import channels_of
from ltjax.models.network import MODELS
from ltjax.models.wired import wired
from ltjax.models.wiring import WIRINGS, Wiring
from ltjax.settings.schema import Model

CHANNELS = (64, 128, 256, 512, 512)
"""Channels of each stage."""

DEPTHS = (2, 2, 4, 4, 4)
"""Convolutions of each stage."""


@WIRINGS.register("vgg19")
def wiring(model: Model, depths: Sequence[int] = DEPTHS) -> Wiring:
    """Stages of convolutions with BatchNorm: max-pools between them, an average over the image at the end."""
    found = Wiring()
    images = found.images
    stages = zip(depths, channels_of(model, CHANNELS), strict=True)
    for stage, (depth, channels) in enumerate(stages, start=1):
        images = images if stage == 1 else found.pool(images)
        for index in range(1, depth + 1):
            name = f"stage{stage}_conv{index}"
            images = found.layer(
                name, images, norm=f"{name}_norm", relu=True, units=channels, size=3, bias=False
            )
    found.head(model, found.mean(images))
    return found


@MODELS.register("vgg19")
def vgg19(model: Model, classes: int) -> nn.Module:
    """Stages of 64, 128, 256, 512 and 512 channels, 16 convolutions in all."""
    return wired(wiring(model), model, classes)
