"""Conv-6's tickets with both controls: reinitialised, and random sparsity (Figures 1, 5 and 14).

    python -m ltjax.run --config conv6_controls

Paper: 3 reinitialisations of every ticket (15 in all) and 2 random sparse networks (10 in all), otherwise
as ``conv6_iterative``. Expected: reinitialised tickets learn ever slower and lose accuracy sooner; random
sparsity ends no differently from them.
"""

from dataclasses import replace

import ltjax

base = ltjax.load_experiment("conv6_iterative")
experiment = replace(base, name="conv6_controls", arms={"ticket": 1, "reinit": 3, "random": 2})
