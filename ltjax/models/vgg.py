"""VGG-19 for CIFAR, with BatchNorm and a single fully-connected layer (paper, Figure 2)."""

import flax.linen as nn
import jax

from ltjax.models.layers import batch_norm, channels_of, conv, head, max_pool
from ltjax.models.network import MODELS
from ltjax.models.wiring import WIRINGS, Wiring
from ltjax.settings.schema import Model

DEPTHS = (2, 2, 4, 4, 4)
"""Convolutions of each stage."""


class VGG(nn.Module):
    """Stages of convolutions with BatchNorm: max-pools between them, an average over the image at the end."""

    model: Model
    channels: tuple[int, ...]
    classes: int
    depths: tuple[int, ...] = DEPTHS

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> jax.Array:
        """Logits [batch, classes] of images [batch, height, width, channels]."""
        for stage, (depth, channels) in enumerate(zip(self.depths, self.channels, strict=True), start=1):
            images = images if stage == 1 else max_pool(images)
            for index in range(1, depth + 1):
                name = f"stage{stage}_conv{index}"
                images = conv(self.model, channels, name)(images)
                images = nn.relu(batch_norm(self.model, train, f"{name}_norm")(images))
        return head(self.model, images.mean(axis=(1, 2)), self.classes, train)


@MODELS.register("vgg19")
def vgg19(model: Model, classes: int) -> nn.Module:
    """Stages of 64, 128, 256, 512 and 512 channels, 16 convolutions in all."""
    return VGG(model, channels_of(model, (64, 128, 256, 512, 512)), classes)


@WIRINGS.register("vgg19")
def wiring(model: Model) -> Wiring:
    """How VGG-19's layers follow one another."""
    found = Wiring()
    images = found.images
    for stage, depth in enumerate(DEPTHS, start=1):
        images = images if stage == 1 else found.pool(images)
        for index in range(1, depth + 1):
            name = f"stage{stage}_conv{index}"
            images = found.layer(name, images, norm=f"{name}_norm", relu=True)
    found.head(model, found.mean(images))
    return found
