"""How long forms of a network take for a batch of images, measured side by side on this machine."""

import itertools
import os
import platform
import time
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from ltjax.export.variants import Logits, agree
from ltjax.lanes import backend

BATCHES = (1, 512)
"""One example, as where answers are wanted at once, and many, as where there is much to do."""

SECONDS = 4.0
"""What measuring all forms at one batch size may take, but for a least number of turns."""

BURST = 5
"""Calls of one form in a row; the first, which finds another's weights in the caches, is not timed."""

LONG = 0.05
"""Seconds from which on a call is timed by itself."""

LEAST = 6
"""Turns of each form at least: as many as three forms have orders."""


class Timing(NamedTuple):
    """The median seconds of a call, of how many, and the ratio to the first form's turn by turn.

    Of the ratios, the median and the quarters that bound the middle half of them.
    """

    median: float
    calls: int
    low: float
    ratio: float
    high: float


def measure(
    forms: Mapping[str, Logits], images: Mapping[str, Any], seconds: float = SECONDS
) -> tuple[dict[str, Timing], list[str]]:
    """Time forms of one network on a batch, by turns, so that what else the machine does meets all alike.

    Turns go through all orders of the forms: JAX after SciPy, whose calls leave its threads asleep, takes up
    to a quarter longer (one network twice in a fixed order, LeNet at batch 512 on two cores).

    Args:
        forms: functions from images to logits, by name; the first's logits are what the others' must be.
        images: what each is given, by the same names, where it computes.
        seconds: what to spend beyond compilation and the least number of turns.

    Returns:
        A timing of each form that gives the first's logits, and the names of those that do not.
    """
    with jax.default_matmul_precision("highest"):  # so that a GPU's rounding does not look like a mistake
        logits = {name: np.asarray(form(images[name])) for name, form in forms.items()}
    wanted = next(iter(logits.values()))
    wrong = [name for name, found in logits.items() if not agree(found, wanted)]
    calls = {
        name: (lambda form=form, given=images[name]: jax.block_until_ready(form(given)))
        for name, form in forms.items() if name not in wrong
    }  # fmt: skip
    return _by_turns(calls, seconds), wrong


def _by_turns(calls: Mapping[str, Callable[[], Any]], seconds: float) -> dict[str, Timing]:
    turns: dict[str, list[list[float]]] = {name: [] for name in calls}
    end = time.perf_counter() + seconds + sum(_seconds(call) for call in calls.values())
    for turn, order in enumerate(itertools.cycle(itertools.permutations(calls))):
        if turn >= LEAST and time.perf_counter() > end:
            break
        for name in order:
            first = _seconds(calls[name])
            turns[name].append([first] if first > LONG else [_seconds(calls[name]) for _ in range(BURST - 1)])
    medians = {name: np.array([np.median(turn) for turn in found]) for name, found in turns.items()}
    return {name: _timing(found, medians[name] / medians[next(iter(calls))]) for name, found in turns.items()}


def _seconds(call: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def _timing(turns: list[list[float]], ratios: np.ndarray) -> Timing:
    times = [time for turn in turns for time in turn]
    return Timing(float(np.median(times)), len(times), *map(float, np.quantile(ratios, [0.25, 0.5, 0.75])))


def machine() -> dict[str, Any]:
    """What the times are of: processor, cores, JAX's device, versions, and how busy the machine was."""
    return {
        "processor": _processor(),
        "cores": backend.cores(),
        "device": f"{jax.devices()[0].platform}: {jax.devices()[0].device_kind}",
        "versions": {name: metadata.version(name) for name in ("jax", "numpy", "scipy")},
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }


def _processor() -> str:
    """The processor's name; Python has it on some systems alone."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next(iter(names), platform.processor() or platform.machine())
