"""Resnet-18 on CIFAR-10 at learning rate 0.1, pruned globally (Figures 8 and 14; section 4).

    python -m ltjax.run --config resnet18_lr01

Otherwise as ``resnet18_lr001``. Expected: no winning tickets: no better than reinitialised.
"""

from dataclasses import replace

import ltjax

base = ltjax.load_experiment("resnet18_lr001")
experiment = replace(base, name="resnet18_lr01", train=replace(base.train, learning_rate=0.1))
