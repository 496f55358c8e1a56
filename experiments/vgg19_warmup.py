"""VGG-19 on CIFAR-10 at learning rate 0.1, warmed up over 10,000 steps (Figures 7 and 14; section 4).

    python -m ltjax.run --config vgg19_warmup

The rate rises from 0, linearly; otherwise as ``vgg19_lr001``. Expected: dense about a point more accurate
than without, and tickets above it down to 1.5% (round 19).
"""

from dataclasses import replace

import ltjax

base = ltjax.load_experiment("vgg19_lr001")
experiment = replace(base, name="vgg19_warmup", train=replace(base.train, learning_rate=0.1, warmup=10_000))
