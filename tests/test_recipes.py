"""The recipes: each file as the page has it, and its entries as good as what is built in."""

import re
import shlex
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

import ltjax
from ltjax.core.registry import Registry
from ltjax.runs import paths
from ltjax.runs.folder import Run
from ltjax.settings import beside
from ltjax.settings.loading import load_experiment
from ltjax.sparsity import masks

from .test_command import answer, started
from .test_docs import ROOT
from .test_installed import compare_rows, rows_of, steps

SHORT = (
    "--trials 1 --prune.rounds 1 --train.steps 80 --train.evaluate-every 20 --train.batch 20 --keep all "
    "--data.name digits --data.validation 100 --model.widths 12 --compute.lanes 4"
).split()
"""What makes a recipe's experiment a short one."""


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
    "An arm of your own": Own(ltjax.ARMS, "constant", "--arms.constant 1"),
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

FEW = "--train.steps 2 --train.evaluate-every 2 --quiet".split()
"""What makes a run short whose tickets another recipe begins with."""

SMALL, *RECIPES = PARTS


@contextmanager
def put_back():
    """Entries of the recipes are taken back."""
    yield
    forget()


def forget():
    for own in OWN.values():
        own.registry.pop(own.name, None)
    for registry in (ltjax.CRITERIA, ltjax.REWINDINGS):
        registry.pop("early_bird", None)


def written(title: str, folder: Path) -> list[list[str]]:
    """A recipe's files, written; its commands, as words."""
    commands = []
    for language, block in [*steps(PARTS[SMALL]), *steps(PARTS[title])]:
        if language == "sh":
            commands += [shlex.split(line)[1:] for line in block.splitlines()]
        else:
            (folder / re.match(r"# (\w+\.py)\n", block)[1]).write_text(block)
    return commands


def rows(folder: Path) -> pd.DataFrame:
    return pd.read_csv(paths.summary(folder))


def name_of(title: str) -> str:
    """What a recipe calls its experiment."""
    return re.search(r'name="(\w+)"', PARTS[title])[1]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder of a reader's, in which recipe after recipe is tried."""
    with pytest.MonkeyPatch.context() as patch, put_back():
        folder = tmp_path_factory.mktemp("reader")
        patch.chdir(folder)
        yield folder


@pytest.mark.parametrize("title", RECIPES)
def test_a_recipes_commands_are_accepted(title, place, capsys):
    commands = [words for words in written(title, place) if words[0] == "run"]
    assert commands
    for words in commands:
        status, out, err = answer(capsys, *words, "--dry-run")
        assert status == 0 and "weights         266,200" in out, err
        if "ticket=" in PARTS[title] and words is not commands[-1]:
            assert answer(capsys, *words, *FEW)[0] == 0
    assert (ROOT / "docs" / re.search(r"!\[.*\]\((.*)\)", PARTS[title])[1]).exists()


@pytest.mark.parametrize("title", OWN)
def test_a_recipes_entry_is_an_option_with_its_parameters_in_help(title, place, capsys):
    written(title, place)
    own = OWN[title]
    status, out, _ = answer(capsys, "run", "--config", "mine.py", *own.chosen.split(), "--help")
    assert status == 0 and own.name in out
    assert all(option in out for option in re.findall(r"--\S+", own.chosen))


@pytest.fixture(scope="module")
def together(place):
    """The command of a run that uses what all recipes register, and swept; and the run's folder."""
    forget()  # other files register them
    files = [f"own_{own.name}.py" for own in OWN.values()]
    for title, file in zip(OWN, files, strict=True):
        written(title, place)
        (place / "mine.py").rename(place / file)
    loads = "".join(f'ltjax.load_experiment("{file}")\n' for file in files)
    (place / "all.py").write_text(f'import ltjax\n\n{loads}experiment = ltjax.load_experiment("small.py")\n')
    options = " ".join(own.chosen for own in OWN.values())
    command = f"run --config all.py {options} --sweep prune.rewind.k=0,20 --workdir runs/all"
    return [*command.split(), *SHORT], place / "runs" / "all"


def test_all_entries_of_the_recipes_train_together_swept_and_the_command_continues(together, capsys):
    command, run = together
    status, out, err = answer(capsys, *command)
    assert status == 0 and "figure_sweep" in out, err
    before = rows(run)
    later = before.query("round == 1 and arm == 'ticket'")["final_test_accuracy"]
    assert len(later) == 2 and set(before["arm"]) == {"ticket", "constant"}
    assert "nothing left to train" in answer(capsys, *command)[1]
    grown = [*command, "--prune.rounds", "2", "--quiet"]
    assert answer(capsys, *grown)[0] == 0 and set(rows(run)["round"]) == {0, 1, 2}
    pd.testing.assert_frame_equal(rows(run).query("round < 2").reset_index(drop=True), before)


def test_an_own_arm_starts_where_its_own_rewinding_puts_the_ticket(together):
    for k in (0, 20):
        curves = pd.read_parquet(together[1] / f"k={k}" / "curves").query("round == 1")
        assert dict(curves.groupby("arm")["step"].min()) == {"ticket": k, "constant": k}


def test_an_early_bird_ticket_is_drawn_where_the_mask_had_settled(place, capsys):
    """As NumPy finds it in the checkpoints, and as the recipe's own table tells it."""
    forget()
    written("Early-bird tickets", place)
    folder = place / "runs" / "early" / "rewind=early_bird"
    options = "--prune.rewind.every 5 --train.learning-rate 0.02 --quiet --workdir".split()
    status, _, err = answer(capsys, "run", "--config", "mine.py", *SHORT, *options, str(folder))
    assert status == 0, err
    run = Run(folder)
    dense = {0: run.theta0(0), **{step: start.params for step, start in run.starts(0).items()}}
    assert list(dense) == list(range(0, 80, 5))
    sizes = [[np.abs(kernel) for kernel in masks.kernels(params).values()] for params in dense.values()]
    settled = [np.concatenate([np.ravel(each >= np.sort(each, axis=None)[-round(0.3 * each.size)])
                               for each in kernels]) for kernels in sizes]  # fmt: skip
    far = [max(np.count_nonzero(settled[at] ^ settled[at - back]) for back in range(1, 5)) / settled[0].size
           for at in range(4, len(settled))]  # fmt: skip
    step = 5 * (4 + next(at for at, each in enumerate(far) if each <= 0.1))
    assert 20 < step < 75, "not the first that can be, nor the last"
    beside.run(Path("cost.py"))
    assert capsys.readouterr().out == f"trial 0: drawn from step {step} of 80\n"
    ticket = run.ticket(1, 0)
    for path, kernel in masks.kernels(ticket.mask).items():
        weights = np.abs(masks.kernels(dense[step])[path])
        assert weights[kernel].min() > weights[~kernel].max()
        np.testing.assert_array_equal(masks.kernels(ticket.params)[path], masks.kernels(dense[step])[path])


@pytest.mark.parametrize("arm", ["ticket", "constant"])
def test_what_the_entries_trained_is_exported(arm, together, place, capsys):
    words = (
        f"export {together[1]}/k=20 --round 1 --trial 0 --arm {arm} --to {arm} --no-measure --config all.py"
    )
    assert answer(capsys, *words.split())[0] == 0
    assert (place / arm / "final.safetensors").exists()


def test_what_the_entries_trained_is_reported_by_their_names(together, place, capsys, undrawn):
    assert answer(capsys, "report", f"{together[1]}/k=20", "--config", "all.py", "--to", "page")[0] == 0
    page = (place / "page" / "report.html").read_text()
    assert [own.name for own in OWN.values() if own.name not in page] == []


def test_a_runs_configuration_is_read_without_the_recipes_files(together):
    with_entries = load_experiment(together[1])
    entries = {own.name: own.registry.pop(own.name) for own in OWN.values()}
    experiment = load_experiment(together[1])
    for own in OWN.values():
        own.registry[own.name] = entries[own.name]
    assert experiment == with_entries
    assert experiment.train.schedule == ltjax.Choice("rate schedule", "triangle", {"rise": 0.2})
    assert experiment.train.optimizer == ltjax.Choice("optimizer", "adamw", {"decay": 0.2})


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A reader's folder in which the page is followed from its first recipe to its last."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("whole")
        patch.chdir(folder)
        yield folder


@pytest.mark.long  # four minutes of training, all in all
@pytest.mark.parametrize("title", RECIPES)
def test_a_recipe_prints_what_the_page_shows_and_is_continued_exported_and_reported(title, whole):
    run = whole / "runs" / name_of(title)
    commands = written(title, whole)
    said = [started("ltjax", *words, COLUMNS="80") for words in commands]
    assert [done.stderr for done in said if done.returncode] == []
    own = commands.index(next(words for words in commands if "mine.py" in words))
    compare_rows(rows_of(PARTS[title]), rows_of(said[own].stdout))
    figure = re.search(r"the picture: (\S+)", PARTS[title])[1]
    assert (whole / figure).exists()
    point = min((path.parent for path in run.glob("*/config.json")), default=run)
    last = str(rows(run)["round"].max())
    export = [
        "export",
        str(point),
        "--round",
        last,
        "--trial",
        "0",
        "--to",
        f"{run}_exported",
        "--no-measure",
    ]
    for words in (commands[own], export, ["report", str(run)]):
        done = started("ltjax", *words, *([] if words is commands[own] else ["--config", "mine.py"]))
        assert done.returncode == 0, done.stderr
        assert words is not commands[own] or "nothing left to train" in done.stdout


@pytest.mark.long  # of the runs that the test above made
def test_theta0_with_its_own_signs_gives_the_bits_of_step_0(whole):
    one, other = (rows(whole / "runs" / name / "k=0") for name in ("late", "signs"))
    pd.testing.assert_frame_equal(one, other)
