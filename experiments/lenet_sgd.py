"""LeNet's tickets by plain SGD at 0.8, to look inside (Appendix F, Figures 16, 22 and 24).

    python -m ltjax.run --config lenet_sgd

Otherwise as ``lenet_iterative``. Expected: the surviving initial values of all layers become bimodal.
"""

from dataclasses import replace

import ltjax

base = ltjax.load_experiment("lenet_iterative")
experiment = replace(base, name="lenet_sgd", train=replace(base.train, optimizer="sgd", learning_rate=0.8))
