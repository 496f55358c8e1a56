"""How much noise do a ticket's initial weights bear? (Appendix F, Figure 25)

    python -m ltjax.run --config lenet_noise

Gaussian noise of 0.5, 1, 2 and 3 times each layer's initial standard deviation is added to θ₀. Expected: half
of it costs nothing, more costs more, and 3 times it still beats ``reinit``.
"""

from dataclasses import replace

import ltjax

base = ltjax.load_experiment("lenet_iterative")
noise = {"noise_0.5": 1, "noise": 1, "noise_2": 1, "noise_3": 1}
experiment = replace(base, name="lenet_noise", arms={"ticket": 1, "reinit": 3, **noise})
