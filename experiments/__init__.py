"""The named experiments, one file each; `python -m ltjax.run --list` shows them."""
