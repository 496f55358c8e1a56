"""How the command lines read their options, and write what tyro has no way to write of itself: sweeps."""

import ast
import contextlib
import functools
import io
import re
import shutil
import textwrap
from collections.abc import Callable, Sequence
from inspect import getdoc
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, cast

import tyro
from tyro.constructors import (
    ConstructorRegistry,
    PrimitiveConstructorSpec,
    PrimitiveTypeInfo,
    StructConstructorSpec,
    StructFieldSpec,
    StructTypeInfo,
)

from ltjax.cli.misspelt import unknown_option
from ltjax.core.choices import Choice
from ltjax.core.errors import UserError, shown
from ltjax.core.registry import registry as registry_of
from ltjax.core.texts import path_flaw
from ltjax.settings.fields import helps_of, parameters_of

Sweep = dict[str, tuple[Any, ...]]

Options = TypeVar("Options")

UNREADABLE = (ValueError, SyntaxError, TypeError, RecursionError, MemoryError)
"""What ast's parser raises."""

WIDEST = 100
"""Characters of a line of help, at most; a longer one is read with difficulty."""

Quiet = Annotated[bool, tyro.conf.arg(aliases=["-q"])]
"""Whether to say nothing but what goes wrong."""


def read(kind: type[Options], arguments: Sequence[str], program: str, **more: Any) -> Options:
    """The options that a command line says, over those of ``more["default"]`` if there are any.

    Args:
        kind: the dataclass of the options.
        arguments: the command line, without the program.
        program: how the program is started, for its help.
        more: what ``tyro.cli`` is given besides.

    Raises:
        UserError: there is no such option, and what it may have meant; or a path is none that can be. Exits
            with 2 on wrong types, and with 0 after ``--help``.
    """
    ask = functools.partial(
        tyro.cli, kind, prog=program, registry=registry(), config=(tyro.conf.FlagCreatePairsOff,),
        description=_filled(getdoc(kind) or ""), return_unknown_args=True, **more,
    )  # fmt: skip
    options, rest = ask(args=arguments)
    if rest:
        raise unknown_option(rest, program, _names(ask))
    for name, value in vars(options).items():
        for path in value if isinstance(value, tuple) else (value,):
            if isinstance(path, Path) and (wrong := path_flaw(str(path))):
                raise UserError(f"{name} {wrong}, not {shown(str(path))}.")
    return options


def _filled(text: str) -> str:
    """Paragraphs, broken between words for the terminal; tyro joins a line that begins with a letter."""
    width = min(shutil.get_terminal_size().columns, WIDEST)
    paragraphs = (" ".join(each.split()) for each in text.split("\n\n"))
    return "\n\n".join(
        textwrap.fill(each, width, subsequent_indent="  ", break_on_hyphens=False) for each in paragraphs
    )


def _names(ask: Callable[..., Any]) -> list[str]:
    """Every option of a command, as its help has them."""
    help = io.StringIO()
    with contextlib.redirect_stdout(help), contextlib.suppress(SystemExit):
        ask(args=["--help"])
    return re.findall(r"^\W*(?:-\w, )?(--\w[\w.-]*)", help.getvalue(), re.MULTILINE)


def registry() -> ConstructorRegistry:
    """What tyro needs to know to read and show a sweep: ``--sweep train.learning_rate=1e-4,3e-4``."""
    rules = ConstructorRegistry()

    @rules.struct_rule
    def choice(info: StructTypeInfo) -> StructConstructorSpec | None:
        return spec_of(info.default) if info.type is Choice and isinstance(info.default, Choice) else None

    @rules.primitive_rule
    def sweep(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Sweep] | None:
        if info.type != Sweep:
            return None
        return PrimitiveConstructorSpec(
            nargs="*",
            metavar="SETTING=VALUE,VALUE…",
            instance_from_str=read_sweep,
            is_instance=lambda value: isinstance(value, dict),
            str_from_instance=show_sweep,
        )

    return rules


def spec_of(choice: Choice) -> StructConstructorSpec:
    """A choice for tyro: an option of its own name, ``--prune.schedule``, and one for every parameter."""

    def make(**given: Any) -> Choice:
        return Choice(choice.kind, given.pop(""), given)

    entry, names = registry_of(choice.kind).get(choice.name), tuple(registry_of(choice.kind))
    helps = helps_of(entry) if choice.parameters and isinstance(entry, type) else {}
    own = StructFieldSpec(
        name="", type=cast(Any, Literal[names or (choice.name,)]), default=choice.name,
        helptext=(getdoc(entry) or "").split("\n")[0],
    )  # fmt: skip
    parameters = [
        StructFieldSpec(name=name, type=facts.type, default=choice.parameters[name], helptext=helps.get(name))
        for name, facts in parameters_of(choice).items()
    ]
    return StructConstructorSpec(instantiate=make, fields=(own, *parameters))


def read_sweep(texts: list[str]) -> Sweep:
    """The sweep that ``SETTING=VALUE,VALUE…`` arguments say.

    Example:
        >>> read_sweep(["train.learning_rate=1e-4,3e-4", "model.widths=(25,9),(50,17)"])
        {'train.learning_rate': (0.0001, 0.0003), 'model.widths': ((25, 9), (50, 17))}
    """
    found = {}
    for text in texts:
        name, separator, values = text.partition("=")
        if not separator or not values:
            raise ValueError(f"{text!r} is no SETTING=VALUE,VALUE…")
        name = name.replace("-", "_")
        if name in found:
            raise ValueError(f"{name} is there twice")
        found[name] = _values(values)
    return found


def _values(text: str) -> tuple[Any, ...]:
    try:
        return tuple(ast.literal_eval(f"({text},)"))  # numbers, None, tuples
    except UNREADABLE:
        return tuple(map(_value, text.split(",")))  # names, perhaps among others


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except UNREADABLE:
        return text


def show_sweep(sweep: Sweep) -> list[str]:
    """The arguments that say a sweep: the inverse of ``read_sweep``."""
    return [f"{name}={','.join(str(value).replace(' ', '') for value in values)}"
            for name, values in sweep.items()]  # fmt: skip
