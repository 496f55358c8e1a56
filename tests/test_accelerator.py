"""The accelerator's benchmark: each part is a process, and one that fails costs no other."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

from parts import PARTS, VARIANTS  # noqa: E402


def accelerator(out: Path, *arguments: str, flags: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCHMARKS / "accelerator.py"), "--quick", "--out", str(out), *arguments]
    environment = os.environ | {"XLA_FLAGS": flags}
    return subprocess.run(command, capture_output=True, text=True, timeout=1200, env=environment)


def test_every_network_and_variant_is_a_part():
    for network in ("lenet", "conv2", "resnet18", "vgg19"):
        assert {network, f"{network}-pytorch", f"{network}-compiled"} <= set(PARTS)
    assert {f"conv2: {name}" for name in VARIANTS} <= set(PARTS)


@pytest.mark.long
def test_rows_are_printed_as_a_table_and_kept_as_json(tmp_path):
    done = accelerator(tmp_path / "some", "--parts", "peaks", "conv2: default")
    assert done.returncode == 0, done.stdout
    rows = json.loads((tmp_path / "some.json").read_text())
    assert [row["of"] for row in rows if row["part"] == "peaks"] == [
        "device", "memory", "float32 product", "bfloat16 product",
    ]  # fmt: skip
    assert done.stdout == (tmp_path / "some.md").read_text()
    assert done.stdout.count("| conv2 |") == 1
    assert all(row["x PyTorch"] is None and row["% of peak"] > 0 for row in rows if "loop" in row)


def test_a_part_that_fails_is_told_and_the_next_begins(tmp_path):
    done = accelerator(tmp_path / "none", "--parts", "peaks", "kernels", flags="--xla_no_such_flag=1")
    assert done.returncode == 1
    assert "peaks: failed" in done.stdout and "kernels: failed" in done.stdout


def test_a_part_for_which_no_time_is_left_is_left_out(tmp_path):
    done = accelerator(tmp_path / "none", "--minutes", "0")
    assert done.stdout.count(": left out") == len(PARTS) and done.returncode == 0


@pytest.mark.long
def test_all_of_it_runs_on_a_cpu(tmp_path):
    pytest.importorskip("torch")
    done = accelerator(tmp_path / "all", "--minutes", "15")
    assert done.returncode == 0, done.stdout
    measured = {row["part"] for row in json.loads((tmp_path / "all.json").read_text())}
    assert measured == set(PARTS)
