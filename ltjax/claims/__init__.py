"""What any paper's claims need: their registry, verdicts, statistics. It knows no paper."""

from ltjax.claims.kinds import CLAIMS, Claim, Measured, Verdict, claim
from ltjax.claims.verdict import elsewhere, judge, table

__all__ = ["CLAIMS", "Claim", "Measured", "Verdict", "claim", "elsewhere", "judge", "table"]
