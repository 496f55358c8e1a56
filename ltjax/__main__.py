"""``python -m ltjax``: the same as the ``ltjax`` command."""

from ltjax.cli.main import main

if __name__ == "__main__":
    main()
