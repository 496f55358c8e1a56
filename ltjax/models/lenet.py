"""LeNet: fully-connected layers (paper, Figure 2)."""

import flax.linen as nn
import jax

from ltjax.models.layers import head
from ltjax.models.network import MODELS
from ltjax.models.wiring import WIRINGS, Wiring
from ltjax.settings.schema import Model


class LeNet(nn.Module):
    """Fully-connected layers with ReLU between them."""

    model: Model
    classes: int

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> jax.Array:
        """Logits [batch, classes] of images [batch, height, width, channels]."""
        return head(self.model, images.reshape(images.shape[0], -1), self.classes, train)


@MODELS.register("lenet")
def lenet(model: Model, classes: int) -> nn.Module:
    """LeNet of any widths; (300, 100) is the paper's."""
    return LeNet(model, classes)


@WIRINGS.register("lenet")
def wiring(model: Model) -> Wiring:
    """How LeNet's layers follow one another."""
    found = Wiring()
    found.head(model, found.flatten(found.images))
    return found
