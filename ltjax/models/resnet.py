"""The paper's "Resnet-18": the 20-layer residual network for CIFAR of He et al. (2016), ResNet-20."""

import flax.linen as nn
import jax

from ltjax.config import Model
from ltjax.models.layers import batch_norm, channels_of, conv, head
from ltjax.models.network import MODELS

BLOCKS = 3
"""Blocks of each stage."""


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

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> jax.Array:
        """Logits [batch, classes] of images [batch, height, width, channels]."""
        images = conv(self.model, self.channels[0], "conv1")(images)
        images = nn.relu(batch_norm(self.model, train, "conv1_norm")(images))
        for stage, channels in enumerate(self.channels, start=1):
            for index in range(1, BLOCKS + 1):
                strides = 2 if stage > 1 and index == 1 else 1
                block = Block(self.model, channels, strides, name=f"stage{stage}_block{index}")
                images = block(images, train)
        return head(self.model, images.mean(axis=(1, 2)), self.classes, train)


@MODELS.register("resnet18")
def resnet18(model: Model, classes: int) -> nn.Module:
    """The paper's Resnet-18, which has 20 layers: stages of 16, 32 and 64 channels."""
    return ResNet(model, channels_of(model, (16, 32, 64)), classes)
