"""VGG-19 on CIFAR-10 at learning rate 0.1, pruned globally (Figures 7 and 14; section 4).

    python -m ltjax.run --config vgg19_lr01

Otherwise as ``vgg19_lr001``. Expected: no winning tickets: no better than reinitialised.
"""

from dataclasses import replace

import ltjax

base = ltjax.load_experiment("vgg19_lr001")
experiment = replace(base, name="vgg19_lr01", train=replace(base.train, learning_rate=0.1))
