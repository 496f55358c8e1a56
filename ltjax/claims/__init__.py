"""The paper's claims as data, each with a verdict computed from runs."""

from ltjax.claims import lenet, lenet_controls, lenet_sweeps, lenet_sizes, lenet_appendix  # noqa: I001 by id
from ltjax.claims import conv, conv_rates, conv_others, conv_controls, vgg, resnet, deep_sweeps
from ltjax.claims.evidence import NETWORKS
from ltjax.claims.judging import elsewhere, judge, table
from ltjax.claims.kinds import CLAIMS, Claim, Measured, Verdict, claim

__all__ = [
    "CLAIMS", "NETWORKS", "Claim", "Measured", "Verdict",
    "claim", "conv", "conv_controls", "conv_others", "conv_rates", "deep_sweeps", "elsewhere", "judge",
    "lenet", "lenet_appendix", "lenet_controls", "lenet_sizes", "lenet_sweeps", "resnet", "table", "vgg",
]  # fmt: skip
