"""Conv-6 by Adam at eight learning rates (Appendix H.2, Figure 32).

    python -m ltjax.run --config conv6_adam_rates

Three trials each. Convolutions are pruned by 10% a round here, not 15%. Expected: the pattern of tickets at
all but the highest learning rates.
"""

from dataclasses import replace

import ltjax

base = ltjax.load_experiment("conv6_iterative")
experiment = replace(
    base,
    name="conv6_adam_rates",
    trials=3,
    prune=replace(base.prune, rates=replace(base.prune.rates, conv=0.1)),
    sweep={"train.learning_rate": (1e-4, 2e-4, 3e-4, 4e-4, 5e-4, 6e-4, 7e-4, 8e-4)},
)
