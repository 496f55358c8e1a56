"""The named experiments: one file a family, in a folder for each paper; `ltjax list` shows them."""
