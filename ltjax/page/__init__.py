"""The report's page: everything a study shows, in one HTML file that needs nothing else."""

from ltjax.page.page import grouped, listed, render

__all__ = ["grouped", "listed", "render"]
