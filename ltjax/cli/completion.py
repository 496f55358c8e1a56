"""Completion of ``ltjax …`` in shells: a script that tyro writes of every command's options and choices."""

import contextlib
import dataclasses
import importlib
import io
from collections.abc import Iterable
from typing import Annotated, Any, Literal, Union

import tyro

from ltjax.cli.parsing import registry
from ltjax.core.errors import UserError, unknown
from ltjax.settings import loading

SHELLS = ("bash", "zsh", "fish")

NAMING = ("run", "evaluate")
"""Commands whose ``--config`` is an experiment's name."""


def script(commands: Iterable[str], shell: str | None = None) -> str:
    """What a shell evaluates to complete the commands' names, options and choices.

    Raises:
        UserError: no shell is named, or there is no completion for it.
    """
    if shell is None:
        raise UserError(f"name a shell: --completion {'|'.join(SHELLS)}.")
    if shell not in SHELLS:
        raise unknown("completion for", shell, SHELLS)
    written = io.StringIO()
    with contextlib.redirect_stdout(written), contextlib.suppress(SystemExit):
        tyro.cli(_every(commands), prog="ltjax", args=["--tyro-print-completion", shell], registry=registry())
    return written.getvalue().rstrip()


def _every(commands: Iterable[str]) -> Any:
    """A type of which each command's options are one form."""
    return Union[*(_options(name) for name in commands)]


def _options(name: str) -> Any:
    module = importlib.import_module(f"ltjax.cli.commands.{name}")
    options = module.Options
    default = getattr(module, "defaults", lambda: tyro.MISSING)()
    if name in NAMING:
        options = _naming(options)
        default = options(**vars(default)) if dataclasses.is_dataclass(default) else default
    return Annotated[options, tyro.conf.subcommand(name, default=default)]


def _naming(options: type) -> type:
    """Options whose ``config`` has the named experiments as choices; a path is completed by hand."""
    names: Any = Literal[tuple(loading.experiments())]
    own = [("config", names | None, dataclasses.field(default=None))]
    return dataclasses.make_dataclass(options.__name__, own, bases=(options,), frozen=True)
