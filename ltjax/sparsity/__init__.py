"""Which weights are there: masks, scores that rank them, their selection, and schedules of rounds."""
