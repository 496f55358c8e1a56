"""Resnet-18 at learning rate 0.03 with six lengths of warmup (Appendix I.5, Figure 44).

    python -m ltjax.run --config resnet18_warmups

Otherwise as ``resnet18_warmup``. Expected: longer is better, with most of the gain before 5,000 steps.
"""

from dataclasses import replace

import ltjax

base = ltjax.load_experiment("resnet18_warmup")
experiment = replace(
    base,
    name="resnet18_warmups",
    arms={"ticket": 1},
    sweep={"train.warmup": (0, 500, 1000, 5000, 10_000, 20_000)},
)
