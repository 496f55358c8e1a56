"""The training of one lane, pure: its step, optimizers, augmentations; nothing knows of lanes."""
