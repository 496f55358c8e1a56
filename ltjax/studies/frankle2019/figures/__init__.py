"""The paper's figures."""

from ltjax.studies.frankle2019.figures import compared, curves, deep, distilled, networks, swept, swept_conv

__all__ = ["compared", "curves", "deep", "distilled", "networks", "swept", "swept_conv"]
