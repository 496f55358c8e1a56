"""Conv-6 by plain SGD at seven learning rates (Appendix H.3, Figure 33).

    python -m ltjax.run --config conv6_sgd_rates

Three trials each. Expected: dense networks 2 to 3 points below Adam's.
"""

from dataclasses import replace

import ltjax

base = ltjax.load_experiment("conv6_iterative")
experiment = replace(
    base,
    name="conv6_sgd_rates",
    trials=3,
    train=replace(base.train, optimizer="sgd"),
    sweep={"train.learning_rate": (2.5e-3, 5e-3, 1e-2, 2e-2, 2.5e-2, 3e-2, 3.5e-2)},
)
