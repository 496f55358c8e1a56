"""VGG-19 at learning rate 0.01, each layer pruned by itself (Appendix I.1, Figures 38 and 40).

    python -m ltjax.run --config vgg19_lr001_layerwise

20% of every convolution a round, otherwise as ``vgg19_lr001``. Expected: less accurate at small sizes than
global pruning.
"""

from dataclasses import replace

import ltjax

base = ltjax.load_experiment("vgg19_lr001")
experiment = replace(base, name="vgg19_lr001_layerwise", prune=replace(base.prune, scope="layer"))
