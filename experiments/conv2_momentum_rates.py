"""Conv-2 by SGD with momentum 0.9 at six learning rates (Appendix H.3, Figure 34).

    python -m ltjax.run --config conv2_momentum_rates

Three trials each. Expected: the pattern of tickets, but for the lowest and the highest learning rates.
"""

from dataclasses import replace

import ltjax

base = ltjax.load_experiment("conv2_iterative")
experiment = replace(
    base,
    name="conv2_momentum_rates",
    trials=3,
    train=replace(base.train, optimizer="momentum", momentum=0.9),
    sweep={"train.learning_rate": (1e-4, 3e-4, 5e-4, 7e-4, 1e-3, 1.5e-3)},
)
