"""``python -m ltjax.merge``: runs of one experiment, trained apart, as one."""

from ltjax.commands.merge import main

if __name__ == "__main__":
    main()
