"""Networks: Flax modules behind two pure functions, init and apply. The only user of flax.linen.

Adding a network takes one function ``(Model, classes) -> flax.linen.Module`` and its ``@MODELS.register``
line. Name the last layer ``output`` so that it is pruned at the output layer's rate, and a layer that is
never pruned ``shortcut…``. ``layers`` has the pieces: its convolution is fast inside a compiled loop.
"""

from ltjax.models import conv, lenet, resnet, vgg
from ltjax.models.layers import INITIALIZERS, initializer
from ltjax.models.network import MODELS, Collections, Network, make_network

__all__ = [
    "INITIALIZERS",
    "MODELS",
    "Collections",
    "Network",
    "conv",
    "initializer",
    "lenet",
    "make_network",
    "resnet",
    "vgg",
]
