"""The paper's claims as data, each with a verdict computed from runs."""

from ltjax.claims import lenet, lenet_controls, lenet_sweeps, lenet_sizes, lenet_appendix  # noqa: I001 by id
from ltjax.claims.judging import judge, table
from ltjax.claims.kinds import CLAIMS, Claim, Measured, Verdict, claim

__all__ = [
    "CLAIMS", "Claim", "Measured", "Verdict",
    "claim", "judge", "lenet", "lenet_appendix", "lenet_controls", "lenet_sizes", "lenet_sweeps", "table",
]  # fmt: skip
