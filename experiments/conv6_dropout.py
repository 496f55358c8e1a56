"""Conv-6 with dropout of 0.5 (Figure 6; section 3).

    python -m ltjax.run --config conv6_dropout

Paper, Figure 2: Adam 2e-4 and 90,000 steps, otherwise as ``conv6_iterative``. Expected: the dense network
is 2.4 points above Conv-6's without, and tickets up to 4.7 points above that.
"""

from dataclasses import replace

import ltjax

base = ltjax.load_experiment("conv6_iterative")
experiment = replace(
    base,
    name="conv6_dropout",
    model=replace(base.model, dropout=0.5),
    train=replace(base.train, steps=90_000, learning_rate=2e-4),
)
