"""VGG-19 at five learning rates, tickets and reinitialised (Appendix I.2, Figure 43).

    python -m ltjax.run --config vgg19_rates

Otherwise as ``vgg19_lr001``. Expected: winning tickets at 0.01 and at no higher learning rate.
"""

from dataclasses import replace

import ltjax

base = ltjax.load_experiment("vgg19_lr001")
experiment = replace(
    base,
    name="vgg19_rates",
    arms={"ticket": 1, "reinit": 1},
    sweep={"train.learning_rate": (0.01, 0.02, 0.03, 0.05, 0.1)},
)
