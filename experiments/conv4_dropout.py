"""Conv-4 with dropout of 0.5 (Figure 6; section 3).

    python -m ltjax.run --config conv4_dropout

Paper, Figure 2: Adam 2e-4 and 75,000 steps, otherwise as ``conv4_iterative``. Expected: the dense network
is 3.0 points above Conv-4's without, and tickets up to 4.6 points above that.
"""

from dataclasses import replace

import ltjax

base = ltjax.load_experiment("conv4_iterative")
experiment = replace(
    base,
    name="conv4_dropout",
    model=replace(base.model, dropout=0.5),
    train=replace(base.train, steps=75_000, learning_rate=2e-4),
)
