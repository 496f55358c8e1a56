"""Named experiments: functions that the files of ``experiments/`` enter, each with what it is for."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

from ltjax.core.registry import Registry, definition_of
from ltjax.settings.schema import Experiment

Make = Callable[[], Experiment]
MakeFor = Callable[[str], Experiment]

Member = SimpleNamespace
"""A member of a family: its ``key``, its ``title`` and the numbers that an experiment has for it."""

MakeOf = Callable[[Member], Experiment]

EXPERIMENTS: Registry[Make] = Registry("experiment")
"""What makes each experiment, by name. Its docstring tells the purpose, the command and what is expected."""


def named(make: Make) -> Make:
    """A decorator: the function makes the experiment of its own name, whose purpose is its first line."""
    entry = _entry(make.__name__, make, inspect.getdoc(make) or "")
    EXPERIMENTS.enter(make.__name__, entry, definition_of(make), replace=False)
    return make


class Family:
    """Members, mostly networks, with which a paper does the same and which differ in some numbers.

    A function of a member makes one experiment for each, under the member's key and the function's name::

        convs = Family(conv2="Conv-2", conv4="Conv-4")

        @convs.each(steps=(20_000, 25_000))
        def iterative(conv):
            '''{title} on CIFAR-10, trained for {steps:,} steps.'''
            return Experiment(model=Model(name=conv.key), train=Train(steps=conv.steps))

    enters ``conv2_iterative`` and ``conv4_iterative``, whose docstrings are formatted with their numbers.
    """

    def __init__(self, **titles: str) -> None:
        self._titles = titles

    def each(self, **numbers: Sequence[Any]) -> Callable[[MakeOf], MakeFor]:
        """A decorator that enters an experiment for each member; what it leaves is a function of the key.

        Args:
            numbers: by name, the values of the members in their order. The function and its docstring have
                them, beside ``key`` and ``title``.
        """

        def enter(make: MakeOf) -> MakeFor:
            members = {member.key: member for member in self._members(numbers)}
            for key, member in members.items():
                name = f"{key}_{make.__name__}"
                text = (inspect.getdoc(make) or "").format(**vars(member))
                entry = _entry(name, partial(make, member), text)
                EXPERIMENTS.enter(name, entry, definition_of(make), replace=False)
            return lambda key: make(members[key])

        return enter

    def _members(self, numbers: dict[str, Sequence[Any]]) -> Iterator[Member]:
        for (key, title), *values in zip(self._titles.items(), *numbers.values(), strict=True):
            yield Member(key=key, title=title, **dict(zip(numbers, values, strict=True)))


def _entry(name: str, make: Make, text: str) -> Make:
    """What makes the experiment under its name; its docstring is the text with the command that runs it."""

    def entry() -> Experiment:
        return replace(make(), name=name)

    purpose, _, rest = text.partition("\n")
    entry.__doc__ = f"{purpose}\n\n    ltjax run --config {name}\n{rest}"
    return entry
