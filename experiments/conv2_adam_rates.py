"""Conv-2 by Adam at eight learning rates (Appendix H.2, Figure 32).

    python -m ltjax.run --config conv2_adam_rates

Three trials each. Expected: the pattern of tickets at all but the highest learning rates.
"""

from dataclasses import replace

import ltjax

base = ltjax.load_experiment("conv2_iterative")
experiment = replace(
    base,
    name="conv2_adam_rates",
    trials=3,
    sweep={"train.learning_rate": (1e-4, 2e-4, 3e-4, 4e-4, 5e-4, 6e-4, 7e-4, 8e-4)},
)
