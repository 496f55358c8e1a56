"""Adam at eight learning rates (Appendix G.2, Figure 26).

    python -m ltjax.run --config lenet_adam_rates

Three trials each. Expected: 2e-4 to 2e-3 are alike in accuracy, 1.2e-3 and 2e-3 fastest; 2.5e-5 and 6.4e-3
do not reach their lowest validation loss, yet gain accuracy by pruning.
"""

from dataclasses import replace

import ltjax

base = ltjax.load_experiment("lenet_iterative")
experiment = replace(
    base,
    name="lenet_adam_rates",
    trials=3,
    sweep={"train.learning_rate": (2.5e-5, 5e-5, 2e-4, 8e-4, 1.2e-3, 2e-3, 3.2e-3, 6.4e-3)},
)
