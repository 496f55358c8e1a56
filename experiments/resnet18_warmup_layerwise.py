"""Resnet-18 with warmup, each layer pruned by itself (Appendix I.1, Figures 39 and 41).

    python -m ltjax.run --config resnet18_warmup_layerwise

20% of every convolution a round, otherwise as ``resnet18_warmup``. Expected: less accurate at small sizes
than global pruning, by less than VGG-19.
"""

from dataclasses import replace

import ltjax

base = ltjax.load_experiment("resnet18_warmup")
experiment = replace(base, name="resnet18_warmup_layerwise", prune=replace(base.prune, scope="layer"))
