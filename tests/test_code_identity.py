"""The user's code and data: a run keeps them, and is continued, merged or evaluated with others if asked."""

import json
import linecache
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import flax.linen as nn
import numpy as np
import pytest

import ltjax
from ltjax.core import code
from ltjax.core.errors import UserError
from ltjax.core.trees import fingerprint
from ltjax.data import DATASETS
from ltjax.runs import identity, packing, paths
from ltjax.runs.folder import read_config
from ltjax.runs.origins import Entry, cell_of
from ltjax.runs.own_files import file_of
from ltjax.settings import compatible
from ltjax.sparsity.criteria import CRITERIA

from . import bad_input
from .bad_input import answer

MINE = '''"""A criterion of my own."""

import jax
import ltjax
from helpers import scaled

POWER = 2


def weigh(leaf):
    """Its size."""
    return scaled(abs(leaf)) ** POWER  # squared


@ltjax.CRITERIA.register("squared")
def squared(found):
    return jax.tree.map(weigh, found.trained.params)


class Kept:
    share: float = 0.5
    """Of all."""


base = ltjax.load_experiment("digits")
experiment = ltjax.Experiment(
    name="mine", trials=1, seed=3, data=ltjax.Data(validation=100), model=ltjax.Model(widths=(8, 6)),
    train=ltjax.Train(steps=10, batch=30, evaluate_every=10, evaluate_batch=128),
    prune=ltjax.Prune(rounds=0, criterion="squared"),
)
'''

HELPERS = '''"""What helps."""

from more import FACTOR


def scaled(leaf):
    return leaf * FACTOR
'''

ALLOWED = {
    "a comment": ("# squared", "# by itself"),
    "a docstring": ('"""Its size."""', '"""How large it is."""'),
    "no docstring": ('    """Its size."""\n', ""),
    "the text under a field": ('"""Of all."""', '"""Of all weights."""'),
    "the docstring of the file": ('"""A criterion of my own."""', ""),
    "formatting": ("scaled(abs(leaf)) ** POWER", "(scaled(\n        abs( leaf ),\n    )**POWER)"),
    "a number written otherwise": ("POWER = 2", "POWER = 0x2"),
    "the experiment": ("trials=1, seed=3", "trials=2, seed=4"),
    "an import that the experiment alone needs": ("import jax\n", "import jax\nfrom ltjax import Train\n"),
    "another experiment beside it": ("base =", "other = ltjax.Experiment()\nbase ="),
    "what is made of the experiment": ("base =", "steps = base.train.steps * 2\nbase ="),
    "what is printed": ("base =", "print(POWER)\nbase ="),
    "a run of it": ("base =", "study = ltjax.run_experiment(experiment, minutes=3)\nbase ="),
    "what the file does as a program": ("base =", 'if __name__ == "__main__":\n    POWER = 3\nbase ='),
    "the order of definitions": ("POWER = 2\n\n\n", ""),
    "a new function that nothing there uses": ("base =", "def other():\n    return 3\n\nbase ="),
    "a new constant and import": ("base =", "import math\nOTHER = math.pi\nbase ="),
}  # fmt: skip

REFUSED = {
    "a function's body": ("abs(leaf)", "leaf", "the function `weigh` is another"),
    "a decorator": ('register("squared")', 'register("cubed")', "the function `squared` is another"),
    "a default": ("def weigh(leaf)", "def weigh(leaf, by=3)", "the function `weigh` is another"),
    "a constant": ("POWER = 2", "POWER = 3", "the constant `POWER` is another"),
    "a class": ("share: float = 0.5", "share: float = 0.6", "the class `Kept` is another"),
    "what an import is of": ("import jax\n", "import helpers as jax\n", "the import of `jax` is another"),
    "a function that is gone": (MINE[MINE.index("class Kept") : MINE.index("base =")], "",
                                "the class `Kept` is not there any more"),
    "a statement": ("base =", 'ltjax.ARMS.register("x")(weigh)\nbase =',
                    "the statement `ltjax.ARMS.register('x')(weigh)` is new"),
    "a second definition of a name": ("base =", "weigh = abs\nbase =", "the constant `weigh` is new"),
    "a new name in place of Python's": ("base =", "def abs(leaf):\n    return leaf\n\nbase =",
                                        "the function `abs` is new"),
    "what is no Python any more": ("def weigh(leaf):", "def weigh(leaf:", "the text is new"),
}  # fmt: skip


def edited(old: str, new: str, text: str = MINE) -> str:
    assert text.count(old) == 1, f"{old!r} is not there once"
    return text.replace(old, new) + ("POWER = 2\n" if old == "POWER = 2\n\n\n" else "")


@pytest.mark.parametrize("edit", ALLOWED)
def test_what_does_nothing_may_change_freely(edit):
    assert code.differences(MINE, edited(*ALLOWED[edit])) == []


@pytest.mark.parametrize("edit", REFUSED)
def test_what_does_something_is_a_difference_and_is_named(edit):
    old, new, said = REFUSED[edit]
    assert said in code.differences(MINE, edited(old, new))


def test_of_what_a_file_imports_that_in_its_own_folder_belongs_to_it(tmp_path):
    texts = {
        "mine.py": "import numpy, one\nfrom pack import two\ndef later():\n    import pack.deep.five\n",
        "one.py": "import mine", "pack/__init__.py": "",
        "pack/two.py": "from . import three\nfrom .. import one",
        "pack/three.py": "from .four import *", "pack/four.py": "import absent", "pack/deep/five.py": "",
        "unused.py": "", "numpy/readme.txt": "",
    }  # fmt: skip
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = {
        str(path.relative_to(tmp_path)): text for path, text in code.files_of(tmp_path / "mine.py").items()
    }
    assert found == {name: texts[name] for name in set(texts) - {"unused.py", "numpy/readme.txt"}}


@pytest.fixture(scope="module", autouse=True)
def registered_here():
    """What the user's files enter is taken back, and first compilations may take their time."""
    before = [(each, dict(each)) for each in (CRITERIA, ltjax.ARMS, DATASETS)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bad_input, "SECONDS", 300)
        yield
    for each, entries in before:
        each.clear()
        each.update(entries)


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("place")


@pytest.fixture
def files(place):
    """The user's folder, with his files as the run was begun with them."""
    for name, text in {"mine.py": MINE, "helpers.py": HELPERS, "more.py": "FACTOR = 3\n"}.items():
        (place / name).write_text(text)
    return place


@pytest.fixture(scope="module")
def begun(place, tmp_path_factory) -> Path:
    """A finished run of his file; read only."""
    for name, text in {"mine.py": MINE, "helpers.py": HELPERS, "more.py": "FACTOR = 3\n"}.items():
        (place / name).write_text(text)
    folder = tmp_path_factory.mktemp("runs") / "mine"
    given = answer("run", ["--config", str(place / "mine.py"), "--workdir", str(folder), "--quiet"])
    assert given.status == 0, given
    return folder


@pytest.fixture
def run(begun, files, tmp_path) -> Path:
    """A copy of that run."""
    return Path(shutil.copytree(begun, tmp_path / "run"))


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def told(folder: Path) -> dict:
    return json.loads(paths.identity(folder).read_text())


def continued(files: Path, folder: Path, *more: str):
    return answer("run", ["--config", str(files / "mine.py"), "--workdir", str(folder), "--quiet", *more])


def test_a_run_keeps_copies_of_the_users_files_and_what_they_register(run, files):
    kept = {path.name: path.read_text() for path in paths.code(run).iterdir()}
    assert kept == {"mine.py": MINE, "helpers.py": HELPERS, "more.py": "FACTOR = 3\n"}
    assert told(run)["code"]["more.py"]["entries"] == [["criterion", "squared"]]
    assert (told(run)["data"], told(run)["accepted"]) == (None, []), "ltjax's own data need no fingerprint"
    assert not list(files.glob("__pycache__")), "nothing is left in the user's folder"


def test_a_finished_run_whose_code_says_the_same_is_left_as_it_is(run, files):
    (files / "mine.py").write_text(edited(*ALLOWED["formatting"]))
    before = contents(run)
    assert continued(files, run).status == 0
    assert contents(run) == before


CHANGES = {
    "mine.py": ("POWER = 2", "POWER = 3", "mine.py: the constant `POWER` is another"),
    "helpers.py": ("leaf * FACTOR", "leaf + FACTOR", "helpers.py: the function `scaled` is another"),
    "more.py": ("FACTOR = 3", "FACTOR = 4", "more.py: the constant `FACTOR` is another"),
}


def change(files: Path, name: str) -> str:
    old, new, said = CHANGES[name]
    (files / name).write_text(edited(old, new, (files / name).read_text()))
    return said


@pytest.mark.parametrize("name", CHANGES)
def test_a_run_is_not_continued_by_other_code_and_is_left_as_it_is(name, run, files):
    said = change(files, name)
    before = contents(run)
    for more in ((), ("--prune.rounds", "1")):
        given = continued(files, run, *more)
        assert given.status == 2 and f"begun with other code or data: {said}. Undo that" in given.err
        assert "--accept-changes" in given.err and len(given.err.splitlines()) == 1
    assert contents(run) == before


def test_changes_that_are_accepted_are_recorded_with_what_was_there_before(run, files):
    said = change(files, "more.py")
    assert continued(files, run, "--prune.rounds", "1", "--accept-changes").status == 0
    (entry,) = told(run)["accepted"]
    assert entry["changes"] == [said] and entry["when"][:2] == "20" and "run" in entry["by"]
    assert (run / entry["before"] / "more.py").read_text() == "FACTOR = 3\n"
    assert (paths.code(run) / "more.py").read_text() == "FACTOR = 4\n"
    assert len(paths.summary(run).read_text().splitlines()) == 3, "round 1 was trained"
    assert continued(files, run, "--prune.rounds", "1").status == 0, "what was accepted is the run's own now"
    (files / "more.py").write_text("FACTOR = 3\n")
    assert continued(files, run, "--prune.rounds", "1").status == 2


def test_what_is_edited_after_it_was_loaded_is_not_what_runs(run, files):
    """As in a notebook, where a file is loaded once."""
    experiment = ltjax.load_experiment(files / "mine.py")
    change(files, "more.py")
    ltjax.run_experiment(experiment, run, quiet=True)
    ltjax.load_experiment(files / "mine.py")
    with pytest.raises(UserError, match="more.py: the constant `FACTOR` is another"):
        ltjax.run_experiment(experiment, run, quiet=True)


def test_accepting_is_recorded_where_nothing_was_left_to_train(run, files):
    said = change(files, "mine.py")
    assert continued(files, run, "--accept-changes").status == 0
    assert [entry["changes"] for entry in told(run)["accepted"]] == [[said]]


def test_a_file_of_another_name_with_the_same_code_is_the_same(run, files):
    (files / "mine.py").rename(files / "renamed.py")
    del CRITERIA["squared"]
    given = answer("run", ["--config", str(files / "renamed.py"), "--workdir", str(run), "--quiet"])
    (files / "renamed.py").unlink()
    del CRITERIA["squared"]
    assert given.status == 0, given


def test_a_run_grows_by_an_arm_that_was_not_there(run, files):
    more = "\n\n@ltjax.ARMS.register('later')\ndef later(key, found, ticket, init):\n    return ticket\n"
    (files / "mine.py").write_text(MINE + more)
    assert continued(files, run, "--arms.later", "1").status == 0
    assert ["arm", "later"] in told(run)["code"]["mine.py"]["entries"]


def test_an_entry_of_ltjaxs_own_that_a_file_replaces_is_told(files, tmp_path):
    """Both ways: by a file that was not there, and by one that is not there any more."""
    text = edited('register("squared")', 'register("magnitude", replace=True)')
    (files / "mine.py").write_text(edited('criterion="squared"', "", text))
    small = (
        "--config digits --trials 1 --seed 3 --data.validation 100 --model.widths 8 6 --train.steps 10 "
        "--train.batch 30 --train.evaluate-every 10 --train.evaluate-batch 128 --prune.rounds 0 --quiet"
    ).split()
    own, builtin = CRITERIA["magnitude"], CRITERIA.definition("magnitude")
    assert answer("run", [*small, "--workdir", str(tmp_path / "plain")]).status == 0
    ltjax.load_experiment(files / "mine.py")
    given = answer("run", [*small, "--workdir", str(tmp_path / "plain")])
    assert given.status == 2 and "the criterion 'magnitude' is registered by mine.py now" in given.err
    assert answer("run", [*small, "--workdir", str(tmp_path / "own")]).status == 0
    CRITERIA.enter("magnitude", own, builtin, replace=True)
    given = answer("run", [*small, "--workdir", str(tmp_path / "own")])
    assert "the criterion 'magnitude' was registered by mine.py, which is not there any more" in given.err


def test_a_run_without_an_identity_continues_and_gets_one(run, files):
    paths.identity(run).unlink()
    shutil.rmtree(paths.code(run))
    change(files, "mine.py")
    assert continued(files, run, "--prune.rounds", "1").status == 0
    assert (paths.code(run) / "mine.py").read_text() == (files / "mine.py").read_text()


def test_a_run_in_which_nothing_was_trained_takes_any_code(run, files):
    shutil.rmtree(paths.rounds(run).parent)
    shutil.rmtree(paths.curves(run, 0, 0).parent)
    paths.summary(run).unlink()
    change(files, "mine.py")
    assert continued(files, run).status == 0
    assert (paths.code(run) / "mine.py").read_text() == (files / "mine.py").read_text()
    assert told(run)["accepted"] == []


def test_what_is_damaged_is_told_and_a_copy_is_made_again(run, files):
    (paths.code(run) / "more.py").unlink()
    (paths.code(run) / "mine.py").write_text(MINE + "pass")
    assert continued(files, run, "--prune.rounds", "1").status == 0
    assert (paths.code(run) / "more.py").exists() and (paths.code(run) / "mine.py").read_text() == MINE
    (paths.code(run) / "more.py").unlink()
    change(files, "more.py")
    assert "more.py: its copy in code/ is damaged or gone" in continued(files, run).err
    for text in ("", "{}", paths.identity(run).read_text().replace("mine.py", "../mine.py")):
        paths.identity(run).write_text(text)
        given = continued(files, run)
        assert given.status == 2 and "identity.json' is damaged" in given.err, text


def test_a_folder_of_the_users_called_code_is_left_to_him(run, files):
    paths.identity(run).unlink()
    given = continued(files, run, "--prune.rounds", "1")
    assert given.status == 2 and "ltjax did not write it" in given.err


def test_a_run_is_not_evaluated_with_other_code_unless_that_is_accepted_and_recorded(run, files):
    line = [str(run), "--round", "0", "--config", str(files / "mine.py")]
    assert answer("evaluate", line).status == 0
    said = change(files, "helpers.py")
    before = contents(run)
    given = answer("evaluate", line)
    assert given.status == 2 and said in given.err and "workdir" not in given.err
    assert contents(run) == before
    given = answer("evaluate", [*line, "--accept-changes"])
    assert given.status == 0 and "accuracy" in given.out
    (entry,) = told(run)["accepted"]
    assert entry["changes"] == [said] and entry["by"] == "ltjax evaluate"
    assert (paths.code(run) / "helpers.py").read_text() == HELPERS, "what trained it stays the run's"


def test_a_run_is_not_evaluated_under_other_random_numbers(run, files):
    kept = read_config(run)
    numerics = replace(kept.numerics, x64=True)
    paths.config(run).write_text(compatible.to_json(replace(kept, numerics=numerics)))
    line = [str(run), "--round", "0", "--config", str(files / "mine.py")]
    given = answer("evaluate", line)
    assert given.status == 2 and "numerics.x64 is False here, not True" in given.err
    assert answer("evaluate", [*line, "--accept-changes"]).status == 0


@pytest.fixture(scope="module")
def other(begun, place, tmp_path_factory) -> Path:
    """The same experiment's second trial, of other code; read only."""
    (place / "mine.py").write_text(edited(*CHANGES["mine.py"][:2]))
    folder = tmp_path_factory.mktemp("runs") / "other"
    more = ["--trials", "2", "--only", "1"]
    assert continued(place, folder, *more).status == 0
    return folder


def test_runs_of_other_code_are_not_merged_unless_that_is_accepted_and_recorded(begun, other, tmp_path):
    to, said = tmp_path / "to", CHANGES["mine.py"][2]
    given = answer("merge", [str(begun), str(other), "--to", str(to)])
    assert given.status == 2 and f"'{other}' beside '{begun}': {said}" in given.err and not to.exists()
    line = [str(begun), str(other), "--to", str(to), "--accept-changes"]
    assert answer("merge", line).status == 0
    assert [entry["changes"] for entry in told(to)["accepted"]] == [[f"'{other}' beside '{begun}': {said}"]]
    assert (paths.code(to) / "mine.py").read_text() == MINE
    assert answer("merge", [str(other), "--to", str(to)]).status == 2, "and into a run that has the first's"


def test_what_was_accepted_in_a_run_goes_along_when_it_is_merged(run, files, tmp_path):
    said = change(files, "mine.py")
    assert continued(files, run, "--accept-changes").status == 0
    for _ in range(2):
        assert answer("merge", [str(run), "--to", str(tmp_path / "to")]).status == 0
    (entry,) = told(tmp_path / "to")["accepted"]
    assert (entry["run"], entry["changes"]) == (str(run), [said])


def test_runs_with_and_without_64_bit_numbers_are_not_merged_unless_accepted(run, begun, tmp_path):
    kept = read_config(run)
    paths.config(run).write_text(compatible.to_json(replace(kept, numerics=replace(kept.numerics, x64=True))))
    line = [str(run), str(begun), "--to", str(tmp_path / "to")]
    given = answer("merge", line)
    assert given.status == 2 and f"numerics.x64 is True in '{run}'" in given.err
    assert answer("merge", [*line, "--accept-changes"]).status == 0


def test_a_packed_run_carries_its_identity_and_copies(run, tmp_path):
    (paths.code(run) / "parts").mkdir()
    (paths.code(run) / "parts" / "x.py").write_text("X = 1\n")  # as of a package of that name
    packing.pack(run, tmp_path / "run.tar.gz")
    packing.unpack(tmp_path / "run.tar.gz", tmp_path / "back")
    for kept in (paths.identity(run), *paths.code(run).rglob("*.py")):
        assert (tmp_path / "back" / kept.relative_to(run)).read_bytes() == kept.read_bytes()


def test_a_swept_run_has_one_identity_which_its_points_are_evaluated_by(files, tmp_path):
    sweep = ["--trials", "1", "--sweep", "prune.rates.fc=0.2,0.5"]
    assert continued(files, tmp_path, *sweep).status == 0
    assert [path.parent for path in tmp_path.rglob("identity.json")] == [tmp_path]
    said = change(files, "mine.py")
    assert said in continued(files, tmp_path, *sweep).err
    line = [str(tmp_path / "fc=0.2"), "--round", "0", "--config", str(files / "mine.py")]
    assert said in answer("evaluate", line).err


def arrays(value: int) -> ltjax.Dataset:
    """The digits, with the first labels turned by a value."""
    digits = DATASETS["digits"].load(ltjax.Data())
    labels = (digits.train_targets + value * (np.arange(1437) < 100)) % 10
    return digits._replace(train_targets=labels)


SMALL = ltjax.Experiment(
    name="mine", trials=1, seed=3, data=ltjax.Data(validation=100), model=ltjax.Model(widths=(8, 6)),
    train=ltjax.Train(steps=10, batch=30, evaluate_every=10, evaluate_batch=128), prune=ltjax.Prune(rounds=0),
)  # fmt: skip


@pytest.mark.parametrize("experiment", [SMALL, replace(SMALL, sweep={"prune.rates.fc": (0.2, 0.5)})])
def test_other_arrays_than_a_run_was_begun_with_are_refused_or_accepted_and_recorded(experiment, tmp_path):
    one, two = arrays(1), arrays(2)
    ltjax.run_experiment(experiment, tmp_path, dataset=one, quiet=True)
    with pytest.raises(UserError, match="begun with other code or data: the data: their fingerprint is"):
        ltjax.run_experiment(experiment, tmp_path, dataset=two, quiet=True)
    ltjax.run_experiment(experiment, tmp_path, dataset=one, quiet=True)
    ltjax.run_experiment(experiment, tmp_path, dataset=two, quiet=True, accept_changes=True)
    (entry,) = told(tmp_path)["accepted"]
    assert len(entry["changes"]) == 1 and entry["changes"][0].startswith("the data: ")
    ltjax.run_experiment(experiment, tmp_path, dataset=two, quiet=True)
    with pytest.raises(UserError, match="other code or data"):
        ltjax.run_experiment(experiment, tmp_path, dataset=one, quiet=True)


@pytest.mark.parametrize("ask", [ltjax.task, ltjax.classification, ltjax.regression])
def test_a_task_that_a_program_makes_is_of_that_programs_file(ask):
    inputs = np.arange(12.0).reshape(6, 2)
    targets = inputs[:, 0] if ask is ltjax.regression else np.arange(6) % 3
    task = ask(nn.Dense(1 if ask is ltjax.regression else 3), (inputs, targets, inputs, targets))
    name = next(name for name, entry in ltjax.TASKS.items() if entry is task)
    assert Entry("task", name).file == Path(__file__)
    ltjax.TASKS.pop(name)


def test_a_task_of_other_arrays_than_a_run_was_begun_with_is_refused_or_accepted_and_recorded(tmp_path):
    network = nn.Sequential([nn.Dense(4), nn.relu, nn.Dense(10)])
    one, two = (
        replace(SMALL, task=ltjax.classification(network, own._replace(
            train_inputs=own.train_inputs.reshape(-1, 64) / 255.0,
            test_inputs=own.test_inputs.reshape(-1, 64) / 255.0,
        )))
        for own in (arrays(1), arrays(2))
    )  # fmt: skip
    ltjax.run_experiment(one, tmp_path, quiet=True)
    with pytest.raises(UserError, match="begun with other code or data: the data: their fingerprint is"):
        ltjax.run_experiment(two, tmp_path, quiet=True)
    ltjax.run_experiment(two, tmp_path, quiet=True, accept_changes=True)
    assert read_config(tmp_path).task == two.task
    with pytest.raises(UserError, match="other code or data"):
        ltjax.run_experiment(one, tmp_path, quiet=True)
    for each in (one, two):
        ltjax.TASKS.pop(each.task.name)


def test_runs_on_other_arrays_are_not_merged_unless_that_is_accepted(tmp_path):
    for trial in (0, 1):
        ltjax.run_experiment(
            replace(SMALL, trials=2), tmp_path / str(trial), only=[trial], dataset=arrays(trial), quiet=True
        )
    sources = [str(tmp_path / "0"), str(tmp_path / "1")]
    given = answer("merge", [*sources, "--to", str(tmp_path / "to")])
    assert given.status == 2 and "the data: their fingerprint is" in given.err
    assert answer("merge", [*sources, "--to", str(tmp_path / "to"), "--accept-changes"]).status == 0
    assert read_config(tmp_path / "to").data == read_config(tmp_path / "0").data


def test_a_registered_data_set_that_gives_other_arrays_is_told_though_its_code_is_the_same(tmp_path):
    np.save(tmp_path / "value.npy", 1)
    source = (
        "import numpy as np, ltjax\nfrom ltjax.data import data_set\n"
        "from tests.test_code_identity import arrays\n"
        "@data_set('mine_on_disk', train=1437, test=360, image=(8, 8, 1), classes=10)\n"
        f"def load(data):\n    return arrays(int(np.load({str(tmp_path / 'value.npy')!r})))\n"
    )
    (tmp_path / "data.py").write_text(source + "experiment = ltjax.Experiment()\n")
    ltjax.load_experiment(tmp_path / "data.py")
    experiment = replace(SMALL, data=ltjax.Data("mine_on_disk", validation=100))
    for _ in range(2):
        ltjax.run_experiment(experiment, tmp_path / "run", quiet=True)
    np.save(tmp_path / "value.npy", 2)
    with pytest.raises(UserError, match="the data: their fingerprint is"):
        ltjax.run_experiment(experiment, tmp_path / "run", quiet=True)


TREE = {"x": np.arange(6, dtype=np.int32).reshape(2, 3), "y": (np.ones(2), 3)}

OTHERS = {
    "a value": TREE | {"x": TREE["x"] + 1},
    "a dtype": TREE | {"x": TREE["x"].astype(np.uint32)},
    "a shape": TREE | {"x": TREE["x"].reshape(3, 2)},
    "a name": {"z": TREE["x"], "y": TREE["y"]},
    "one leaf more": TREE | {"z": np.zeros(0)},
}


@pytest.mark.parametrize("other", OTHERS)
def test_a_fingerprint_is_of_all_that_arrays_are(other):
    assert fingerprint(OTHERS[other]) != fingerprint(TREE)


def test_a_fingerprint_is_not_of_how_arrays_lie_in_memory():
    same = TREE | {"x": np.asfortranarray(TREE["x"].astype(">i4"))}
    assert fingerprint(same) == fingerprint(TREE)
    with pytest.raises(TypeError, match="x holds Python objects"):
        fingerprint({"x": np.array([print])})


def own_helpers(folder: Path, value: int) -> Path:
    """A file that imports helpers of its own folder, at its top and in a function."""
    (folder / "pack").mkdir(parents=True, exist_ok=True)
    (folder / "helpers.py").write_text(f"TRIALS = {value}\n")
    (folder / "pack" / "__init__.py").write_text("")
    (folder / "pack" / "deep.py").write_text("from helpers import TRIALS\n")
    (folder / "mine.py").write_text(
        "import ltjax, helpers\nfrom pack import deep\n"
        f"@ltjax.CRITERIA.register('lazy_{value}')\n"
        "def lazy(found=None):\n    import helpers, pack.deep\n    return helpers.TRIALS, pack.deep.TRIALS\n"
        "assert helpers.TRIALS == deep.TRIALS\n"
        "experiment = ltjax.Experiment(trials=helpers.TRIALS)\n"
    )
    return folder / "mine.py"


def test_two_files_of_two_folders_each_import_what_lies_beside_them(tmp_path):
    one, two = own_helpers(tmp_path / "one", 2), own_helpers(tmp_path / "two", 3)
    before, modules = list(sys.path), set(sys.modules)
    assert [ltjax.load_experiment(each).trials for each in (one, two, one)] == [2, 3, 2]
    assert sys.path == before and not {"helpers", "pack", "pack.deep"} & (set(sys.modules) - modules)
    assert CRITERIA["lazy_2"]() == (2, 2) and CRITERIA["lazy_3"]() == (3, 3), "later too"
    (tmp_path / "one" / "helpers.py").write_text("TRIALS = 5\n")
    assert ltjax.load_experiment(one).trials == 5, "and as they are on the disk now"


def test_a_module_of_the_same_name_that_is_there_already_is_not_used_and_stays(tmp_path, monkeypatch):
    stale = type(sys)("helpers")
    stale.__file__, stale.TRIALS = str(tmp_path / "elsewhere" / "helpers.py"), 9
    monkeypatch.setitem(sys.modules, "helpers", stale)
    assert ltjax.load_experiment(own_helpers(tmp_path, 4)).trials == 4
    assert sys.modules["helpers"] is stale


def test_a_library_is_not_hidden_from_itself_by_a_file_beside_the_users(tmp_path):
    (tmp_path / "jax.py").write_text("raise SystemExit\n")
    (tmp_path / "mine.py").write_text("import jax, ltjax\njax.jit\nexperiment = ltjax.Experiment(trials=3)\n")
    assert ltjax.load_experiment(tmp_path / "mine.py").trials == 3


def test_the_source_of_a_notebooks_cell_is_that_of_what_it_names_too(monkeypatch):
    cell = (
        "import ltjax\nPOWER = 2\ndef weigh(leaf):\n    return leaf ** POWER\n\n"
        "@ltjax.CRITERIA.register('in_cell')\nclass InCell:\n    def __call__(self, found):\n"
        "        return weigh(found)\n"
    )
    monkeypatch.setitem(
        linecache.cache, "<cell>", (len(cell), None, cell.splitlines(keepends=True), "<cell>")
    )
    exec(compile(cell, "<cell>", "exec"), {"__name__": "__main__"})
    found = cell_of(Entry("criterion", "in_cell"))
    assert set(code.definitions(found)) == {
        "the class `InCell`",
        "the function `weigh`",
        "the constant `POWER`",
    }
    exec("def typed(found): ...", typed := {"__name__": "__main__"})
    monkeypatch.setitem(CRITERIA, "typed", typed["typed"])
    assert cell_of(Entry("criterion", "typed")) is None


def test_nothing_runs_what_lies_in_a_runs_folder(run, files, tmp_path, undrawn):
    """Each command that reads a run, with copies that would write a file and fail."""
    marker = tmp_path / "marker"
    bomb = f"import pathlib\npathlib.Path({str(marker)!r}).touch()\nraise SystemExit\n"
    for path in (run / "sitecustomize.py", run / "experiment.py"):
        path.write_text(bomb)
    kept = identity.read(run)
    trapped = {name: file_of(bomb, file.entries) for name, file in kept.files.items()}
    identity._write(run, replace(kept, files=trapped))
    for status, command, *line in (
        (0, "report", str(run)),
        (0, "merge", str(run), "--to", str(tmp_path / "to")),
        (0, "pack", str(run), "--to", str(tmp_path / "packed.tar.gz")),
        (0, "unpack", str(tmp_path / "packed.tar.gz"), "--to", str(tmp_path / "back")),
        (0, "export", str(run), "--round", "0", "--to", str(tmp_path / "export"), "--no-measure"),
        (2, "evaluate", str(run), "--round", "0"),
        (2, "run", "--config", str(run), "--workdir", str(run)),
    ):
        given = answer(command, line)
        assert given.status == status, (command, given)
    assert not marker.exists()
    assert answer("run", ["--config", str(paths.code(run) / "mine.py"), "--dry-run"]).status == 2
    assert marker.exists(), "asked for, it is run: the trap works"
