"""What a run's folder holds is data: loading it never executes anything; only a ``.py`` file is run."""

import ast
import configparser
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement

from ltjax.analysis.results import read_study
from ltjax.core.errors import UserError
from ltjax.core.safetensors import load_tensors
from ltjax.data import cache
from ltjax.report import facts
from ltjax.runs import paths

from .bad_input import answer
from .test_docs import ROOT
from .test_layers import FILES, imports, module

RUNNERS = {"pickle", "_pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "code", "ctypes"}
"""Modules whose loading runs what it loads."""

CALLS = {"eval", "exec", "compile", "__import__", "read_pickle", "import_module", "run_path", "run_module"}
"""Functions that run what they are given, or import it by a name that is data."""


class Bomb:
    """Makes a folder when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


@pytest.fixture
def marker(tmp_path):
    """The folder that a bomb would make; none may, though each can."""
    pickle.loads(pickle.dumps(Bomb(tmp_path / "marker")))
    (tmp_path / "marker").rmdir()
    yield tmp_path / "marker"
    assert not (tmp_path / "marker").exists(), "what was loaded was run"


@pytest.fixture
def folder(tmp_path, finished):
    """A copy of a finished run."""
    return Path(shutil.copytree(finished.folder, tmp_path / "run"))


COMMANDS = [
    "report RUN", "evaluate RUN --round 1", "export RUN --round 1 --to EXPORT --no-measure",
    "merge RUN --to MERGED",
    "run --config RUN --workdir RUN --dry-run", "run --config RUN --workdir RUN",
]  # fmt: skip


@pytest.mark.parametrize(
    ("files", "refused"),
    [
        ("config.json", COMMANDS),
        ("summary.csv", COMMANDS[:1]),
        ("anatomy.parquet", COMMANDS[:1]),
        ("environment.json", []),  # tells only where it was trained; a run without it is as good
        ("curves/*", [COMMANDS[0], *COMMANDS[3:4], COMMANDS[5]]),
        ("checkpoints/rounds/*/**/*", [*COMMANDS[:4], COMMANDS[5]]),
        ("checkpoints/theta0/*/**/*", [COMMANDS[0], *COMMANDS[2:4]]),
    ],
)
def test_a_run_whose_files_are_pickles_is_refused_and_never_loads_them(
    files, refused, folder, marker, tmp_path, undrawn
):
    bomb = pickle.dumps(Bomb(marker))
    for path in [path for path in folder.glob(files) if path.is_file()] or [folder / files]:
        path.write_bytes(bomb)
    for line in COMMANDS:
        places = {"RUN": folder, "EXPORT": tmp_path / "export", "MERGED": tmp_path / "merged"}
        command, *arguments = (str(places.get(word, word)) for word in line.split())
        given = answer(command, arguments)
        assert "Traceback" not in given.out + given.err
        assert given.status == (2 if line in refused else 0), (line, given)
        assert line not in refused or str(folder) in given.err


def test_a_snapshot_that_is_a_pickle_is_refused(folder, marker):
    shutil.copytree(next(paths.rounds(folder).iterdir()), paths.begun(folder) / "round_002_step_000000020")
    shutil.rmtree(paths.part(folder, 2, 0))
    paths.summary(folder).unlink()
    for path in paths.begun(folder).rglob("*"):
        if path.is_file():
            path.write_bytes(pickle.dumps(Bomb(marker)))
    given = answer("run", ["--config", str(folder), "--workdir", str(folder)])
    assert given.status == 2 and "damaged" in given.err and "Traceback" not in given.err


def test_params_that_are_a_pickle_are_refused(tmp_path, marker):
    path = tmp_path / "final.safetensors"
    path.write_bytes(pickle.dumps(Bomb(marker)))
    with pytest.raises(UserError, match="no safetensors file"):
        load_tensors(path)


@pytest.mark.parametrize("whole", [True, False])
def test_a_decoded_cache_of_pickles_is_passed_over(whole, tmp_path, marker):
    """A file that is a pickle, and one of arrays that are objects, which NumPy keeps as pickles."""
    path = tmp_path / cache.NAME
    bombs = dict.fromkeys([*cache.ARRAYS, "sha256"], np.array([Bomb(marker)]))
    if whole:
        path.write_bytes(pickle.dumps(bombs))
    else:
        np.savez(path, **bombs)
    assert cache.read(path) is None


def test_pyarrow_is_asked_for_since_it_no_longer_runs_what_a_column_holds():
    """CVE-2023-47248: until 14.0.1 it unpickled a column's type."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    needed = [Requirement(line) for line in setup["options"]["install_requires"].split("\n") if line]
    (pyarrow,) = [each for each in needed if each.name == "pyarrow"]
    assert not pyarrow.specifier.contains("14.0.0")


@pytest.mark.parametrize(
    "text",
    ["", "3", "[" * 100_000, '{"devices": [[]], "versions": 3, "flags": {}, "revision": 5, "precision": []}',
     '{"command": [], "earlier": 3}', '{"command": [1], "earlier": [3, {"command": {}}, {"earlier": [1]}]}'],
)  # fmt: skip
def test_a_page_tells_nothing_of_an_environment_that_is_none(text, folder):
    paths.environment(folder).write_text(text)
    (sheet,) = facts.sheets(read_study([folder]))
    assert (sheet.devices, sheet.software, sheet.revision) == ("", {}, "")
    assert sheet.commands == [f"ltjax run --config {folder / 'config.json'}"]


RUN_BY = {
    "ltjax.settings.loading": {"run_path"},  # ltjax's own experiments
    "ltjax.settings.beside": {"run_path", "__import__"},  # a .py file, told to be a program, and its imports
    "ltjax.cli.main": {"import_module"},  # ltjax's own commands
    "ltjax.cli.completion": {"import_module"},  # and these too
    "ltjax.models.nnx": {"eval"},  # a method of NNX modules, beside train()
    "ltjax.cli.loggers.logs": {"import_module"},  # an extra's library, by a name in the code
}
"""What may run code, and by what; nothing of it comes from what is read."""


@pytest.mark.parametrize("path", FILES, ids=str)
def test_no_module_can_run_what_it_loads(path):
    assert not {name.split(".")[0] for name in imports(path)} & RUNNERS
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    for call in calls:
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        method = isinstance(call.func, ast.Attribute) and name == "compile"  # re.compile, jax's lowered
        if name in CALLS and not method:
            assert name in RUN_BY.get(module(path), ()), f"{path} calls {name}"
        if name == "load" and ast.unparse(call.func) in ("np.load", "numpy.load"):
            assert "allow_pickle=False" in ast.unparse(call), f"{path} may unpickle"
