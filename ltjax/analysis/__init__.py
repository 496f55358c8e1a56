"""Questions asked of finished runs: their results, evaluation, statistics of their weights."""
