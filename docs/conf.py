"""Sphinx makes the site of the Markdown pages here and of ltjax's docstrings.

sphinx-build -W --keep-going -n docs docs/_build/html
"""

import dataclasses
import re
import sys
from pathlib import Path

from sphinx.application import Sphinx

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]  # the checkout's ltjax, and what makes this site

import ltjax  # noqa: E402

project = "ltjax"
author = copyright = "The ltjax authors"
version = release = ltjax.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton", "directives"]
exclude_patterns = ["_build"]
highlight_language = "none"  # of blocks without a language: pseudo-code and what programs print

myst_heading_anchors = 3  # as on GitHub, so that [text](page.md#heading) works in both
myst_enable_extensions = ["attrs_inline"]

default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False

nitpicky = True
nitpick_ignore_regex = [
    # other libraries' types: their inventories lie on the network, and a build needs none
    ("py:.*", r"(jax|jaxlib|numpy|np|pandas|pd|flax|optax|matplotlib|rich|tyro)\..*"),
    ("py:.*", r"(collections|contextlib|pathlib|argparse|types|typing)\..*"),
    # what a field's annotation says beside its type
    ("py:class", r"ltjax\..*\bAnnotated(\[.*)?"),
    ("py:class", r"ltjax\.settings\.fields\.Kind|augmentation|rewinding"),
    ("py:class", r"(Path|Figure|Callable|Any|optional)"),
    ("py:class", r"ltjax\.(core\.registry\.(T|Definition)|lanes\.snapshots\.Snapshots)"),
    ("py:class", r"ltjax\.(analysis\.lanes\.Examined|data\.examples\.Examples|settings\.fields\.Setting)"),
]

html_theme = "furo"
html_title = f"ltjax {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_theme_options = {"navigation_with_keys": True}
html_copy_source = html_show_sourcelink = False
copybutton_exclude = ".linenos, .gp, .go, .c1"  # of a command its comment is not copied

ROOT_PAGES = {"README": "index", "CONTRIBUTING": "contributing", "CHANGELOG": "changelog"}
"""Pages that lie in the repository's root, where GitHub looks for them, and the pages that include them."""


def link_root_pages(app: Sphinx, docname: str, source: list[str]) -> None:
    """Links to pages of the repository's root lead to the site's own."""
    for name, page in ROOT_PAGES.items():
        source[0] = re.sub(rf"\]\((?:\.\./)((?:\.\./)*){name}\.md", rf"](\g<1>{page}.md", source[0])


def link_notebooks(app: Sphinx, path: Path, docname: str, content: list[str]) -> None:
    """Links of README to notebooks, which lie beside it, lead to files that the site gives out."""
    content[0] = content[0].replace("](notebooks/", "](../notebooks/")


def mark_up(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """|θ₀| in a docstring is a magnitude and not a reference, and --workdir an option and no dash."""
    for at, line in enumerate(lines):
        parts = line.split("``")  # the odd ones are code
        for even in range(0, len(parts), 2):
            parts[even] = re.sub(r"\|(\S{1,9}?)\|", r"\|\1\|", parts[even])
            parts[even] = re.sub(r"(?<!\S)(--[a-z][\w.-]*\w)", r"``\1``", parts[even])
        lines[at] = "``".join(parts)


def without_napoleon(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """A sentence on an attribute may have a colon, before which napoleon takes it to name a type."""
    if what in ("attribute", "data", "property"):
        KEPT[name] = KEPT.get(name) or lines[:]  # the first call is before napoleon's, the second after
        lines[:] = KEPT[name]


KEPT: dict[str, list[str]] = {}


def hide_signature(app: Sphinx, what: str, name: str, obj: object, *rest: object) -> tuple[str, None] | None:
    """The fields of a dataclass are listed below it, with what each is for."""
    return ("", None) if what == "class" and dataclasses.is_dataclass(obj) else None


def skip_member(app: Sphinx, what: str, name: str, obj: object, skip: bool, options: object) -> bool | None:
    """The fields of a named tuple are in its signature, and told of in its docstring."""
    return True if type(obj).__name__ == "_tuplegetter" else None


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("source-read", link_root_pages)
    app.connect("include-read", link_notebooks)
    app.connect("autodoc-process-docstring", mark_up, priority=300)
    app.connect("autodoc-process-docstring", without_napoleon, priority=400)
    app.connect("autodoc-process-docstring", without_napoleon, priority=600)
    app.connect("autodoc-process-signature", hide_signature)
    app.connect("autodoc-skip-member", skip_member)
