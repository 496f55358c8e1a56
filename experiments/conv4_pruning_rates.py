"""Conv-4 with convolutions pruned by 5% to 30% a round (Appendix H.4, Figure 35).

    python -m ltjax.run --config conv4_pruning_rates

Three trials each; fully-connected layers are pruned by 20% a round at every point.
"""

from dataclasses import replace

import ltjax

base = ltjax.load_experiment("conv4_iterative")
experiment = replace(
    base,
    name="conv4_pruning_rates",
    trials=3,
    sweep={"prune.rates.conv": (0.05, 0.1, 0.15, 0.2, 0.25, 0.3)},
)
