"""Conv-2 with dropout of 0.5, by Adam at five learning rates (Appendix H.5, Figure 36).

    python -m ltjax.run --config conv2_dropout_rates

Three trials each. Expected: at 1e-4 the network fails to train until it is pruned past 26.5%.
"""

from dataclasses import replace

import ltjax

base = ltjax.load_experiment("conv2_dropout")
experiment = replace(
    base,
    name="conv2_dropout_rates",
    trials=3,
    sweep={"train.learning_rate": (1e-4, 2e-4, 3e-4, 4e-4, 5e-4)},
)
