"""Random keys by name: every draw of a run is a function of its one seed and of what it is for.

Folding in names and indices, rather than splitting in sequence, is what lets an arm, a trial or a
device be added without changing any other lane's numbers.
"""

import zlib
from typing import Any

import jax

from ltjax.core.types import Key

IMPLEMENTATION = "threefry2x32"
"""How JAX draws: every key says so, whatever JAX's default is."""

PINNED = f"{IMPLEMENTATION}-partitionable"
"""What every run's random numbers are, as ``random_numbers`` says it."""


def pin() -> None:
    """Set JAX to draw what it draws by default, whatever the shell's variables say."""
    jax.config.update("jax_default_prng_impl", IMPLEMENTATION)
    jax.config.update("jax_threefry_partitionable", True)
    jax.config.update("jax_random_seed_offset", 0)


def random_numbers() -> str:
    """What JAX draws by in this process: ``PINNED``, unless its settings were changed since ``pin``."""
    config: Any = jax.config
    partitionable = "partitionable" if config.jax_threefry_partitionable else "not-partitionable"
    offset = f"-offset-{config.jax_random_seed_offset}" if config.jax_random_seed_offset else ""
    return f"{IMPLEMENTATION}-{partitionable}{offset}"


def named_key(seed: int, *parts: str | int) -> Key:
    """The key for one purpose, e.g. ``named_key(0, "train", trial, round, "reinit", repeat)``.

    Args:
        seed: the experiment's seed.
        parts: names and indices, outermost first; their order matters.
    """
    key = jax.random.key(seed, impl=IMPLEMENTATION)
    for part in parts:
        # crc32 and not hash(): the latter changes with every process
        key = jax.random.fold_in(key, zlib.crc32(part.encode()) if isinstance(part, str) else part)
    return key
