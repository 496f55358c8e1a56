"""Lane programs by number of lanes, none larger than the devices' memory: more lanes train in turns.

What a program needs is asked of the compiled program itself, before it runs, so that no device runs out of
memory in the middle of a round.
"""

import math
import os
from collections.abc import Callable

import jax

from ltjax.core.errors import UserError
from ltjax.lanes import processes
from ltjax.lanes.program import LaneProgram
from ltjax.settings.schema import Compute
from ltjax.training.step import LaneStart

MARGIN = 0.95
"""Of a device's memory; the rest is left to what the compiled program does not count."""


class Programs:
    """The programs of one network and configuration, each made once.

    Args:
        make: makes the program of so many lanes.
        compute: the most lanes at once, and the memory, where the user has said so.
    """

    def __init__(self, make: Callable[[int], LaneProgram], compute: Compute) -> None:
        self._make, self._compute = make, compute
        self._made: dict[int, LaneProgram] = {}
        self._most: float = math.inf if compute.lanes is None else compute.lanes

    def expected(self, lanes: int) -> tuple[int, bool]:
        """How many of ``lanes`` lanes would be trained first, as it seems, and whether that is compiled."""
        size = turn(lanes, self._most)
        return size, size in self._made

    def of(self, lanes: int, start: LaneStart) -> tuple[LaneProgram, int]:
        """A program for ``lanes`` lanes, or for the first of several turns of as equal size as can be.

        Args:
            lanes: how many are to be trained.
            start: of any of them.

        Returns:
            The program, and how many lanes to give it.

        Raises:
            UserError: not even one lane fits the memory.
        """
        size = turn(lanes, self._most)
        if size not in self._made:
            self._made[size] = self._make(size)
            limit = processes.least(memory(self._compute, jax.local_devices()[0]))
            if self._made[size].bytes_needed(start) > limit:
                self._most = self._fitting(size, start, limit)
                return self.of(lanes, start)
        return self._made[size], size

    def _fitting(self, size: int, start: LaneStart, limit: float) -> int:
        """The most lanes below ``size`` that fit: what they need grows linearly, then is asked again."""
        too_much = self._made.pop(size).bytes_needed(start)
        one = self._make(1).bytes_needed(start)
        if one > limit:
            raise UserError(
                f"training one lane needs {one / 2**30:.2f} GiB of a device, and {limit / 2**30:.2f} may be "
                "used; try a smaller --train.batch or --train.evaluate-batch."
            )
        guess = min(int(1 + (limit - one) * (size - 1) / (too_much - one)), size - 1)
        while guess > 1 and self._make(guess).bytes_needed(start) > limit:
            guess -= 1
        return guess


def turn(lanes: int, most: float) -> int:
    """The size of turns as equal as can be, each of at most ``most`` lanes.

    Example:
        >>> turn(9, 4), turn(8, 4), turn(3, 4)
        (3, 4, 3)
    """
    return lanes if lanes <= most else math.ceil(lanes / math.ceil(lanes / most))


def memory(compute: Compute, device: jax.Device) -> float:
    """The bytes of a device that training may use: those configured, else nearly all it has.

    CPU devices share the machine's memory.
    """
    if compute.memory is not None:
        return compute.memory * 2**30
    stats = device.memory_stats() or {}
    if "bytes_limit" in stats:
        return MARGIN * float(stats["bytes_limit"])
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return MARGIN * whole / len(jax.local_devices())
    return math.inf
