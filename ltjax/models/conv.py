"""Conv-2, Conv-4 and Conv-6: small VGGs without BatchNorm (paper, Figure 2)."""

import flax.linen as nn
import jax

from ltjax.models.layers import channels_of, conv, head, max_pool
from ltjax.models.network import MODELS
from ltjax.models.wiring import WIRINGS, Wiring
from ltjax.settings.schema import Model

CHANNELS = {"conv2": (64,), "conv4": (64, 128), "conv6": (64, 128, 256)}
"""The paper's channels of each stage."""


class ConvNet(nn.Module):
    """Pairs of 3 × 3 convolutions, each pair followed by a max-pool; then fully-connected layers."""

    model: Model
    channels: tuple[int, ...]
    classes: int

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> jax.Array:
        """Logits [batch, classes] of images [batch, height, width, channels]."""
        for stage, channels in enumerate(self.channels):
            for index in (1, 2):
                layer = conv(self.model, channels, f"conv{2 * stage + index}", bias=True)
                images = nn.relu(layer(images))
            images = max_pool(images)
        return head(self.model, images.reshape(images.shape[0], -1), self.classes, train)


@MODELS.register("conv2")
def conv2(model: Model, classes: int) -> nn.Module:
    """64, 64, pool; fully-connected layers of ``widths``, 256 and 256 in the paper."""
    return ConvNet(model, channels_of(model, CHANNELS["conv2"]), classes)


@MODELS.register("conv4")
def conv4(model: Model, classes: int) -> nn.Module:
    """Conv-2's convolutions, then 128, 128, pool."""
    return ConvNet(model, channels_of(model, CHANNELS["conv4"]), classes)


@MODELS.register("conv6")
def conv6(model: Model, classes: int) -> nn.Module:
    """Conv-4's convolutions, then 256, 256, pool."""
    return ConvNet(model, channels_of(model, CHANNELS["conv6"]), classes)


@WIRINGS.register("conv2")
@WIRINGS.register("conv4")
@WIRINGS.register("conv6")
def wiring(model: Model) -> Wiring:
    """How the layers of each of the three follow one another."""
    found = Wiring()
    images = found.images
    for stage, _ in enumerate(CHANNELS[model.name]):
        for index in (1, 2):
            images = found.layer(f"conv{2 * stage + index}", images, relu=True)
        images = found.pool(images)
    found.head(model, found.flatten(images))
    return found
