"""Which weights are there: masks, criteria, structures, selection, and schedules of rounds."""
