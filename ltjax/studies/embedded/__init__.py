"""The embedded experiment ``mnist_5k``: what it is there to show, as four claims of its own."""

from ltjax.studies.embedded import claims

__all__ = ["claims"]
