"""``python -m ltjax.run``: run an experiment into a folder, continue it, or show what it would do."""

from ltjax.cli.commands.run import main

if __name__ == "__main__":
    main()
