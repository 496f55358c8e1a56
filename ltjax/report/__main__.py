"""``python -m ltjax.report``: a study's figures, its verdicts on claims, and its page."""

from ltjax.cli.commands.report import main

if __name__ == "__main__":
    main()
