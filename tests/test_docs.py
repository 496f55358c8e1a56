"""What the documentation shows, runs."""

import doctest
import importlib
import re
import runpy
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pandas as pd
import pytest
import yaml

import ltjax
from ltjax.cli.commands import run
from ltjax.cli.main import COMMANDS as SUBCOMMANDS
from ltjax.cli.parsing import read
from ltjax.lottery.resolving import resolve
from ltjax.settings import loading

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PAGES = sorted(
    [*ROOT.glob("*.md"), *(path for path in (ROOT / "docs").rglob("*.md") if "_build" not in path.parts)]
)
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in (ROOT / "ltjax").rglob("*.py")
    if ">>>" in path.read_text()
)


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of a language in a Markdown text."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


COMMANDS = sorted({
    line.split("#")[0].strip(" &") for block in blocks(README, "sh")
    for line in block.replace("\\\n", " ").splitlines()
    if line.startswith("ltjax run") and "--help" not in line
})  # fmt: skip


def shown(path: Path) -> list[list[str]]:
    """The commands of ltjax that a page shows and that need no file of the reader's: name and arguments."""
    text = path.read_text().replace("\\\n", " ")
    code = [*blocks(text, "(?:sh|bash)"), *re.findall(r"(?:^ {4}.*\n)+", text, re.MULTILINE)]
    lines = [re.split(r" #| &&| &$", line.strip())[0] for block in code for line in block.splitlines()]
    found = [re.match(r"(?:srun )?(?:python -m ltjax\.|ltjax )(\w+)(?: (.*))?$", line) for line in lines]
    words = [[each[1], *shlex.split(each[2] or "")] for each in found if each and "…" not in each[0]]
    return [each for each in words if each[0] in SUBCOMMANDS and not READERS_OWN & set(each)]


READERS_OWN = {
    "mine.py", "small.py", "own.py", "rows.py", "vit.py", "chars.py", "tabular.py", "flax_nnx.py", "focal.py",
    "runs/mine", "runs/again", "runs/before", "runs/copies", "runs/moving", "runs/supermask", "runs/frozen",
    "runs/swept", "runs/moving/evolve=rigl", "runs/lenet/config.json", "--help",
}  # fmt: skip
"""Where a command names these, the page's other blocks made them, and are run with it (test_installed.py,
test_recipes.py, test_recipes_tasks.py, test_recipes_methods.py)."""


@pytest.mark.parametrize(
    "path", [path for path in PAGES if shown(path)], ids=lambda path: str(path.relative_to(ROOT))
)
def test_the_commands_that_a_page_shows_are_accepted(path):
    for words in shown(path):
        accept(*words)


@cache
def accept(name: str, *arguments: str) -> None:
    """A command, which several pages may show."""
    module = importlib.import_module(f"ltjax.cli.commands.{name}")
    if name == "run":
        resolve(run.parse(list(arguments)).experiment)
    else:
        read(module.Options, list(arguments), f"ltjax {name}")


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere_on_github_too(path):
    text = re.sub(r"^```.*?^```|`[^`\n]*`", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" not in link:
            target, _, anchor = link.partition("#")
            found = (path.parent / target).resolve() if target else path
            assert found.is_relative_to(ROOT) and found.exists(), link
            assert not anchor or anchor in anchors(found), link


def test_a_page_that_code_names_is_there():
    code = [
        path
        for folder in ("ltjax", "experiments", "benchmarks", "tests")
        for path in (ROOT / folder).rglob("*.py")
    ]
    named = {name for path in code for name in re.findall(r"\bdocs/[\w/]+\.md", path.read_text())}
    assert named and {name for name in named if not (ROOT / name).exists()} == set()


def test_the_changelog_and_the_citation_are_of_this_version():
    latest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert latest[1] == ltjax.__version__
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert cited["cff-version"] == "1.2.0" and {"message", "title", "authors"} <= set(cited)
    assert "version" not in cited  # so that it stays in its one place


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_docstrings_hold(name):
    before = set(ltjax.TASKS)
    assert doctest.testmod(importlib.import_module(name)).failed == 0
    for made in set(ltjax.TASKS) - before:  # an example may make one
        ltjax.TASKS.pop(made)


@pytest.mark.parametrize("line", COMMANDS)
def test_readmes_command_lines_are_accepted(line, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = line.split()[2:]
    run.main(arguments if "--list" in arguments else [*arguments, "--dry-run"])
    assert capsys.readouterr().out


def test_readme_has_the_two_commands_that_continuous_integration_runs():
    commands = [line for line in README.splitlines() if re.match(r"pip install .*&& ", line)]
    assert [line.split("&& ")[1] for line in commands[:2]] == ["ltjax run", "pytest"]


@pytest.mark.long
def test_readmes_python_runs(tmp_path):
    code = "\n".join(blocks(README, "python"))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.long
def test_what_extending_shows_is_one_file_that_runs(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("\n\n".join(blocks((ROOT / "docs" / "extending.md").read_text(), "python")))
    done = subprocess.run(
        [sys.executable, "-m", "ltjax.run", "--config", str(path), "--arms.reinit", "1"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = pd.read_csv(tmp_path / "runs" / "stripes" / "summary.csv")
    assert set(rows["arm"]) == {"ticket", "signs", "reinit"} and set(rows["round"]) == {0, 1, 2}
    assert rows.query("round == 0")["final_test_accuracy"].mean() > 0.8
    done = subprocess.run(
        [sys.executable, "-m", "ltjax.report", "runs/stripes", "--config", str(path)],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    export = "runs/stripes --round 2 --to exported --no-measure --config"
    done = subprocess.run(
        [sys.executable, "-m", "ltjax", "export", *export.split(), str(path)],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "exported" / "compacted.safetensors").exists(), done.stdout
    claims = pd.read_csv(tmp_path / "runs" / "stripes" / "claims.csv").set_index("id")
    assert claims.loc["stripes-1", "verdict"] in ("reproduced", "not reproduced")
    assert claims.loc["L2", "verdict"] == "not run"


def named_in_rows():
    """What begins the rows of the two studies' tables, families of names written out."""
    named = set()
    for page in ("lenet.md", "cifar.md"):
        rows = re.findall(r"^\| (`.*?) \|", (ROOT / "docs" / page).read_text(), re.MULTILINE)
        named |= {name for row in rows for name in re.findall(r"`(.*?)`", row)}
    for family, members in (("NET", ("vgg19", "resnet18")), ("convN", ("conv2", "conv4", "conv6"))):
        named |= {name.replace(family, each) for name in named if family in name for each in members}
    return named


@pytest.mark.parametrize("registry", [ltjax.ARMS, ltjax.SCHEDULES, loading.experiments()])
def test_the_studies_pages_have_a_row_for_every_arm_schedule_and_experiment(registry):
    assert {name for name in registry if name not in ("digits", "mnist_5k")} <= named_in_rows()


def test_the_repositorys_address_is_the_one_that_docs_address_has_everywhere():
    address = runpy.run_path(str(ROOT / "docs" / "address.py"))
    for path, text in address["written"](address["ADDRESS"]).items():
        assert path.read_text() == text, f"{path.name}: python docs/address.py"
    assert len(re.findall(r"^\[colab \d\]: ", (ROOT / "README.md").read_text(), re.MULTILINE)) == 4


def test_an_address_once_set_stands_in_every_file_that_tells_it_and_can_be_taken_back():
    written = runpy.run_path(str(ROOT / "docs" / "address.py"))["written"]
    found = {path.name: text for path, text in written("https://github.com/someone/ltjax").items()}
    assert "url = https://github.com/someone/ltjax\n" in found["setup.cfg"]
    assert "repository-code: https://github.com/someone/ltjax\n" in found["CITATION.cff"]
    badge = "github/someone/ltjax/blob/main/notebooks/2_look_inside.ipynb"
    assert f"[colab 2]: https://colab.research.google.com/{badge}\n" in found["README.md"]
    assert 'REPOSITORY = \\"https://github.com/someone/ltjax\\"' in found["2_look_inside.ipynb"]
