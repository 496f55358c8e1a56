"""The paper's claims, in the order of their numbers."""

# isort: off
from ltjax.studies.frankle2019.claims import lenet, lenet_controls, lenet_sweeps, lenet_sizes, lenet_appendix
from ltjax.studies.frankle2019.claims import conv, conv_rates, conv_others, conv_controls
from ltjax.studies.frankle2019.claims import vgg, resnet, deep_sweeps

# isort: on

__all__ = [
    "conv", "conv_controls", "conv_others", "conv_rates", "deep_sweeps", "lenet", "lenet_appendix",
    "lenet_controls", "lenet_sizes", "lenet_sweeps", "resnet", "vgg",
]  # fmt: skip
