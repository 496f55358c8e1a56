"""Things by name: a misspelt name is answered with the nearest one, a name that exists is not taken twice."""

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from ltjax.core.errors import UserError, shown, unknown
from ltjax.core.guards import guarded

T = TypeVar("T")


class Definition(NamedTuple):
    """The file that registered an entry (its module, where there is no file), and what it is called there."""

    place: str
    name: str


def definition_of(made: object) -> Definition:
    """The definition of what a decorator was given, for the decorator to ask of its caller."""
    frame = sys._getframe(2)
    file = Path(frame.f_code.co_filename).resolve()
    place = str(file) if file.exists() else str(frame.f_globals.get("__name__"))  # a notebook's cell
    return Definition(place, getattr(made, "__qualname__", type(made).__qualname__))


class Registry(dict[str, T], Generic[T]):
    """Named entries of one kind (arms, criteria, models, …), filled by decorating functions.

    A name may be registered again from the same file for a function of the same name: then the file was run
    again, as ``load_experiment`` runs a user's file each time. All cells of a notebook count as one file.

    Example:
        >>> arms = Registry("arm")
        >>> @arms.register("ticket")
        ... def ticket(): ...
        >>> sorted(arms)
        ['ticket']
    """

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.absent: Callable[[str], UserError | None] | None = None
        """What to say of a name that is not there, where there is more to say than the nearest one."""
        self._definitions: dict[str, Definition] = {}

    def register(self, name: str, *, replace: bool = False) -> Callable[[T], T]:
        """A decorator that enters what it decorates under ``name``.

        Raises:
            UserError: by the decorator, where ``name`` exists already and ``replace`` is False.
        """

        def enter(entry: T) -> T:
            self.enter(name, entry, definition_of(entry), replace=replace)
            return entry

        return enter

    def enter(self, name: str, entry: T, definition: Definition, *, replace: bool) -> None:
        """What ``register`` does, for decorators that make the entry from what they decorate.

        Raises:
            UserError: ``name`` exists already, by another definition, and ``replace`` is False.
        """
        if name in self and not replace and self._definitions.get(name) != definition:
            raise UserError(
                f"the {self.kind} {shown(name)} exists already; choose another name, or say replace=True."
            )
        self[name] = entry
        self._definitions[name] = definition

    def find(self, name: str) -> T:
        """The entry called ``name``.

        Raises:
            UserError: nothing is called that; the message has the nearest name.
        """
        if name not in self:
            raise (self.absent and self.absent(name)) or unknown(self.kind, name, self)
        return self[name]

    def definition(self, name: str) -> Definition | None:
        """Where the entry called ``name`` was registered; None where nothing is called that."""
        return self._definitions.get(name) if name in self else None

    def guarded(self, name: str) -> AbstractContextManager[None]:
        """A stretch that calls the entry called ``name``, with errors told as ``guards.guarded`` does."""
        definition = self._definitions.get(name)
        return guarded(f"the {self.kind} {shown(name)}", definition.place if definition else "")


_REGISTRIES: dict[str, Registry[Any]] = {}


def registry(kind: str) -> Registry[Any]:
    """The one registry of a kind, made on the first call, so that no floor imports a higher one for it."""
    return _REGISTRIES.setdefault(kind, Registry(kind))
