"""Random keys by name: every draw of a run is a function of its one seed and of what it is for.

Folding in names and indices, rather than splitting in sequence, is what lets an arm, a trial or a
device be added without changing any other lane's numbers.
"""

import zlib

import jax

from ltjax.core.types import Key


def named_key(seed: int, *parts: str | int) -> Key:
    """The key for one purpose, e.g. ``named_key(0, "train", trial, round, "reinit", repeat)``.

    Args:
        seed: the experiment's seed.
        parts: names and indices, outermost first; their order matters.
    """
    key = jax.random.key(seed)
    for part in parts:
        # crc32 and not hash(): the latter changes with every process
        key = jax.random.fold_in(key, zlib.crc32(part.encode()) if isinstance(part, str) else part)
    return key
