"""Every study: one folder a paper, with its figures, claims and facts. Importing this registers them all."""

from ltjax.claims import CLAIMS, Claim, Measured, Verdict, claim, elsewhere, judge, table
from ltjax.plots import FIGURES, Drawn, Entry, draw, figure, in_order, tickets
from ltjax.studies import embedded, frankle2019
from ltjax.studies.answers import picture
from ltjax.studies.frankle2019.facts import NETWORKS

__all__ = [
    "CLAIMS", "FIGURES", "NETWORKS", "Claim", "Drawn", "Entry", "Measured", "Verdict",
    "claim", "draw", "elsewhere", "embedded", "figure", "frankle2019", "in_order", "judge",
    "picture", "table", "tickets",
]  # fmt: skip
