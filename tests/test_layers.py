"""The structure: imports point upward only, and each library is used in one place."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "ltjax"

FLOORS = [
    {
        "errors", "texts", "registry", "types", "keys", "trees", "files", "config", "identity", "bounds",
        "sweeps", "paths", "version", "debris", "processes", "last_words", "locks", "interrupts",
    },
    {
        "masks", "kernels", "flops", "canonical", "convolution", "models", "augmentations", "optimizers",
        "data", "tables", "checkpoints", "tensors", "catalogue", "plain", "patches", "compaction", "sparse",
        "forms",
    },
    {"scores", "pruning", "schedules", "arms", "training", "validation"},
    {"history", "snapshots", "devices", "lanes", "programs"},
    {"search", "lottery"},
    {
        "runs", "recovery", "opening", "begun", "merging", "plan", "display", "backend", "command", "options",
        "distributed", "running",
        "loggers", "study", "histograms", "anatomy", "figures", "claims", "page", "evaluation",
        "exporting", "latency", "card", "card_words",
    },
    {"commands"},
    {"run", "report", "evaluate", "export", "merge", "list", "completion", "cli", "__main__"},
]  # fmt: skip
"""Modules by floor; one may import from its own floor and from those before it."""

CONTAINED = {
    "orbax": {"checkpoints"},
    "flax": {"models"},
    "matplotlib": {"figures"},
    "jinja2": {"page"},
    "plotly": {"page"},
    "safetensors": {"tensors"},
    "scipy": {"sparse"},
    "filelock": {"locks"},
    "tensorboardX": {"loggers"},
    "wandb": {"loggers"},
    "tensorflow_datasets": {"data"},
    "sklearn": {"data"},
    "tyro": {"commands", "options", "completion"},
    "rich": {"commands", "display", "running"},
    "optax": {"optimizers", "training"},
}

FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def module(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def floor(name: str) -> int:
    found = [level for level, names in enumerate(FLOORS) if name in names]
    assert len(found) == 1, f"{name} stands on {len(found)} floors of the table"
    return found[0]


def imports(path: Path) -> set[str]:
    """Full dotted names of what a file imports, function-level imports included."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} uses a relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("path", FILES, ids=str)
def test_imports_point_upward_only(path):
    own = module(path)
    for name in imports(path):
        if name.startswith("ltjax."):
            assert floor(name.split(".")[1]) <= floor(own), f"{path} imports {name}"


@pytest.mark.parametrize("path", FILES, ids=str)
def test_libraries_are_contained(path):
    for name in imports(path):
        users = CONTAINED.get(name.split(".")[0])
        assert users is None or module(path) in users, f"{path} imports {name}"


def test_every_module_stands_on_one_floor_and_every_floor_is_there():
    assert {module(path) for path in FILES} == set().union(*FLOORS)


@pytest.mark.parametrize("path", FILES, ids=str)
def test_files_are_short(path):
    assert len(path.read_text().splitlines()) <= 250
