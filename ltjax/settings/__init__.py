"""The configuration of an experiment: its schema and bounds, loading, compatibility, and sweeps."""
