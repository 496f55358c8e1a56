"""When this process began: importing JAX takes seconds that a limit of time counts too."""

import os
import time
from pathlib import Path


def running_for() -> float:
    """Seconds since this process began, where the system tells (Linux does); else 0.

    Example:
        >>> running_for() >= 0
        True
    """
    try:
        after_name = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        began = int(after_name[19]) / os.sysconf("SC_CLK_TCK")
        return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - began)
    except (OSError, ValueError, IndexError, AttributeError):
        return 0.0
