"""Forms of a trained network for use elsewhere: folded, compacted, sparse; files and their card."""
