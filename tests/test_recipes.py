"""The recipes: each file as the page has it, and its entries as good as what is built in."""

import re
import shlex
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest

import ltjax
from ltjax.core.registry import Registry
from ltjax.runs import paths
from ltjax.settings.loading import load_experiment

from .conftest import compiled_quickly
from .test_command import answer, started
from .test_docs import ROOT
from .test_installed import compare_rows, rows_of, steps

SHORT = (
    "--trials 1 --prune.rounds 1 --train.steps 80 --train.evaluate-every 20 --train.batch 20 --keep all "
    "--data.name digits --data.validation 100 --model.widths 12"
).split()
"""What the short form of these tests adds to the page's commands ``run``."""

LONGER = {"Fine-tuning": ["--train.steps", "300"]}
"""What it adds where a recipe needs longer: 300 steps of fine-tuning."""


class Own(NamedTuple):
    """What a recipe registers, and how it is asked for by options: chosen, and swept."""

    registry: Registry
    name: str
    chosen: str
    swept: str = ""


OWN = {
    "A rewinding of your own": Own(
        ltjax.REWINDINGS, "signs", "--prune.rewind signs --prune.rewind.k 5", "prune.rewind.k"
    ),
    "An arm of your own": Own(ltjax.ARMS, "constant", "--arms.constant 2"),
    "A rate schedule of your own": Own(
        ltjax.RATE_SCHEDULES, "triangle",
        "--train.schedule triangle --train.schedule.rise 0.2", "train.schedule.rise",
    ),
    "AdamW with a cosine": Own(
        ltjax.OPTIMIZERS, "adamw",
        "--train.optimizer adamw --train.optimizer.decay 0.2", "train.optimizer.decay",
    ),
}  # fmt: skip

PARTS = dict(
    part.split("\n", 1)
    for part in re.split(r"^#+ (?!\w+\.py$)", (ROOT / "docs" / "recipes.md").read_text(), flags=re.MULTILINE)[
        1:
    ]
    if "```" in part
)
"""The page's parts by their titles."""

SMALL, *RECIPES = PARTS


@contextmanager
def put_back():
    """Entries of the recipes are taken back."""
    yield
    for own in OWN.values():
        own.registry.pop(own.name, None)


def written(title: str, folder: Path) -> list[list[str]]:
    """A recipe's files, written; its commands, as words."""
    commands = []
    for language, block in [*steps(PARTS[SMALL]), *steps(PARTS[title])]:
        if language == "sh":
            commands += [shlex.split(line)[1:] for line in block.splitlines()]
        else:
            (folder / re.match(r"# (\w+\.py)\n", block)[1]).write_text(block)
    return commands


def shortened(words: list[str], title: str) -> list[str]:
    """A command of the page in the short form."""
    added = {"run": [*SHORT, *LONGER.get(title, [])], "export": ["--round", "1"]}
    return [*words, *added.get(words[0], [])]


def rows(folder: Path) -> pd.DataFrame:
    return pd.read_csv(paths.summary(folder))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder of a reader's, in which recipe after recipe is tried."""
    with pytest.MonkeyPatch.context() as patch, compiled_quickly(), put_back():
        folder = tmp_path_factory.mktemp("reader")
        patch.chdir(folder)
        yield folder


def run_of(title: str) -> Path:
    """The folder of a recipe's run, of its first point if it has several."""
    folder = Path("runs", re.search(r'name="(\w+)"', PARTS[title])[1])
    return next(iter(sorted(path.parent for path in folder.glob("*/config.json"))), folder)


@pytest.mark.parametrize("title", RECIPES)
def test_a_recipe_runs_as_the_page_has_it(title, place, capsys):
    for words in written(title, place):
        status, out, err = answer(capsys, *shortened(words, title))
        assert status == 0, err
        assert words[0] != "run" or "--config mine.py" in out or "nothing left to train" in out
    figure = "figure_sweep.png" if "--sweep" in PARTS[title] else "figure_4a.png"
    assert list(run_of(title).parent.rglob(figure)) or list(run_of(title).rglob(figure))
    assert (ROOT / "docs" / re.search(r"!\[.*\]\((.*)\)", PARTS[title])[1]).exists()


@pytest.mark.parametrize("title", OWN)
def test_a_recipes_entry_is_an_option_in_help_and_is_resolved(title, place, capsys):
    written(title, place)
    own = OWN[title]
    status, out, _ = answer(capsys, "run", "--config", "mine.py", *own.chosen.split(), "--help")
    assert status == 0 and own.name in out
    assert all(option in out for option in re.findall(r"--\S+", own.chosen))
    status, _, err = answer(capsys, "run", "--config", "mine.py", *own.chosen.split(), *SHORT, "--dry-run")
    assert status == 0, err


@pytest.mark.parametrize("title", OWN)
def test_the_same_command_continues_a_recipes_run(title, place, capsys):
    command, *_ = written(title, place)
    run = run_of(title)
    before = rows(run)
    status, out, _ = answer(capsys, *shortened(command, title))
    assert status == 0 and "nothing left to train" in out
    assert answer(capsys, *shortened(command, title), "--trials", "2")[0] == 0
    grown = rows(run)
    assert set(grown["trial"]) == {0, 1}
    pd.testing.assert_frame_equal(grown.query("trial == 0").reset_index(drop=True), before)


@pytest.mark.parametrize("title", OWN)
def test_a_swept_parameter_makes_other_networks(title, place, capsys):
    if not OWN[title].swept:
        pytest.skip("an arm has no parameters")
    table = rows(run_of(title).parent)
    later = table.query("round == 1").groupby("point")["final_test_accuracy"].first()
    assert len(later) >= 2 and len(set(later)) >= 2


def test_an_own_rewinding_at_step_0_gives_the_bits_of_the_original(place):
    """θ₀ with its own signs is θ₀, and the rewinding ``step`` at 0 is θ₀ too."""
    one, other = (rows(Path("runs") / name / "k=0") for name in ("late", "signs"))
    other = other.query("trial == 0").reset_index(drop=True)
    pd.testing.assert_frame_equal(one, other)


def test_an_own_arm_starts_where_its_ticket_does_and_is_drawn_beside_it(place):
    curves = pd.read_parquet(Path("runs") / "sizes" / "curves").query("round == 1")
    assert dict(curves.groupby("arm")["step"].min()) == {"ticket": 60, "constant": 60}
    assert "constant" in (Path("runs") / "sizes" / "figures" / "figure_4a.svg").read_text()


@pytest.mark.parametrize("title", OWN)
def test_what_was_trained_is_exported_and_reported_with_the_recipes_file(title, place, capsys):
    written(title, place)
    run, arm = run_of(title), "constant" if OWN[title].registry is ltjax.ARMS else "ticket"
    to = f"exported_{OWN[title].name}"
    words = f"export {run} --round 1 --trial 0 --arm {arm} --to {to} --no-measure --config mine.py"
    status, _, err = answer(capsys, *words.split())
    assert status == 0 and (place / to / "final.safetensors").exists(), err
    status, _, err = answer(capsys, "report", str(run), "--config", "mine.py", "--to", f"page_{to}")
    assert status == 0 and OWN[title].name in (place / f"page_{to}" / "report.html").read_text(), err


@pytest.mark.parametrize("title", OWN)
def test_a_run_is_read_without_the_recipes_file(title, place):
    """Its configuration is data: the choice keeps its name and parameters."""
    own = OWN[title]
    if own.registry is ltjax.ARMS:
        assert load_experiment(run_of(title)).arms == {"ticket": 1, "constant": 1}
        return
    entry = own.registry.pop(own.name)
    choice = load_experiment(run_of(title))
    *parts, parameter = own.swept.split(".")
    for part in parts:
        choice = getattr(choice, part)
    own.registry[own.name] = entry
    assert isinstance(choice, ltjax.Choice) and choice.name == own.name
    assert parameter in choice.parameters


@pytest.mark.long  # six minutes of training
@pytest.mark.parametrize("title", RECIPES)
def test_a_recipe_prints_what_the_page_shows(title, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = ""
    for words in written(title, tmp_path):
        done = started("ltjax", *words, COLUMNS="80")
        assert done.returncode == 0, done.stderr
        said += done.stdout
    shown = rows_of(PARTS[title])
    compare_rows(shown, rows_of(said)[: len(shown)])
