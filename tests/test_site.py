"""The site: built without a warning, complete, and without a link that leads nowhere."""

import re
import runpy
import subprocess
import sys
from collections import defaultdict
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import ltjax
from ltjax.cli.commands.list import PURPOSES

pytest.importorskip("sphinx", reason="the site is built with Sphinx: pip install -e '.[docs]'")

from sphinx.util.inventory import InventoryFile

pytestmark = pytest.mark.long  # continuous integration builds the site

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the site, built by the command that CONTRIBUTING.md tells, warnings as errors."""
    folder = tmp_path_factory.mktemp("site")
    told = re.search(
        r"^sphinx-build (.*) docs docs/_build/html$", (ROOT / "CONTRIBUTING.md").read_text(), re.M
    )
    options = [*told[1].split(), "-q", "-d", str(folder / "doctrees")]
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *options, "docs", folder / "html"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert "-W" in options and done.returncode == 0, done.stderr
    return folder / "html"


class Page(HTMLParser):
    """What a page links to and embeds, the anchors it has, and its words."""

    def __init__(self, path):
        super().__init__()
        self.links, self.anchors, self.words = set(), set(), []
        self.feed(path.read_text())

    def handle_starttag(self, tag, attrs):
        named = defaultdict(str, attrs)
        self.anchors.add(named["id"])
        self.links |= {named["href"], named["src"]} - {""}

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture(scope="module")
def pages(site):
    return {path.relative_to(site): Page(path) for path in site.rglob("*.html")}


def test_every_page_of_the_repository_is_a_page_of_the_site(pages):
    written = {
        path.relative_to(DOCS).with_suffix(".html")
        for path in DOCS.rglob("*.md")
        if "_build" not in path.parts
    }
    assert written and written <= set(pages)


def test_no_link_within_the_site_leads_nowhere(site, pages):
    checked = 0
    for path, page in pages.items():
        for link in page.links:
            scheme, host, target, _, fragment = urlsplit(link)
            if scheme or host:
                continue
            found = (site / path.parent / unquote(target)).resolve() if target else (site / path).resolve()
            assert found.exists(), f"{path} links to {link}"
            there = pages.get(found.relative_to(site.resolve()))
            assert not fragment or there is None or unquote(fragment) in there.anchors, (
                f"{path} links to {link}"
            )
            checked += 1
    assert checked > len(pages)


def test_the_site_asks_nothing_of_the_network(site, pages):
    """Pages link to elsewhere, but what they are made of lies beside them."""
    loaded = re.compile(r"<(?:script|img)[^>]* src=\"[^\"]*|<link[^>]* rel=\"stylesheet\"[^>]* href=\"[^\"]*")
    parts = [part for path in pages for part in loaded.findall((site / path).read_text())]
    assert parts and not [part for part in parts if "://" in part]


def test_every_public_name_is_in_the_reference(site):
    known = InventoryFile.loads((site / "objects.inv").read_bytes(), uri="").data
    names = {name for kind, entries in known.items() if kind.startswith("py:") for name in entries}
    assert {f"ltjax.{name}" for name in ltjax.__all__} <= names


@pytest.mark.parametrize("kind", PURPOSES)
def test_every_entry_of_a_registry_is_in_the_reference(kind, pages):
    reference = "".join(word for path, page in pages.items() if path.parts[0] == "api" for word in page.words)
    told = {name: purpose.replace("``", "") for name, purpose in PURPOSES[kind]().items()}
    assert [name for name, purpose in told.items() if name not in reference or purpose not in reference] == []


def test_the_studys_page_is_what_registries_and_results_make_it():
    study = runpy.run_path(str(DOCS / "study.py"))
    text = study["PAGE"].read_text()
    assert study["page"](text) == text, "python docs/study.py writes it anew"
    assert all(f"### {study['called'](name)}\n" in text for name in study["FIGURES"])
