"""The round loop, and what it asks: the search, arms and rewinding, checks, and the dry run."""
