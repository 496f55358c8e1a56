"""``python -m ltjax.list``: what there is to choose from, by name."""

from ltjax.commands.list import main

if __name__ == "__main__":
    main()
