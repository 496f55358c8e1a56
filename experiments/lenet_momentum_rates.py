"""SGD with momentum 0.9 at seven learning rates (Appendix G.3, Figure 28).

    python -m ltjax.run --config lenet_momentum_rates

Three trials each. Expected: 0.025 to 0.1 are best; 0.025 has the best dense accuracy and never improves
by pruning.
"""

from dataclasses import replace

import ltjax

base = ltjax.load_experiment("lenet_iterative")
experiment = replace(
    base,
    name="lenet_momentum_rates",
    trials=3,
    train=replace(base.train, optimizer="momentum", momentum=0.9),
    sweep={"train.learning_rate": (0.003125, 0.0125, 0.025, 0.05, 0.1, 0.2, 0.4)},
)
