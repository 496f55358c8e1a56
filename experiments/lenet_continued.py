"""Continued training in place of rewinding: LeNet by Strategy 2 (Appendix B, Figure 9).

    python -m ltjax.run --config lenet_continued

Every round prunes the weights that training left and trains them on; only to be measured is each mask rewound
to θ₀ and trained alone. Expected: the tickets of ``lenet_iterative``, rewound in every round, stop earlier
and are more accurate at small sizes.
"""

from dataclasses import replace

import ltjax

base = ltjax.load_experiment("lenet_iterative")
experiment = replace(
    base,
    name="lenet_continued",
    arms={"ticket": 1, "continued": 1},
    prune=replace(base.prune, schedule="continued"),
)
