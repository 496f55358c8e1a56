"""Conv-2 with dropout of 0.5 (Figure 6; section 3).

    python -m ltjax.run --config conv2_dropout

Paper, Figure 2: Adam 3e-4 and 60,000 steps, otherwise as ``conv2_iterative``. Expected: the dense network
is 2.1 points above Conv-2's without, and tickets up to 2.3 points above that.
"""

from dataclasses import replace

import ltjax

base = ltjax.load_experiment("conv2_iterative")
experiment = replace(
    base,
    name="conv2_dropout",
    model=replace(base.model, dropout=0.5),
    train=replace(base.train, steps=60_000, learning_rate=3e-4),
)
