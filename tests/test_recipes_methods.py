"""The recipes of methods, analyses and masks: each command as its page has it, in short, and its purpose."""

import re
import shlex
from pathlib import Path

import pandas as pd
import pytest

import ltjax
from ltjax.runs import paths
from ltjax.studies import FIGURES

from .test_command import answer, started
from .test_docs import ROOT
from .test_installed import steps

PAGE = "".join((ROOT / "docs" / f"recipes_{name}.md").read_text() for name in ("methods", "masks"))
PARTS = dict(part.split("\n", 1) for part in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:])
SMALL = next(code for _, code in steps((ROOT / "docs" / "recipes.md").read_text()) if "# small.py" in code)

ADDED = (
    (ltjax.CRITERIA, "taylor"), (ltjax.ANALYSES, "signs_kept"), (FIGURES, "signs"),
    (ltjax.EVOLVES, "saliency"), (ltjax.SCHEMES, "signed"),
)  # fmt: skip
"""What the pages' files register."""

SHORT = (
    "--trials 2 --train.steps 28 --train.evaluate-every 28 --train.batch 20 --model.widths 12 "
    "--data.name digits --data.validation 100 --compute.devices 1"
).split()
"""What makes a recipe's run a short one; its networks are small enough for an eigenvalue or a line."""


ROW = r"^ +(\d+) +(?:[a-z_]+ +)?([\d.]+) +"
"""The beginning of a table's row: its round, perhaps an arm, and a number."""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder of a reader's, in which part after part of the pages is followed."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("reader")
        patch.chdir(folder)
        (folder / "small.py").write_text(SMALL)
        yield folder
        for registry, name in ADDED:
            registry.pop(name, None)


def commands(title: str, place: Path) -> list[list[str]]:
    """A part's file, written; its commands, as words."""
    found = []
    for language, code in steps(PARTS[title]):
        if language == "python":
            (place / "mine.py").write_text(code)
        elif language == "sh":
            found += [shlex.split(line)[1:] for line in code.replace("\\\n", " ").splitlines()]
    return found


@pytest.fixture(scope="module")
def followed(place):
    """What each part's commands said, in short, by title; every one ended well."""
    known: dict[str, list[str]] = {}

    def follow(title: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
        if title not in known:
            known[title] = []
            for words in commands(title, place):
                status, out, err = answer(capsys, *words, *SHORT * (words[0] == "run"))
                assert status == 0, err
                known[title].append(out)
        return known[title]

    return follow


@pytest.mark.parametrize("title", PARTS)
def test_a_recipes_commands_are_accepted_and_its_picture_is_there(title, place, capsys):
    runs = [words for words in commands(title, place) if words[0] == "run"]
    for words in runs:
        status, _, err = answer(capsys, *words, *SHORT, "--dry-run")
        assert status == 0, err
    assert runs and (ROOT / "docs" / re.search(r"!\[.*\]\((.*)\)", PARTS[title])[1]).exists()


OWN = [title for title, text in PARTS.items() if "```python" in text]
"""The recipes with a file of one's own."""


@pytest.mark.parametrize(
    "title", [*OWN, *(pytest.param(each, marks=pytest.mark.long) for each in PARTS if each not in OWN)]
)
def test_a_recipes_commands_do_what_they_say(title, followed, place, capsys):
    assert followed(title, capsys)


def test_criteria_before_training_are_compared_by_the_report(followed, place, capsys):
    followed("SNIP, GraSP, SynFlow", capsys)
    table = pd.read_csv(paths.methods(Path("runs/before")))
    assert {"snip", "grasp", "synflow", "random"} <= set(table["method"])


def test_copies_share_all_but_the_order_of_their_data_and_their_line_is_drawn(followed, place, capsys):
    followed("Copies, and the line between them", capsys)
    table = pd.read_parquet(paths.analyses(Path("runs/copies")) / "connectivity")
    assert table["same_mask"].all() and set(table["arm"]) == {"ticket", "reinit"}
    assert (paths.figures(Path("runs/copies")) / "figure_connectivity.png").exists()


def test_an_analysis_of_ones_own_is_asked_kept_and_drawn(followed, place, capsys):
    followed("An analysis of your own", capsys)
    table = pd.read_parquet(paths.analyses(Path("runs/signs")) / "signs_kept")
    assert table["kept"].between(0.5, 1).all() and set(table["layer"]) == {"fc1", "output"}
    assert (paths.figures(Path("runs/signs")) / "figure_signs.png").exists()


@pytest.mark.long  # some minutes of training; the page's numbers come from the same commands
@pytest.mark.parametrize("title", PARTS)
def test_a_recipe_prints_what_the_page_shows(title, place):
    said = ""
    for words in commands(title, place):
        done = started("ltjax", *words, COLUMNS="80")
        assert done.returncode == 0, done.stderr
        said += done.stdout
    printed = "".join(re.findall(r"^```text\n(.*?)^```", PARTS[title], re.MULTILINE | re.DOTALL))
    shown, rows = (re.findall(ROW, text, re.MULTILINE) for text in (printed, said))
    assert shown and [row for row in rows if row in shown] == shown
