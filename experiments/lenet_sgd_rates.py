"""SGD at eight learning rates (Appendix G.3, Figure 27).

    python -m ltjax.run --config lenet_sgd_rates

Three trials each. Expected: 0.4 and 0.8 stop about as early as Adam at its best, and tickets hold to below 1%
of the size.
"""

from dataclasses import replace

import ltjax

base = ltjax.load_experiment("lenet_iterative")
experiment = replace(
    base,
    name="lenet_sgd_rates",
    trials=3,
    train=replace(base.train, optimizer="sgd"),
    sweep={"train.learning_rate": (0.003125, 0.00625, 0.0125, 0.025, 0.1, 0.4, 0.8, 1.2)},
)
