"""VGG-19 at learning rate 0.1 with six lengths of warmup (Appendix I.5, Figure 45).

    python -m ltjax.run --config vgg19_warmups

Otherwise as ``vgg19_warmup``. Expected: longer is better, with most of the gain before 5,000 steps.
"""

from dataclasses import replace

import ltjax

base = ltjax.load_experiment("vgg19_warmup")
experiment = replace(
    base,
    name="vgg19_warmups",
    arms={"ticket": 1},
    sweep={"train.warmup": (0, 1000, 5000, 10_000, 20_000, 50_000)},
)
