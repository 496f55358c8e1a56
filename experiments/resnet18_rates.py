"""Resnet-18 at five learning rates, tickets and reinitialised (Appendix I.2, Figure 42).

    python -m ltjax.run --config resnet18_rates

Otherwise as ``resnet18_lr001``. Expected: winning tickets at 0.01 and at no higher learning rate.
"""

from dataclasses import replace

import ltjax

base = ltjax.load_experiment("resnet18_lr001")
experiment = replace(
    base,
    name="resnet18_rates",
    arms={"ticket": 1, "reinit": 1},
    sweep={"train.learning_rate": (0.01, 0.02, 0.03, 0.05, 0.1)},
)
