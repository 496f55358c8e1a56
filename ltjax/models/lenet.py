"""LeNet: fully-connected layers (paper, Figure 2)."""

import flax.linen as nn

from ltjax.models.network import MODELS
from ltjax.models.wired import wired
from ltjax.models.wiring import WIRINGS, Wiring
from ltjax.settings.schema import Model


@WIRINGS.register("lenet")
def wiring(model: Model) -> Wiring:
    """Fully-connected layers with ReLU between them."""
    found = Wiring()
    found.head(model, found.flatten(found.images))
    return found


@MODELS.register("lenet")
def lenet(model: Model, classes: int) -> nn.Module:
    """LeNet of any widths; (300, 100) is the paper's."""
    return wired(wiring(model), model, classes)
