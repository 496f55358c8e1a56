"""Frankle & Carbin, "The Lottery Ticket Hypothesis" (ICLR 2019): its figures, claims and facts."""

from ltjax.studies.frankle2019 import claims, figures

__all__ = ["claims", "figures"]
