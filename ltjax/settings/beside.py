"""Running a user's file, which imports what lies beside it, as Python runs a script, and leaving no trace."""

import builtins
import importlib
import runpy
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from ltjax.core import code
from ltjax.core.guards import is_library

_RUN: dict[Path, str] = {}
"""The texts of files that were run, and of what they import, as they were when they were run last."""


def text_of(path: Path) -> str:
    """The text of a user's file: as it was run, where it was; so what was edited since is not taken for it.

    Raises:
        OSError: it cannot be read.
    """
    return _RUN[path] if path in _RUN else code.read(path)


def run(path: Path) -> dict[str, Any]:
    """Run a file and give its globals; what lies beside it can be imported, by its functions later too.

    Modules from beside it are the file's own: they are read anew each time, they never are another folder's
    of the same name, and they are taken out of ``sys.modules`` and ``sys.path`` again.
    """
    own = _Beside(path.resolve().parent)
    _RUN.update(code.files_of(path))

    def find(*arguments: Any, **named: Any) -> ModuleType:
        with own.importable():
            return builtins.__import__(*arguments, **named)

    with own.importable():
        return runpy.run_path(str(path), {"__builtins__": {**vars(builtins), "__import__": find}})


class _Beside:
    """The modules of a folder, for one file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.modules: dict[str, ModuleType] = {}
        self.active = False

    @contextmanager
    def importable(self) -> Iterator[None]:
        """A stretch in which the folder's modules can be imported, and those of the same names cannot."""
        if self.active:
            yield
            return
        self.active, wrote, others = True, sys.dont_write_bytecode, self._take(self._named())
        sys.modules.update(self.modules)
        sys.path.insert(0, str(self.folder))
        sys.dont_write_bytecode = True  # a file that is edited within a second would not be read anew
        importlib.invalidate_caches()
        try:
            yield
        finally:
            self.modules = self._take(self._named())
            sys.modules.update(others)
            if str(self.folder) in sys.path:
                sys.path.remove(str(self.folder))
            self.active, sys.dont_write_bytecode = False, wrote

    def _named(self) -> list[str]:
        """The modules that are there, and have the names of what lies in the folder; no library's."""
        names = {path.stem for path in self.folder.glob("*.py")}
        names |= {path.name for path in self.folder.iterdir() if path.is_dir()}
        return [
            name for name, module in list(sys.modules.items())
            if name.partition(".")[0] in names - {"__main__"} and not is_library(_place(module))
        ]  # fmt: skip

    def _take(self, names: list[str]) -> dict[str, ModuleType]:
        return {name: sys.modules.pop(name) for name in names}


def _place(module: ModuleType) -> str:
    """The file or folder of a module; one without, such as a built-in one, is a library's."""
    return str(getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", ())), "<built-in>"))
