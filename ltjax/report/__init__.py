"""The report's page: everything a study shows, in one HTML file that needs nothing else."""

from ltjax.report.page import counted, grouped, listed, render

__all__ = ["counted", "grouped", "listed", "render"]
