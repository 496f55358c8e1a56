"""A dictionary of things by name that answers a misspelt name with the nearest one."""

from collections.abc import Callable
from typing import Generic, TypeVar

from ltjax.errors import unknown

T = TypeVar("T")


class Registry(dict[str, T], Generic[T]):
    """Named entries of one kind (arms, scores, models, …), filled by decorating functions.

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

    def register(self, name: str) -> Callable[[T], T]:
        """A decorator that enters what it decorates under ``name``."""

        def enter(entry: T) -> T:
            self[name] = entry
            return entry

        return enter

    def find(self, name: str) -> T:
        """The entry called ``name``.

        Raises:
            UserError: nothing is called that; the message has the nearest name.
        """
        if name not in self:
            raise unknown(self.kind, name, self)
        return self[name]
