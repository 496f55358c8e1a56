"""A run's folder: paths, checkpoints, tables, opening and mending it, merging. The only user of Orbax."""
