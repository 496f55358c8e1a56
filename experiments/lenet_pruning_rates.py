"""Pruning 10% to 80% a round (Appendix G.4, Figure 29).

    python -m ltjax.run --config lenet_pruning_rates

Three trials each; the output layer is pruned at half the rate, and every rate has the rounds it takes to
about 1% remaining. Expected: 10% and 20% a round are clearly better than 40% and more.
"""

from dataclasses import replace

import ltjax

base = ltjax.load_experiment("lenet_iterative")
experiment = replace(
    base,
    name="lenet_pruning_rates",
    trials=3,
    sweep={
        "prune.rates.fc": (0.1, 0.2, 0.4, 0.6, 0.8),
        "prune.rates.output": (0.05, 0.1, 0.2, 0.3, 0.4),
        "prune.rounds": (40, 20, 9, 5, 3),
    },
)
