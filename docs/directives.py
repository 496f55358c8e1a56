"""What the site has of its own: ``.. registry:: arms``, a table, and ``.. help:: run``, what is printed."""

import contextlib
import importlib
import io
import os
from typing import Any, ClassVar
from unittest.mock import patch

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from ltjax.cli.commands.list import PURPOSES

WIDTH = "86"
"""Characters of a line of help."""


class Registry(SphinxDirective):
    """The entries of a kind, each with what it is for, as ``ltjax list`` shows them."""

    required_arguments: ClassVar[int] = 1

    def run(self) -> list[nodes.Node]:
        """The table."""
        group = nodes.tgroup("", nodes.colspec(colwidth=25), nodes.colspec(colwidth=75), cols=2)
        group += nodes.thead("", _row([nodes.Text("name")], [nodes.Text("what it is")]))
        body = nodes.tbody()
        for name, purpose in PURPOSES[self.arguments[0]]().items():  # type: ignore[index]
            body += _row([nodes.literal(name, name)], _words(purpose))
        group += body
        return [nodes.table("", group, classes=["registry"], support_smartquotes=False)]


class Help(SphinxDirective):
    """What ``ltjax COMMAND --help`` prints."""

    required_arguments: ClassVar[int] = 1

    def run(self) -> list[nodes.Node]:
        """The text as it is."""
        name, printed = self.arguments[0], io.StringIO()
        command = importlib.import_module(f"ltjax.cli.commands.{name}")
        plain = patch.dict(os.environ, COLUMNS=WIDTH, NO_COLOR="1", TERM="dumb")
        with plain, contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
            command.main(["--help"], f"ltjax {name}")
        return [nodes.literal_block(printed.getvalue(), printed.getvalue(), language="none")]


def _row(*cells: list[nodes.Node]) -> nodes.row:
    return nodes.row("", *(nodes.entry("", nodes.paragraph("", "", *cell)) for cell in cells))


def _words(text: str) -> list[nodes.Node]:
    """A sentence of a docstring, what is between double backticks as code."""
    parts = enumerate(text.split("``"))
    return [nodes.literal(part, part) if at % 2 else nodes.Text(part) for at, part in parts]


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.add_directive("registry", Registry)
    app.add_directive("help", Help)
    return {"parallel_read_safe": True}
