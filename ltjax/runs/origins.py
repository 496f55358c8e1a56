"""Where what an experiment names comes from: its entries of registries, and the user's files among them."""

import ast
import inspect
import linecache
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, NamedTuple

from ltjax.core.guards import is_library
from ltjax.core.registry import Registry, registry
from ltjax.data import DATASETS
from ltjax.lottery.arms import ARMS
from ltjax.models import MODELS, WIRINGS
from ltjax.settings.fields import choices_of
from ltjax.settings.schema import Experiment

REGISTRIES: dict[str, Registry[Any]] = {each.kind: each for each in (ARMS, DATASETS, MODELS, WIRINGS)}
"""Those that are not found by their kind."""

CONSTANTS = (int, float, complex, str, bytes, bool, tuple, frozenset, type(None))


class Entry(NamedTuple):
    """An entry of a registry, which need not be registered."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"the {self.kind} '{self.name}'"

    @property
    def registry(self) -> Registry[Any]:
        """The registry of its kind."""
        return REGISTRIES.get(self.kind) or registry(self.kind)

    @property
    def is_registered(self) -> bool:
        """Whether there is such an entry now."""
        return self.name in self.registry

    @property
    def is_own(self) -> bool:
        """Whether the user registered it: neither ltjax nor a library did."""
        found = self.registry.definition(self.name)
        return found is not None and not is_library(found.place)

    @property
    def file(self) -> Path | None:
        """The file of the user's that registered it; None where another did, or a notebook's cell."""
        found = self.registry.definition(self.name)
        return Path(found.place) if found and self.is_own and Path(found.place).is_file() else None


def named(points: Iterable[Experiment]) -> set[Entry]:
    """The entries that an experiment names, in all points of its sweep."""
    found = set()
    for point in points:
        found |= {Entry(choice.kind, choice.name) for choice in choices_of(point).values()}
        found |= {Entry("arm", arm) for arm, repeats in point.arms.items() if repeats}
        found |= {Entry("model", point.model.name), Entry("wiring", point.model.name)}
        found.add(Entry("data set", point.data.name))
    return found


def cell_of(entry: Entry) -> str | None:
    """The source of an entry of a notebook's: its own, and that of what it names of the notebook's.

    None where its source cannot be had, as of a function that was typed into Python's own prompt.
    """
    made = entry.registry[entry.name]
    found: dict[str, str] = {}
    _collect(getattr(made, "load", made), found)
    return "\n\n".join(found[name] for name in sorted(found)) or None


def _collect(made: Any, found: dict[str, str]) -> None:
    """Add the source of a function or class, and of the functions, classes and constants that it names."""
    target = made if isinstance(made, FunctionType | type) else type(made)
    if target.__name__ in found or (text := _source(target)) is None:
        return
    found[target.__name__] = textwrap.dedent(text)
    for function in _functions(target):
        for name in _names(function.__code__):
            value = function.__globals__.get(name)
            if isinstance(value, FunctionType | type) and value.__module__ == target.__module__:
                _collect(value, found)
            elif isinstance(value, CONSTANTS) and not name.startswith("__"):
                found.setdefault(name, f"{name} = {value!r}")


def _functions(target: FunctionType | type) -> list[FunctionType]:
    if isinstance(target, FunctionType):
        return [target]
    return [each for each in vars(target).values()
            if isinstance(each, FunctionType) and linecache.getlines(each.__code__.co_filename)]  # fmt: skip


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _names(inner)


def _source(target: FunctionType | type) -> str | None:
    """The text of a function or class; of a class by its methods, since a notebook's has no file."""
    if isinstance(target, FunctionType):
        try:
            return inspect.getsource(target)
        except (OSError, TypeError):
            return None
    for function in _functions(inspect.unwrap(target)):
        text = "".join(linecache.getlines(function.__code__.co_filename))
        line = function.__code__.co_firstlineno
        for node in ast.walk(ast.parse(text)):
            if (
                isinstance(node, ast.ClassDef)
                and node.name == target.__name__
                and (node.lineno <= line <= (node.end_lineno or 0))
            ):
                return ast.get_source_segment(text, node)
    return None
