"""The paper's "Resnet-18": the 20-layer residual network for CIFAR of He et al. (2016), ResNet-20."""

import flax.linen as nn

from ltjax.models.layers import channels_of
from ltjax.models.network import MODELS
from ltjax.models.wired import wired
from ltjax.models.wiring import WIRINGS, Wiring
from ltjax.settings.schema import Model

BLOCKS = 3
"""Blocks of each stage."""

STAGES = (16, 32, 64)
"""The paper's channels of each stage."""


@WIRINGS.register("resnet18")
def wiring(model: Model, blocks: int = BLOCKS) -> Wiring:
    """A convolution, stages of residual blocks, an average over the image, and the output layer."""
    found = Wiring()
    stages = channels_of(model, STAGES)
    images = found.layer(
        "conv1", found.images, norm="conv1_norm", relu=True, units=stages[0], size=3, bias=False
    )
    for stage, channels in enumerate(stages, start=1):
        for index in range(1, blocks + 1):
            smaller = stage > 1 and index == 1
            images = _block(found, f"stage{stage}_block{index}", images, channels, smaller)
    found.head(model, found.mean(images))
    return found


def _block(wiring: Wiring, name: str, images: int, channels: int, smaller: bool) -> int:
    """Two convolutions with BatchNorm, beside a shortcut: 1 × 1 where images get smaller, else nothing."""

    def normed(layer: str, source: int, *, size: int = 3, strides: int = 1, relu: bool = False) -> int:
        return wiring.layer(
            f"{name}/{layer}", source, norm=f"{name}/{layer}_norm", strides=strides, relu=relu,
            units=channels, size=size, bias=False,
        )  # fmt: skip

    strides = 2 if smaller else 1
    found = normed("conv2", normed("conv1", images, strides=strides, relu=True))
    shortcut = normed("shortcut", images, size=1, strides=strides) if smaller else images
    return wiring.add(found, shortcut, relu=True)


@MODELS.register("resnet18")
def resnet18(model: Model, classes: int) -> nn.Module:
    """The paper's Resnet-18, which has 20 layers: stages of 16, 32 and 64 channels."""
    return wired(wiring(model), model, classes)
