"""The lane axis: one program for many trainings, where they lie, what is measured; devices and processes."""
