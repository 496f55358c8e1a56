"""The structure: packages stand on floors, imports point upward only, libraries are contained."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "ltjax"

FLOORS = [
    ["core"],
    ["settings"],
    ["models", "data", "sparsity"],
    ["training"],
    ["lanes"],
    ["lottery"],
    ["runs"],
    ["analysis", "export"],
    ["plots", "claims"],
    ["studies"],
    ["report"],
    ["cli"],
    ["run", "__main__"],
]
"""Packages by floor: one may import from itself and from those on floors before it (docs/architecture.md)."""

CONTAINED = {
    "orbax": {"runs"},
    "flax": {"models"},
    "matplotlib": {"plots", "studies"},
    "jinja2": {"report"},
    "plotly": {"report"},
    "safetensors": {"core"},
    "scipy": {"analysis", "export"},
    "filelock": {"core"},
    "tensorboardX": {"cli"},
    "wandb": {"cli"},
    "tensorflow_datasets": {"data"},
    "sklearn": {"data"},
    "mnist1d": {"data"},
    "tyro": {"cli"},
    "rich": {"cli"},
    "optax": {"training"},
}
"""Libraries, each with the packages that may use it."""

FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def room(path: Path) -> str:
    """The package that a file lies in; what starts a program is a room of its own."""
    first = "__main__.py" if path.name == "__main__.py" else path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


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
    own = room(path)
    for name in imports(path):
        if name.startswith("ltjax."):
            other = name.split(".")[1]
            assert other == own or floor(other) < floor(own), f"{path} imports {name}"


@pytest.mark.parametrize("path", FILES, ids=str)
def test_libraries_are_contained(path):
    for name in imports(path):
        users = CONTAINED.get(name.split(".")[0])
        assert users is None or room(path) in users, f"{path} imports {name}"


def test_every_package_stands_on_one_floor_and_every_floor_is_there():
    assert {room(path) for path in FILES} == {name for names in FLOORS for name in names}


def test_nothing_lies_flat_but_the_public_interface_and_what_starts_it():
    assert {path.name for path in PACKAGE.glob("*.py")} == {"__init__.py", "__main__.py", "run.py"}


def test_within_a_package_no_two_modules_import_each_other_in_a_circle():
    graph = {module(path): {name for name in internal(path)} for path in FILES}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " imports ".join((*trail[trail.index(name) :], name))
        if name not in done:
            for other in sorted(graph[name]):
                visit(other, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def module(path: Path) -> str:
    return ".".join(("ltjax", *path.relative_to(PACKAGE).with_suffix("").parts))


def internal(path: Path) -> set[str]:
    """The modules of ltjax that a file imports, packages' own lists of names left out."""
    every = {module(each) for each in FILES if each.name != "__init__.py"}
    names = imports(path) if path.name != "__init__.py" else set()
    return {found for name in names for found in (name, name.rpartition(".")[0]) if found in every}


@pytest.mark.parametrize("path", FILES, ids=str)
def test_a_file_is_one_subject(path):
    assert len(path.read_text().splitlines()) <= 400
