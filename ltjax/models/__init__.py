"""Networks: two pure functions, init and apply, made of whatever a user has. The only user of Flax.

``network`` makes one of a Linen module, an NNX class or function of ``rngs``, or a pair of functions;
``kinds`` says of every param what it is to the network, and so at which rate it may be pruned.

Adding a network by name takes one function ``(Model, classes) -> flax.linen.Module`` and its
``@MODELS.register`` line. A layer called ``output`` is pruned at the output layer's rate, and a layer whose
name begins with ``shortcut`` is never pruned. ``layers`` has the pieces: its convolution is fast inside a
compiled loop. With a wiring (``@WIRINGS.register``) a network's tickets can be compacted; ``wired`` makes a
module of one.
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
