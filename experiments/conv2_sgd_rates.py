"""Conv-2 by plain SGD at six learning rates (Appendix H.3, Figure 33).

    python -m ltjax.run --config conv2_sgd_rates

Three trials each. Expected: dense networks 2 to 3 points below Adam's; accuracy first drops, then rises as
it is pruned.
"""

from dataclasses import replace

import ltjax

base = ltjax.load_experiment("conv2_iterative")
experiment = replace(
    base,
    name="conv2_sgd_rates",
    trials=3,
    train=replace(base.train, optimizer="sgd"),
    sweep={"train.learning_rate": (1e-4, 5e-4, 8e-4, 1e-3, 1.5e-3, 2.5e-3)},
)
