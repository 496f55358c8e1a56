"""Conv-4 with only its convolutions pruned, or only its other layers, or both (Appendix H.6, Figure 37).

    python -m ltjax.run --config conv4_layers

Three trials each. Expected: pruning convolutions alone gives higher accuracy and learns faster; pruning the
fully-connected layers alone is generally worse.
"""

from dataclasses import replace

import ltjax

base = ltjax.load_experiment("conv4_iterative")
experiment = replace(
    base,
    name="conv4_layers",
    trials=3,
    sweep={
        "prune.rates.conv": (0.1, None, 0.1),
        "prune.rates.fc": (0.2, 0.2, None),
        "prune.rates.output": (0.1, 0.1, None),
    },
)
