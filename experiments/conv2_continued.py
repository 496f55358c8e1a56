"""Continued training in place of rewinding: Conv-2 by Strategy 2 (Appendix B, Figure 10).

    python -m ltjax.run --config conv2_continued

Every round prunes the weights that training left and trains them on; only to be measured is each mask
rewound to θ₀ and trained alone. Expected: the tickets of ``conv2_iterative`` are better at small sizes.
"""

from dataclasses import replace

import ltjax

base = ltjax.load_experiment("conv2_iterative")
experiment = replace(
    base,
    name="conv2_continued",
    arms={"ticket": 1, "continued": 1},
    prune=replace(base.prune, schedule="continued"),
)
