"""``python -m ltjax.evaluate``: loss and accuracy of what a run trained, or of any safetensors file."""

from ltjax.commands.evaluate import main

if __name__ == "__main__":
    main()
