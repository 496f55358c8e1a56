"""Gaussian initialisations of six widths, and Glorot's (Appendix G.5, Figure 30).

    python -m ltjax.run --config lenet_init_scales

Three trials each; σ is the same in every layer. Expected: tickets at every σ; 0.1 is about as good as Glorot.
"""

from dataclasses import replace

import ltjax

base = ltjax.load_experiment("lenet_iterative")
experiment = replace(
    base,
    name="lenet_init_scales",
    trials=3,
    sweep={"model.init_std": (0.0125, 0.025, 0.05, 0.1, 0.2, 0.4, None)},
)
