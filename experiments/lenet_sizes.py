"""LeNets of ten sizes, 25-9 to 900-300 (Appendix G.6, Figure 31).

    python -m ltjax.run --config lenet_sizes

Three trials each, rounds 0 to 30. Expected: at equal numbers of weights, tickets of larger networks are more
accurate; all are back at their own dense accuracy at about 9,000 to 15,000 weights.
"""

from dataclasses import replace

import ltjax

base = ltjax.load_experiment("lenet_iterative")
experiment = replace(
    base,
    name="lenet_sizes",
    trials=3,
    prune=replace(base.prune, rounds=30),
    sweep={
        "model.widths": (
            (25, 9),
            (50, 17),
            (100, 34),
            (150, 50),
            (200, 67),
            (300, 100),
            (400, 134),
            (500, 167),
            (700, 233),
            (900, 300),
        ),
    },
)
