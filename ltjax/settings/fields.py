"""What a setting says of itself, once, in its annotation: its bound, its role, and of what kind a choice is.

    rounds: Annotated[int, whole(0, ROUNDS), GREATER] = 10

A field that states no role has the role of what it lies in; parameters of a choice are fields of the choice.
"""

import ast
import functools
import inspect
import itertools
import linecache
import typing
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Literal, NamedTuple

from ltjax.core.choices import Choice
from ltjax.core.registry import registry
from ltjax.settings.bounds import Bound


@dataclass(frozen=True)
class Role:
    """What a setting is to a run.

    Args:
        name: *value* (an argument of a lane: points that differ in it train as lanes of one program),
            *shape* (another program), *extent* (may grow), *place* (where things lie), *compute* (never
            changes results), *numerics* (changes bits, and not what is found).
        grow: of an extent, what holds both of two values.
        fits: of an extent, whether the first can grow to hold the second.
        told: how a message shows a value.
        heard: whether an experiment has a say in it.
    """

    name: Literal["value", "shape", "extent", "place", "compute", "numerics"]
    grow: Callable[[Any, Any], Any] = max
    fits: Callable[[Any, Any], bool] = lambda one, other: True
    told: Callable[[Any], str] = repr
    heard: Callable[[Any], bool] = lambda experiment: True


VALUE, SHAPE, PLACE = Role("value"), Role("shape"), Role("place")
COMPUTE, NUMERICS = Role("compute"), Role("numerics")

GREATER = Role("extent")
"""Of two numbers the greater one."""


def _begins(one: Any, other: Any) -> bool:
    return all(mine == yours for mine, yours in zip(one, other, strict=False))


LONGER = Role("extent", grow=lambda one, other: max(one, other, key=len), fits=_begins)
"""A list that gets longer at its end."""


@dataclass(frozen=True)
class Kind:
    """A choice: what its registry holds."""

    name: str


ALL_POINTS = "all points"
"""A setting that has one value in all points of a sweep."""


class Facts(NamedTuple):
    """What a field says of itself."""

    type: Any
    """Its type, without what else the annotation says."""
    role: Role | None = None
    bound: Bound | None = None
    kind: str | None = None
    fixed: bool = False
    """Whether a sweep cannot vary it."""


def facts_of(kind: Any) -> dict[str, Facts]:
    """What every field of a dataclass says of itself, by name."""
    return _facts_of(kind)


@functools.cache
def _facts_of(kind: Any) -> dict[str, Facts]:
    own = getattr(
        inspect.getattr_static(kind, "__call__", None), "__globals__", None
    )  # a file that was run has no module
    hints = typing.get_type_hints(kind, own, include_extras=True)
    return {each.name: _facts(hints[each.name]) for each in fields(kind) if each.init}


def _facts(hint: Any) -> Facts:
    if typing.get_origin(hint) is not typing.Annotated:
        return Facts(hint)
    plain, *said = typing.get_args(hint)

    def first(kind: type) -> Any:
        return next((each for each in said if isinstance(each, kind)), None)

    role, kind = first(Role), first(Kind)
    return Facts(plain, role, first(Bound), kind and kind.name, ALL_POINTS in said or role == PLACE)


class Setting(NamedTuple):
    """A setting of an experiment, by its dotted name: its value there, and what it says of itself."""

    name: str
    value: Any
    facts: Facts

    @property
    def role(self) -> str:
        """Its role's name."""
        return self.facts.role.name if self.facts.role else "shape"


def parameters_of(choice: Choice) -> dict[str, Facts]:
    """What the parameters of a choice say of themselves; nothing where its entry is not registered."""
    entry = registry(choice.kind).get(choice.name)
    known = facts_of(entry) if isinstance(entry, type) and is_dataclass(entry) else {}
    return {name: known.get(name, Facts(Any)) for name in choice.parameters}


def settings_of(node: Any, prefix: str = "", role: Role = SHAPE) -> dict[str, Setting]:
    """Every setting of a configuration by dotted name; a choice is its name, then its parameters.

    A dictionary (arms, a sweep) is one setting.
    """
    found: dict[str, Setting] = {}
    inner = parameters_of(node) if isinstance(node, Choice) else facts_of(type(node))
    for name, facts in inner.items():
        value = node.parameters[name] if isinstance(node, Choice) else getattr(node, name)
        path, own = prefix + name, facts if facts.role else facts._replace(role=role)
        if isinstance(value, Choice):
            found[path] = Setting(path, value.name, own)
        if isinstance(value, Choice) or is_dataclass(value):
            found |= settings_of(value, f"{path}.", typing.cast(Role, own.role))
        else:
            found[path] = Setting(path, value, own)
    return found


def choices_of(node: Any, prefix: str = "") -> dict[str, Choice]:
    """Every choice of a configuration by dotted name."""
    found: dict[str, Choice] = {}
    for name in facts_of(type(node)):
        value = getattr(node, name)
        if isinstance(value, Choice):
            found[prefix + name] = value
        elif is_dataclass(value):
            found |= choices_of(value, f"{prefix}{name}.")
    return found


def replaced(node: Any, name: str, value: Any) -> Any:
    """A configuration with another value of one setting, by its dotted name; nothing is checked."""
    head, _, rest = name.partition(".")
    if isinstance(node, Choice):
        return replace(node, parameters={**node.parameters, name: value})
    old = getattr(node, head)
    if isinstance(old, Choice) and not rest and value == old.name:
        return node  # with its own parameters
    return replace(node, **{head: replaced(old, rest, value) if rest else value})


@functools.cache
def helps_of(kind: Any) -> dict[str, str]:
    """The docstring under every field of a dataclass; empty where it has none, or where no source is."""
    said = {
        field.target.id: inspect.cleandoc(text.value.value)
        for each in reversed(kind.__mro__) for field, text in itertools.pairwise(_body(each))
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }  # fmt: skip
    return {name: said.get(name, "") for name in facts_of(kind)}


def _body(kind: Any) -> list[ast.stmt]:
    """The statements of a class, also of a file that was run or of a notebook's cell."""
    code = getattr(inspect.getattr_static(kind, "__call__", None), "__code__", None)
    try:
        file = code.co_filename if code else inspect.getfile(kind)
        tree = ast.parse("".join(linecache.getlines(file)))
    except (TypeError, OSError, SyntaxError):
        return []
    line = code.co_firstlineno if code else 0
    return next((
        node.body for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name == kind.__name__
        and (not code or node.lineno <= line <= (node.end_lineno or 0))
    ), [])  # fmt: skip
