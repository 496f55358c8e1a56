"""How long each kernel of a computation runs, from JAX's profiler."""

import math
import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax


class Kernels(NamedTuple):
    """Nanoseconds and runs of each kernel by name, and nanoseconds from the first start to the last end."""

    times: dict[str, tuple[float, int]]
    span: float


def kernels_of(run: Callable[[], None]) -> Kernels:
    """The kernels of a computation.

    On a GPU these are the device's; on a CPU, XLA's own operations as its threads report them.

    Args:
        run: computes, and returns when it is done.
    """
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            run()
        (path,) = Path(folder).rglob("*.xplane.pb")
        data = jax.profiler.ProfileData.from_file(str(path))
    found: dict[str, tuple[float, int]] = defaultdict(lambda: (0.0, 0))
    begin, end = math.inf, 0.0
    for plane in data.planes:
        on_device = plane.name.startswith("/device:")
        for line in plane.lines:
            # a GPU's lines are its streams and, derived from them, XLA's modules and operations
            if not (on_device and line.name.startswith("Stream")) and not line.name.startswith("tf_XLA"):
                continue
            for event in line.events:
                if event.name.startswith("ThunkExecutor"):  # on a CPU, around all others
                    continue
                begin = min(begin, event.start_ns)
                end = max(end, event.start_ns + event.duration_ns)
                spent, runs = found[event.name]
                found[event.name] = spent + event.duration_ns, runs + 1
    return Kernels(dict(found), end - begin)
