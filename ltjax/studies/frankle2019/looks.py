"""How the paper's networks, and its ways of training the deep ones, look in all of its figures."""

from ltjax.plots.style import BLACK, BLUE, GREEN, ORANGE, PURPLE, SKY, Look
from ltjax.studies.frankle2019 import facts

NETWORKS = {
    key: Look(facts.NETWORKS[key].name, colour, marker)
    for key, colour, marker in (
        ("lenet", BLACK, "D"), ("conv2", BLUE, "o"), ("conv4", ORANGE, "s"),
        ("conv6", GREEN, "^"), ("resnet18", PURPLE, "v"), ("vgg19", SKY, "P"),
    )
}  # fmt: skip
"""The look of every network where several are in one panel."""

SETTINGS = {
    "lr01": Look("rate 0.1", PURPLE, "D"),
    "lr001": Look("rate 0.01", SKY, "v"),
    "warmup": Look("warmup", BLACK, "o"),
}
"""The look of each of ``facts.WAYS``; their labels tell what was run."""
