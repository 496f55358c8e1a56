"""Resnet-18 on CIFAR-10 at learning rate 0.03, warmed up over 20,000 steps (Figures 8 and 14; section 4).

    python -m ltjax.run --config resnet18_warmup

The rate rises from 0, linearly; otherwise as ``resnet18_lr001``. Expected: 90.5% at 27.1% (round 6), as
dense at 0.1; tickets down to 11.8% (round 10).
"""

from dataclasses import replace

import ltjax

base = ltjax.load_experiment("resnet18_lr001")
experiment = replace(
    base, name="resnet18_warmup", train=replace(base.train, learning_rate=0.03, warmup=20_000)
)
