"""Conv-4 with dropout of 0.5, by Adam at five learning rates (Appendix H.5, Figure 36).

    python -m ltjax.run --config conv4_dropout_rates

Three trials each.
"""

from dataclasses import replace

import ltjax

base = ltjax.load_experiment("conv4_dropout")
experiment = replace(
    base,
    name="conv4_dropout_rates",
    trials=3,
    sweep={"train.learning_rate": (1e-4, 2e-4, 3e-4, 4e-4, 5e-4)},
)
