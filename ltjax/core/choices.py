"""Choices: an entry of a registry by name, with its parameters, as plain data.

An entry is a function, which has no parameters, or a frozen dataclass with ``__call__``, whose fields are its
parameters. A choice can be read and written where its entry is not registered; it is resolved by ``make``.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ltjax.core.errors import UserError
from ltjax.core.registry import registry


@dataclass(frozen=True)
class Choice:
    """An entry of the registry of ``kind``, by name; parameters that are not given have their defaults."""

    kind: str
    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "parameters", {**defaults(self.kind, self.name), **self.parameters})

    def __hash__(self) -> int:
        return hash((self.kind, self.name))

    def __str__(self) -> str:
        return self.name

    def make(self) -> Any:
        """The entry that is chosen: the function, or the dataclass with these parameters.

        Raises:
            UserError: nothing is registered under the name, or it has no such parameter.
        """
        entry = registry(self.kind).find(self.name)
        known = defaults(self.kind, self.name)
        for parameter in self.parameters:
            if parameter not in known:
                raise UserError(f"the {self.kind} {self.name} has no parameter {parameter!r}.")
        return entry(**self.parameters) if _has_parameters(entry) else entry


def defaults(kind: str, name: str) -> dict[str, Any]:
    """The parameters of an entry with their defaults; none where it is not registered.

    Raises:
        UserError: a parameter has no default, or is called ``name``, as the entry itself is.
    """
    entry: Any = registry(kind).get(name) if isinstance(name, str) else None
    if not _has_parameters(entry):
        return {}
    parameters = [each for each in dataclasses.fields(entry) if each.init]
    for each in parameters:
        if each.name == "name":
            raise UserError(f"a parameter of the {kind} '{name}' is called name; call it otherwise.")
        if each.default is each.default_factory:  # both are MISSING
            raise UserError(f"the parameter {each.name} of the {kind} '{name}' needs a default.")
    return {each.name: each.default if each.default_factory is dataclasses.MISSING else each.default_factory()
            for each in parameters}  # fmt: skip


def chosen(kind: str, value: Any) -> Any:
    """What a program may write for a choice, as one: its name, a registered entry, or an instance of one.

    What is none of these is given back.
    """
    if isinstance(value, str):
        return Choice(kind, value)
    if isinstance(value, Choice):
        return Choice(kind, value.name, value.parameters)
    for name, entry in registry(kind).items():
        if _has_parameters(entry) and (type(value) is entry or _again(type(value), entry)):
            return Choice(kind, name, {each.name: getattr(value, each.name)
                                       for each in dataclasses.fields(value) if each.init})  # fmt: skip
        if value is entry:
            return Choice(kind, name)
    return value


def having(kind: str, parameter: str) -> list[str]:
    """The names of the entries that have a parameter."""
    return [name for name in registry(kind) if parameter in defaults(kind, name)]


def _has_parameters(entry: Any) -> bool:
    return isinstance(entry, type) and dataclasses.is_dataclass(entry)


def _again(one: type, other: type) -> bool:
    """Whether a class is another's definition run again, as a notebook's cell is."""
    return (one.__module__, one.__qualname__) == (other.__module__, other.__qualname__)
