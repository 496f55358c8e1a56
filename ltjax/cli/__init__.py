"""The command lines, what a person sees while they run, and what is told to loggers."""
