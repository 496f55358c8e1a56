"""Are the tickets' initial values special, or only their distribution? (Appendix F, Figure 17)

    python -m ltjax.run --config lenet_resample

``resample`` draws each layer's survivors anew from the ticket's own initial values. Expected: little better
than ``reinit``, far below the ticket.
"""

from dataclasses import replace

import ltjax

base = ltjax.load_experiment("lenet_iterative")
experiment = replace(base, name="lenet_resample", arms={"ticket": 1, "reinit": 3, "resample": 3})
