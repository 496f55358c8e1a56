"""LeNet's tickets with both controls: reinitialised, and random sparsity (Figures 1 and 4; Appendix E, 14).

    python -m ltjax.run --config lenet_controls

Paper: 3 reinitialisations of every ticket (15 in all) and 2 random sparse networks (10 in all), otherwise as
``lenet_iterative``. Expected: at 21.1% remaining (round 7) a ticket reaches its lowest validation loss 2.51
times sooner than its reinitialisation and is 0.5 points more accurate; reinitialised beats random sparsity.
"""

from dataclasses import replace

import ltjax

base = ltjax.load_experiment("lenet_iterative")
experiment = replace(base, name="lenet_controls", arms={"ticket": 1, "reinit": 3, "random": 2})
