"""Conv-4 by plain SGD at five learning rates (Appendix H.3, Figure 33).

    python -m ltjax.run --config conv4_sgd_rates

Three trials each. Expected: dense networks 2 to 3 points below Adam's; accuracy first drops, then rises as
it is pruned.
"""

from dataclasses import replace

import ltjax

base = ltjax.load_experiment("conv4_iterative")
experiment = replace(
    base,
    name="conv4_sgd_rates",
    trials=3,
    train=replace(base.train, optimizer="sgd"),
    sweep={"train.learning_rate": (1e-3, 2e-3, 3e-3, 5e-3, 1e-2)},
)
