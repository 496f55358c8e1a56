"""Networks: Flax modules behind two pure functions, init and apply. The only user of flax.linen.

Adding a network takes one function ``(Model, classes) -> flax.linen.Module`` and its ``@MODELS.register``
line. Name the last layer ``output`` so that it is pruned at the output layer's rate, and a layer that is
never pruned ``shortcut…``. ``layers`` has the pieces: its convolution is fast inside a compiled loop.
With a wiring (``@WIRINGS.register``) a network's tickets can be compacted; ``wired`` makes a module of one.
"""

from ltjax.models import conv, lenet, resnet, vgg
from ltjax.models.adapters import make_network, network
from ltjax.models.kinds import kinds
from ltjax.models.layers import INITIALIZERS, initializer
from ltjax.models.network import MODELS, Collections, Inputs, Network
from ltjax.models.wired import Wired, wired
from ltjax.models.wiring import WIRINGS, Wiring

__all__ = [
    "INITIALIZERS",
    "MODELS",
    "WIRINGS",
    "Collections",
    "Inputs",
    "Network",
    "Wired",
    "Wiring",
    "conv",
    "initializer",
    "kinds",
    "lenet",
    "make_network",
    "network",
    "resnet",
    "vgg",
    "wired",
]
