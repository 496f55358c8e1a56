"""The recipes for any task: each file as the page has it, trained, continued, exported and reported."""

import re
import shlex
from pathlib import Path

import jax
import pandas as pd
import pytest

import ltjax
from ltjax.runs import paths

from .test_command import answer, started
from .test_docs import ROOT
from .test_installed import steps

PAGE = (ROOT / "docs" / "recipes_tasks.md").read_text()
PARTS = dict(part.split("\n", 1) for part in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:])
FILES = {re.match(r"# (\w+\.py)\n", code)[1]: code for language, code in steps(PAGE) if language == "python"}
"""The page's files by name; later parts use those of earlier ones."""

ADDED = (
    (ltjax.TASKS, ("vit", "chars", "diabetes", "rows")),
    (ltjax.LOSSES, ("focal",)),
    (ltjax.METRICS, ("worst_class",)),
)
"""What the page's files register."""

SHORT = (
    "--trials 1 --prune.rounds 1 --train.steps 40 --train.evaluate-every 20 --train.batch 20 --keep all "
    "--compute.devices 1"
).split()
"""What makes a recipe's experiment a short one."""

QUICK = ("Tabular regression",)
"""Recipes whose short forms are tried every time; of the others behind the marker ``long``."""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder of a reader's, with all files of the page."""
    with pytest.MonkeyPatch.context() as patch, jax.numpy_rank_promotion("allow"):
        folder = tmp_path_factory.mktemp("reader")
        patch.chdir(folder)
        for name, code in FILES.items():
            (folder / name).write_text(code)
        before = [set(registry) for registry, _ in ADDED]
        yield folder
        for (registry, _), names in zip(ADDED, before, strict=True):
            for name in set(registry) - names:  # those of the page, and those that its tasks are made by
                registry.pop(name)


def commands(title: str) -> list[list[str]]:
    """A part's commands, as words."""
    shell = [code for language, code in steps(PARTS[title]) if language == "sh"]
    return [shlex.split(line)[1:] for code in shell for line in code.splitlines()]


def folder_of(words: list[str]) -> Path:
    """Where a command's results lie."""
    if "--workdir" in words:
        return Path(words[words.index("--workdir") + 1])
    code = FILES[words[words.index("--config") + 1]]
    return Path("runs") / re.search(r'name="(\w+)",\n    trials', code)[1]


@pytest.mark.parametrize("title", PARTS)
def test_a_recipes_command_is_accepted_and_its_figure_is_there(title, place, capsys):
    for words in commands(title):
        status, out, err = answer(capsys, *words, "--dry-run")
        assert status == 0 and "kind" in out, err
    assert (ROOT / "docs" / re.search(r"!\[.*\]\((.*)\)", PARTS[title])[1]).exists()


@pytest.mark.parametrize(
    "title", [pytest.param(title, marks=() if title in QUICK else pytest.mark.long) for title in PARTS]
)
def test_a_recipe_in_short_is_trained_continued_exported_and_reported(title, place, capsys):
    (words,) = commands(title)
    run = folder_of(words)
    status, out, err = answer(capsys, *words, *SHORT)
    assert status == 0 and "the picture: " in out, err
    assert "nothing left to train" in answer(capsys, *words, *SHORT)[1]
    before = pd.read_csv(paths.summary(run))
    assert answer(capsys, *words, *SHORT, "--prune.rounds", "2", "--quiet")[0] == 0
    after = pd.read_csv(paths.summary(run))
    pd.testing.assert_frame_equal(after.query("round < 2").reset_index(drop=True), before)
    config = words[: words.index("--config") + 2][-2:]
    point = min((path.parent for path in run.glob("*/config.json")), default=run)
    export = ["export", str(point), "--round", "1", "--trial", "0", "--to", f"{run}_exported", "--no-measure"]
    status, _, err = answer(capsys, *export, *config)
    assert status == 0 and (Path(f"{run}_exported") / "final.safetensors").exists(), err
    status, _, err = answer(capsys, "report", str(run), *config, "--to", f"{run}_page")
    page = (Path(f"{run}_page") / "report.html").read_text()
    assert status == 0 and "output" in page, err


def test_a_run_of_ones_own_task_is_reported_without_its_code(place, capsys):
    """Nothing of the user's is run; the metric and the layers stand in the run's folder."""
    (words,) = commands("Tabular regression")
    run = folder_of(words)
    if not paths.summary(run).exists():  # the test above has trained it
        assert answer(capsys, *words, *SHORT, "--quiet")[0] == 0
    ltjax.TASKS.pop("diabetes")
    status, _, err = answer(capsys, "report", str(run), "--to", "page_alone")
    page = (place / "page_alone" / "report.html").read_text()
    assert status == 0 and "fc2/kernel" in page and "r2" in page.lower(), err


@pytest.mark.long  # some minutes of training; the page's numbers come from the same commands
@pytest.mark.parametrize("title", PARTS)
def test_a_recipe_prints_what_the_page_shows(title, place):
    (words,) = commands(title)
    done = started("ltjax", *words, "--workdir", f"whole/{len(title)}", COLUMNS="80")
    assert done.returncode == 0, done.stderr
    shown, said = (re.findall(r"^ +(\d+) +(?:[a-z]+ +)?([\d.]+) +[\d,]+", text, re.MULTILINE)
                   for text in (PARTS[title], done.stdout))  # fmt: skip
    assert shown and shown == said
