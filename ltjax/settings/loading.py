"""Experiments, loaded by the name that ``experiments/`` gives them, or by the path of a file or a run."""

import runpy
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TypeVar

from ltjax.core.errors import UserError, sentence, shown, unknown
from ltjax.core.registry import Registry
from ltjax.core.texts import path_flaw, read_text
from ltjax.settings import beside, compatible
from ltjax.settings.named import EXPERIMENTS, Make
from ltjax.settings.plain import check
from ltjax.settings.schema import Experiment

T = TypeVar("T")

DEFAULT = "mnist_5k"
"""The experiment that runs where none is named: its data come with a package."""


def folder() -> Path:
    """Where the named experiments lie: inside an installed ltjax, else beside the package."""
    package = Path(__file__).parent.parent
    inside = package / "experiments"
    return inside if inside.is_dir() else package.parent / "experiments"


def experiments() -> dict[str, str]:
    """Every named experiment with its one-line purpose, the first line of its docstring."""
    return {name: (make.__doc__ or "").split("\n")[0] for name, make in sorted(_entered().items())}


@cache
def _entered() -> Registry[Make]:
    """The named experiments, once the files that enter them have run; they are part of ltjax."""
    for path in sorted(folder().rglob("*.py")):
        if not path.stem.startswith("_"):
            runpy.run_path(str(path))
    return EXPERIMENTS


def load_experiment(name: str | Path) -> Experiment:
    """An experiment by name, or by the path of a ``.py`` file, a ``config.json`` or a run's folder.

    A ``.py`` file is a program and is run, and may import what lies beside it: load only what you trust. A
    ``config.json`` is only data.

    Raises:
        UserError: there is none such, or its file defines no experiment.
    """
    if wrong := path_flaw(str(name)):
        raise UserError(f"the experiment's name or path {wrong}, not {shown(str(name))}.")
    path = Path(name)
    if str(name) in _entered():  # a folder of that name does not hide the experiment
        return _named(str(name))
    if path.is_dir():
        path = path / "config.json"
    if path.suffix == ".json":
        return _read(path)
    if path.suffix == ".py":
        return _run(path)
    if path.exists():
        raise UserError(f"'{name}' is no experiment: no .py file, config.json or run's folder.")
    if len(path.parts) > 1:
        raise UserError(f"there is no '{name}'; an experiment's file or a run's folder is expected there.")
    raise unknown("experiment", str(name), experiments(), "(--list shows what each is for.)")


def _read(path: Path) -> Experiment:
    text = _text(path)
    try:
        return _checked(compatible.from_json(text))
    except UserError as error:
        raise UserError(sentence(f"'{path}': {error}")) from error


@cache
def _named(name: str) -> Experiment:
    """A named experiment; it is made once, as judging asks for it often."""
    return _checked(compatible.checked(_entered()[name]()))


def run_file(path: Path) -> None:
    """Run a user's ``.py`` file for what it registers; it needs no experiment.

    Raises:
        UserError: it cannot be read, or could not be run; of another file or a name, as ``load_experiment``.
    """
    if path.suffix == ".py":
        _guarded(path, lambda: beside.run(path))
    else:
        load_experiment(path)


def _run(path: Path) -> Experiment:
    def experiment_of() -> Experiment:
        found = beside.run(path).get("experiment")
        if not isinstance(found, Experiment):
            raise UserError("it defines no `experiment = Experiment(...)`.")
        return _checked(compatible.checked(found))

    return _guarded(path, experiment_of)


def _guarded(path: Path, run: Callable[[], T]) -> T:
    _text(path)
    try:
        return run()
    except KeyboardInterrupt:
        raise
    except UserError as error:
        raise UserError(f"'{path}': {error}") from error
    except BaseException as error:  # sys.exit() too: what ends a user's program does not end ltjax
        raise UserError(sentence(f"'{path}' could not be run: {_said(error)}")) from error


def _checked(experiment: Experiment) -> Experiment:
    check(experiment)
    return experiment


def _said(error: BaseException) -> str:
    kind = type(error).__name__
    try:
        return f"{kind}: {error}" if str(error) else kind
    except Exception:  # an error of the user's own
        return kind


def _text(path: Path) -> str:
    try:
        return read_text(path)
    except UserError as error:
        raise UserError(f"the experiment '{path}' cannot be read ({error}).") from error
