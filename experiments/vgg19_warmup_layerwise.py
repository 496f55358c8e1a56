"""VGG-19 with warmup, each layer pruned by itself (Appendix I.1, Figures 38 and 40).

    python -m ltjax.run --config vgg19_warmup_layerwise

20% of every convolution a round, otherwise as ``vgg19_warmup``. Expected: tickets only down to 6.9% (round
12), where global pruning has them to 1.5%.
"""

from dataclasses import replace

import ltjax

base = ltjax.load_experiment("vgg19_warmup")
experiment = replace(base, name="vgg19_warmup_layerwise", prune=replace(base.prune, scope="layer"))
