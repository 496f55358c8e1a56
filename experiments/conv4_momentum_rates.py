"""Conv-4 by SGD with momentum 0.9 at six learning rates (Appendix H.3, Figure 34).

    python -m ltjax.run --config conv4_momentum_rates

Three trials each. Expected: the pattern of tickets, but for the lowest and the highest learning rates.
"""

from dataclasses import replace

import ltjax

base = ltjax.load_experiment("conv4_iterative")
experiment = replace(
    base,
    name="conv4_momentum_rates",
    trials=3,
    train=replace(base.train, optimizer="momentum", momentum=0.9),
    sweep={"train.learning_rate": (1e-3, 2e-3, 3e-3, 4e-3, 5e-3, 8e-3)},
)
