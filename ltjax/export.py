"""``python -m ltjax.export``: one lane of a run as safetensors files, for ltjax and for other tools."""

from ltjax.commands.export import main

if __name__ == "__main__":
    main()
