"""The named experiments: Python files that define ``experiment``, found by name or by path."""

import ast
import runpy
from pathlib import Path

from ltjax import identity
from ltjax.config import Experiment
from ltjax.errors import UserError, unknown


def folder() -> Path:
    """Where the named experiments lie: inside an installed ltjax, else beside the package."""
    package = Path(__file__).parent
    inside = package / "experiments"
    return inside if inside.is_dir() else package.parent / "experiments"


def experiments() -> dict[str, str]:
    """Every named experiment with its one-line purpose, the first line of its file."""
    return {name: _purpose(path) for name, path in _files().items()}


def _files() -> dict[str, Path]:
    return {path.stem: path for path in sorted(folder().glob("*.py")) if not path.stem.startswith("_")}


def load_experiment(name: str | Path) -> Experiment:
    """An experiment by name, or by the path of a ``.py`` file, a ``config.json`` or a run's folder.

    A ``.py`` file is a program and is run: load only what you trust. A ``config.json`` is only data.

    Raises:
        UserError: there is none such, or its file defines no experiment.
    """
    path = Path(name)
    if str(name) in _files():  # a folder of that name does not hide the experiment
        return _run(_files()[str(name)])
    if path.is_dir():
        path = path / "config.json"
    if path.suffix == ".json":
        return identity.from_json(_text(path))
    if path.suffix != ".py":
        raise unknown("experiment", str(name), experiments(), "(--list shows what each is for.)")
    return _run(path)


def _run(path: Path) -> Experiment:
    _text(path)
    try:
        found = runpy.run_path(str(path)).get("experiment")
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"'{path}' could not be run: {type(error).__name__}: {error}.") from error
    if not isinstance(found, Experiment):
        raise UserError(f"'{path}' defines no `experiment = Experiment(...)`.")
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"the experiment '{path}' cannot be read ({error}).") from error


def _purpose(path: Path) -> str:
    return (ast.get_docstring(ast.parse(path.read_text())) or "").split("\n")[0]
