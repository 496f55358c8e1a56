"""An experiment as plain data, as JSON and a program's caller have it, and back: types, then bounds."""

import dataclasses
import types
import typing
from typing import Any

from ltjax.core.choices import Choice, chosen, defaults, having
from ltjax.core.errors import UserError, sentence, shown, unknown
from ltjax.core.registry import registry
from ltjax.core.texts import LONGEST, is_plain
from ltjax.settings.bounds import Bound
from ltjax.settings.fields import Facts, choices_of, facts_of, parameters_of, settings_of
from ltjax.settings.schema import Experiment

FORMER = {
    "prune.score": "prune.criterion", "prune.scope": "prune.structure",
    "prune.fractions": "prune.schedule.fractions", "train.momentum": "train.optimizer.momentum",
    "train.warmup": "train.schedule.warmup", "train.drops": "train.schedule.drops",
}  # fmt: skip
"""What settings were called before there were choices with parameters."""


class Former(UserError):
    """A configuration of an earlier ltjax."""


def plain(node: Any) -> Any:
    """A configuration, or a part of one, as dictionaries of plain data; a choice is its name and parameters.

    ``built`` is the inverse. Every file has experiments in this form.
    """
    if isinstance(node, Choice):
        return {"name": node.name, **node.parameters}
    if dataclasses.is_dataclass(node) and not isinstance(node, type):
        return {each.name: plain(getattr(node, each.name)) for each in dataclasses.fields(node)}
    return dict(node) if isinstance(node, dict) else node


def flatten(experiment: Experiment) -> dict[str, Any]:
    """Every setting by its dotted name, as the command line calls it: ``prune.rates.fc`` …

    A choice is its name, and its parameters: ``train.schedule`` and ``train.schedule.warmup``.
    """
    found: dict[str, Any] = {}
    for name, each in settings_of(experiment).items():
        inner = isinstance(each.value, dict)
        found |= (
            {f"{name}.{key}": value for key, value in each.value.items()} if inner else {name: each.value}
        )
    return found


def built(settings: Any) -> Experiment:
    """The experiment of settings as ``plain`` has them, or of an experiment: each of the type it should have.

    Raises:
        ValueError, TypeError: they are none; the message names the first that is wrong.
        UserError: they are of an earlier ltjax.
    """
    if isinstance(settings, dict):
        _check_former(settings)
    return typing.cast(Experiment, _build(Facts(Experiment), settings, ""))


def _check_former(settings: dict[str, Any]) -> None:
    said = {f"{part}.{field}" for part, fields in settings.items() if isinstance(fields, dict)
            for field in fields}  # fmt: skip
    there = [name for name in FORMER if name in said]
    if there:
        told = ", ".join(f"{name} is now {FORMER[name]}" for name in there)
        raise Former(f"it is of an earlier ltjax and is not read any more: {told}.")


def _build(facts: Facts, value: Any, name: str) -> Any:
    """``value``, as JSON or a program has it, as what a field asks for; ``name`` is for the message."""
    kind = facts.type
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if facts.kind:
        return _build_choice(facts.kind, value, name)
    if dataclasses.is_dataclass(kind):
        return _build_dataclass(kind, value, name)
    if origin in (types.UnionType, typing.Union):
        return _build_union([each for each in inner if each is not type(None)], value, name, inner)
    if kind is Any:
        return _build_swept(value, name)
    if origin is tuple and isinstance(value, list | tuple):
        return tuple(_build(Facts(inner[0]), each, name) for each in value)
    if origin is dict and isinstance(value, dict):
        return {_build(Facts(str), key, name): _build(Facts(inner[1]), each, f"{name}.{key}")
                for key, each in value.items()}  # fmt: skip
    if origin is typing.Literal and isinstance(value, str) and value in inner:
        return value
    if kind is float and isinstance(value, int) and abs(value) < 1e300 and not isinstance(value, bool):
        return float(value)
    if isinstance(kind, type) and isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
        if isinstance(value, str) and not is_plain(value):
            told = f"plain text of at most {LONGEST} characters"
            raise ValueError(f"{name} is {shown(value)}, where {told} is expected")
        return value
    raise ValueError(f"{name} is {shown(value)}, where {_described(kind)} is expected")


def _build_union(kinds: list[Any], value: Any, name: str, inner: tuple[Any, ...]) -> Any:
    if value is None and type(None) in inner:
        return None
    for kind in kinds:
        try:
            return _build(Facts(kind), value, name)
        except ValueError:
            if len(kinds) == 1:
                raise
    raise ValueError(f"{name} is {shown(value)}, where {' or '.join(map(_described, kinds))} is expected")


def _build_swept(value: Any, name: str) -> Any:
    """A value of a swept setting: of some setting's type; whether of its own, its point is checked for."""
    several = isinstance(value, list | tuple)
    for each in value if several else (value,):
        if not isinstance(each, int | float | str | None):
            raise ValueError(f"{name} has {shown(each)}, where numbers, text or lists of them are expected")
    return tuple(value) if several else value


def _build_dataclass(kind: Any, value: Any, name: str) -> Any:
    fields = facts_of(kind)
    if isinstance(value, kind):
        value = vars(value)
    if not isinstance(value, dict):
        raise ValueError(f"{name or 'it'} is {shown(value)}, where settings by name are expected")
    prefix = f"{name}." if name else ""
    for key in value:
        if key not in fields:
            raise ValueError(unknown("setting", f"{prefix}{key}", [prefix + each for each in fields]))
    return kind(**{key: _build(fields[key], value[key], prefix + key) for key in value})


def _build_choice(kind: str, value: Any, name: str) -> Choice:
    """A choice, of its name and parameters; those of an entry that is not registered are left as they are."""
    if isinstance(value, dict):
        given = {key: each for key, each in value.items() if key != "name"}
        value = Choice(kind, _build(Facts(str), value.get("name"), f"{name}.name"), given)
    choice = chosen(kind, value)
    if not isinstance(choice, Choice):
        raise ValueError(f"{name} is {shown(value)}, where the name of {_article(kind)} is expected")
    _build(Facts(str), choice.name, name)
    if choice.name not in registry(kind):
        parameters = {_build(Facts(str), key, name): _build_swept(each, f"{name}.{key}")
                      for key, each in choice.parameters.items()}  # fmt: skip
    else:
        for key in choice.parameters:
            if key not in defaults(kind, choice.name):
                raise ValueError(lacking(name, choice, key))
        fields = parameters_of(choice)
        parameters = {key: _build(fields[key], each, f"{name}.{key}")
                      for key, each in choice.parameters.items()}  # fmt: skip
    return Choice(kind, choice.name, parameters)


def _article(kind: str) -> str:
    return f"a{'n' * (kind[0] in 'aeiou')} {kind}"


def lacking(path: str, choice: Choice, parameter: str) -> str:
    """What to say of a parameter that a choice, by its dotted name, does not have."""
    there = " or ".join(f"{path} {name}" for name in having(choice.kind, parameter))
    known = ", ".join(map(str, choice.parameters))
    own = f"it has {known}" if known else "it has no parameters"
    return f"{path} {choice.name} has no parameter {shown(parameter)}; " + (
        f"choose {there}." if there else f"{own}."
    )


def _described(kind: Any) -> str:
    words = {int: "a whole number", float: "a number", str: "text"}
    if typing.get_origin(kind) is typing.Literal:
        return " or ".join(map(repr, typing.get_args(kind)))
    return words.get(kind, f"a list ({kind})" if typing.get_origin(kind) is tuple else str(kind))


def check(experiment: Experiment) -> None:
    """Check every setting by itself; a swept one where its points are made.

    Raises:
        UserError: the first that is out of bounds, by its command-line name.
    """
    for name, each in settings_of(experiment).items():
        if not (bound := each.facts.bound):
            continue
        named = (
            {f"{name}.{key}": one for key, one in each.value.items()}
            if isinstance(each.value, dict)
            else {name: each.value}
        )
        for path, value in named.items():
            _check_bound(path, value, bound)


def _check_bound(name: str, value: Any, bound: Bound) -> None:
    values = value if isinstance(value, tuple) else (value,)
    if len(values) > (bound.most or len(values)):
        raise UserError(f"{name} must have at most {bound.most} values, not {len(values)}.")
    for one in values:
        if one is not None and (wrong := bound.flaw(one)):
            raise UserError(f"{name} {wrong}, not {shown(one)}{bound.hint}.")


def checked_choice(choice: Choice) -> Choice:
    """A choice that is no setting, such as an analysis, if its parameters are of their types and in bounds.

    Raises:
        UserError: one is not, or its entry has no such parameter, or is not registered.
    """
    registry(choice.kind).find(choice.name)
    try:
        found = _build_choice(choice.kind, choice, choice.kind)
    except (ValueError, TypeError) as error:
        raise UserError(sentence(str(error).removeprefix(f"{choice.kind}."))) from error
    for name, facts in parameters_of(found).items():
        if facts.bound:
            _check_bound(name, found.parameters[name], facts.bound)
    found.make()
    return found


def check_choices(experiment: Experiment) -> None:
    """Check that every choice can be resolved.

    Raises:
        UserError: the first that is not registered, with the nearest name; or a parameter that it lacks.
    """
    for choice in choices_of(experiment).values():
        choice.make()
