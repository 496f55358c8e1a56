"""Pruning before any training, by the size of the initial weights (Appendix F, Figure 18).

    python -m ltjax.run --config lenet_step0

Each round removes the survivors of lowest |θ₀|. Expected: worse than even reinitialised tickets; compare with
``lenet_controls``.
"""

from dataclasses import replace

import ltjax

base = ltjax.load_experiment("lenet_iterative")
experiment = replace(base, name="lenet_step0", prune=replace(base.prune, score="initial"))
