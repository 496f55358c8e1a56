"""Setting JAX up for training, before its first computation: importing ltjax does this."""

import os
import platform
import subprocess
import sys
import warnings
from importlib import metadata
from pathlib import Path
from typing import Any

import jax
from jax.experimental.compilation_cache import compilation_cache

from ltjax.core import files, keys

PACKAGES = (
    "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "pandas", "pyarrow",
    "scikit-learn", "tensorflow-datasets", "tyro",
)  # fmt: skip


FLAGS = {
    # autotuning may choose other kernels in another process; see docs/architecture.md
    "xla_gpu_deterministic_ops": "true",
    # a CPU device whose core is busy with other work may be waited for; XLA aborts after 40 seconds
    "xla_cpu_collective_call_terminate_timeout_seconds": "864000",
}
"""Flags of XLA's that are set where the user has not."""

AUTOTUNING = "xla_gpu_per_fusion_autotune_cache_dir"
"""The cache of XLA's that is kept: which kernel was fastest for each computation."""


def set_up() -> None:
    """One CPU device per core, kept compilations and choices of kernels, and repeatable ones on a GPU.

    Whatever the user has chosen, by JAX's own environment variables or settings, stands, but for random
    numbers, which follow from an experiment's seed alone. Where JAX has computed already, its devices stay
    as they are, which is warned of if there are fewer CPUs than cores.
    """
    keys.pin()
    flags = os.environ.get("XLA_FLAGS", "")
    chosen = "host_platform_device_count" in flags or _set("jax_num_cpu_devices") != -1
    if chosen or _one_device_per_core():
        for flag, value in FLAGS.items():
            if flag not in flags:
                os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --{flag}={value}".strip()
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ and _set("jax_compilation_cache_dir") is None:
        jax.config.update("jax_compilation_cache_dir", str(files.user_cache() / "xla"))
        compilation_cache.reset_cache()  # what was compiled before had none, and JAX would go on without
    if "JAX_PERSISTENT_CACHE_ENABLE_XLA_CACHES" not in os.environ:
        # beside the compilations: a GPU's kernels are chosen by timing, which other processes disturb
        jax.config.update("jax_persistent_cache_enable_xla_caches", AUTOTUNING)


def _set(name: str) -> Any:
    """A setting of JAX's."""
    return getattr(jax.config, name)


def _one_device_per_core() -> bool:
    """Ask JAX for a CPU device per core; whether it was not too late."""
    try:
        jax.config.update("jax_num_cpu_devices", cores())
        return True
    except RuntimeError:  # it has computed something
        if jax.default_backend() == "cpu" and jax.local_device_count() < cores():
            warnings.warn(
                f"JAX was in use before ltjax was imported, so training has {jax.local_device_count()} of "
                f"{cores()} cores; import ltjax first, or set JAX_NUM_CPU_DEVICES.",
                stacklevel=4,
            )
        return False


def cores() -> int:
    """The cores this process may use, where the system tells; else all of the machine's."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def environment() -> dict[str, Any]:
    """Versions, devices, precision, revision and command line: what a repeat needs to know."""
    return {
        "ltjax": metadata.version("ltjax") if _installed("ltjax") else "not installed",
        "versions": {name: metadata.version(name) for name in PACKAGES if _installed(name)},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processes": jax.process_count(),
        "devices": [f"{device.platform}: {device.device_kind}" for device in jax.devices()],
        "precision": {
            "params": "float32",
            "matmul": jax.config.jax_default_matmul_precision or "default",  # type: ignore[attr-defined]
        },
        "flags": os.environ.get("XLA_FLAGS", ""),
        "revision": revision(),
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
    }


def revision() -> str | None:
    """The git revision of ltjax's own source, with ``+`` where it was changed; None outside git."""
    try:
        return subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--abbrev=12"],
            cwd=Path(__file__).parent, capture_output=True, text=True, check=True, timeout=10,
        ).stdout.strip()  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True
