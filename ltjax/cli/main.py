"""The ``ltjax`` command: ``ltjax run`` and the others, each the same as ``python -m ltjax.…``."""

import importlib
import sys
from collections.abc import Sequence
from typing import NoReturn

import ltjax
from ltjax.cli import completion
from ltjax.cli.command import exit_codes
from ltjax.core.errors import unknown

COMMANDS = {
    "run": "find winning tickets: run an experiment, continue it, or show what it would do",
    "report": "draw figures, judge the paper's claims and write report.html of runs",
    "export": "write a ticket for use elsewhere, compacted, measured, with a card",
    "analyse": "ask runs a question: connectivity, overlap, curvature … or one of your own",
    "evaluate": "loss and accuracy of what a run trained, or of any params",
    "merge": "make one run of runs that were trained apart",
    "keep": "drop trained params from a run, and nothing else of it",
    "pack": "write a run as one small file, to be carried to another machine",
    "unpack": "make a run's folder of such a file",
    "list": "show the experiments, models, arms, criteria … there are, by name",
}
"""Every command and what it does; ``commands`` has a module of the name."""


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line; exits as the command does, or with 2 where there is none of the name."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    with exit_codes("ltjax", given):
        name, rest = _command(given)
        importlib.import_module(f"ltjax.cli.commands.{name}").main(rest, f"ltjax {name}")


def _command(given: Sequence[str]) -> tuple[str, list[str]]:
    """The command's name and its own arguments; what asks for none is answered, and ends here."""
    match list(given):
        case ["--help" | "-h"]:
            _say(usage())
        case ["--version"]:
            _say(f"ltjax {ltjax.__version__}")
        case ["--completion", *shell]:
            _say(completion.script(COMMANDS, *shell[:1]))
        case [name, *rest] if name in COMMANDS:
            return name, rest
        case [name, *_]:
            raise unknown("command", name, COMMANDS)
    print(usage(), file=sys.stderr)
    raise SystemExit(2)


def usage() -> str:
    """What ``ltjax --help`` prints."""
    width = max(map(len, COMMANDS))
    commands = "\n".join(f"  {name:{width}}  {purpose}" for name, purpose in COMMANDS.items())
    return (
        "usage: ltjax COMMAND [OPTIONS]\n\nThe lottery-ticket laboratory.\n\n"
        f"{commands}\n\n"
        "  ltjax COMMAND --help                  every option of a command\n"
        f"  ltjax --completion {'|'.join(completion.SHELLS)}   what a shell evaluates to complete all this\n"
        "  ltjax --version"
    )


def _say(text: str) -> NoReturn:
    print(text)
    raise SystemExit(0)
