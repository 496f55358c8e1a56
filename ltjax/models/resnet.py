"""The paper's "Resnet-18": the 20-layer residual network for CIFAR of He et al. (2016), ResNet-20."""

import flax.linen as nn
import jax

from ltjax.models.layers import batch_norm, channels_of, conv, head
from ltjax.models.network import MODELS
from ltjax.models.wiring import WIRINGS, Wiring
from ltjax.settings.schema import Model

BLOCKS = 3
"""Blocks of each stage."""

STAGES = (16, 32, 64)
"""The paper's channels of each stage."""


class Block(nn.Module):
    """Two convolutions with BatchNorm, beside a shortcut: 1 × 1 where the shape changes, else nothing."""

    model: Model
    channels: int
    strides: int

    @nn.compact
    def __call__(self, images: jax.Array, train: bool) -> jax.Array:
        """Images of ``channels``, smaller by ``strides``."""

        def normed(name: str, images: jax.Array, size: int = 3, strides: int = 1) -> jax.Array:
            images = conv(self.model, self.channels, name, size=size, strides=strides)(images)
            return batch_norm(self.model, train, f"{name}_norm")(images)

        found = nn.relu(normed("conv1", images, strides=self.strides))
        found = normed("conv2", found)
        if images.shape != found.shape:
            images = normed("shortcut", images, size=1, strides=self.strides)
        return nn.relu(found + images)


class ResNet(nn.Module):
    """A convolution, stages of residual blocks, an average over the image, and the output layer."""

    model: Model
    channels: tuple[int, ...]
    classes: int
    blocks: int = BLOCKS

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> jax.Array:
        """Logits [batch, classes] of images [batch, height, width, channels]."""
        images = conv(self.model, self.channels[0], "conv1")(images)
        images = nn.relu(batch_norm(self.model, train, "conv1_norm")(images))
        for stage, channels in enumerate(self.channels, start=1):
            for index in range(1, self.blocks + 1):
                strides = 2 if stage > 1 and index == 1 else 1
                block = Block(self.model, channels, strides, name=f"stage{stage}_block{index}")
                images = block(images, train)
        return head(self.model, images.mean(axis=(1, 2)), self.classes, train)


@MODELS.register("resnet18")
def resnet18(model: Model, classes: int) -> nn.Module:
    """The paper's Resnet-18, which has 20 layers: stages of 16, 32 and 64 channels."""
    return ResNet(model, channels_of(model, STAGES), classes)


@WIRINGS.register("resnet18")
def wiring(model: Model) -> Wiring:
    """How ResNet-20's layers follow one another."""
    found = Wiring()
    images = found.layer("conv1", found.images, norm="conv1_norm", relu=True)
    for stage, _ in enumerate(STAGES, start=1):
        for index in range(1, BLOCKS + 1):
            images = _block(found, f"stage{stage}_block{index}", images, changes=stage > 1 and index == 1)
    found.head(model, found.mean(images))
    return found


def _block(wiring: Wiring, name: str, images: int, changes: bool) -> int:
    """A block's steps; ``changes`` says whether it changes the shape."""

    def normed(layer: str, source: int, strides: int = 1, relu: bool = False) -> int:
        norm = f"{name}/{layer}_norm"
        return wiring.layer(f"{name}/{layer}", source, norm=norm, strides=strides, relu=relu)

    strides = 2 if changes else 1
    found = normed("conv2", normed("conv1", images, strides, relu=True))
    return wiring.add(found, normed("shortcut", images, strides) if changes else images, relu=True)
