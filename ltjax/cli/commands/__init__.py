"""The command lines, one a file: ``main(arguments, program)`` reads its options and does what they say.

``python -m ltjax.NAME`` and ``ltjax NAME`` start them; ``command`` has what they do alike.
"""
