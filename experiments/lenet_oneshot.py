"""One-shot pruning of LeNet: all sizes from the one dense trained network (Figure 4c).

    python -m ltjax.run --config lenet_oneshot

Each fraction is removed from the dense network's hidden layers at once, half of it from the output layer, and
the survivors are rewound; 3 reinitialisations each. The fractions go from coarse to fine, so that the first
six rounds already span the paper's two ranges: earlier stopping than dense for 67.5% to 17.6% remaining,
more accurate for 95.0% to 5.17%. Expected: iterative pruning (``lenet_iterative``) is better at the smaller
sizes.
"""

from dataclasses import replace

import ltjax

base = ltjax.load_experiment("lenet_iterative")
fractions = (0.05, 0.325, 0.825, 0.95, 0.5, 0.9, 0.675, 0.125, 0.25, 0.375, 0.625, 0.75, 0.875, 0.975)
experiment = replace(
    base,
    name="lenet_oneshot",
    arms={"ticket": 1, "reinit": 3},
    prune=replace(base.prune, schedule="oneshot", fractions=fractions, rounds=len(fractions)),
)
