"""A name stands for one thing: a registry refuses another under it, unless it is to replace the first."""

from functools import partial

import pytest

import ltjax
from ltjax.cli.loggers import LOGGERS
from ltjax.core.registry import Registry
from ltjax.data import DATASETS, data_set
from ltjax.studies import CLAIMS, FIGURES, claim, figure
from ltjax.training.augmentations import AUGMENTATIONS
from ltjax.training.optimizers import OPTIMIZERS

from .test_command import answer

FILE = """
import ltjax
@ltjax.ARMS.register({name!r}{replace})
def {function}(key, found, init):
    '''What {function} is for.'''
experiment = ltjax.Experiment()
"""
"""An experiment's file that registers an arm."""

WORDS = dict.fromkeys(("figure", "paper", "measured", "tolerance", "quantity"), "")
"""What a claim says."""

REGISTRIES = {
    "arm": (ltjax.ARMS, "reinit", ltjax.ARMS.register),
    "criterion": (ltjax.CRITERIA, "magnitude", ltjax.CRITERIA.register),
    "schedule": (ltjax.SCHEDULES, "iterative", ltjax.SCHEDULES.register),
    "optimizer": (OPTIMIZERS, "adam", OPTIMIZERS.register),
    "augmentation": (AUGMENTATIONS, "flip_crop", AUGMENTATIONS.register),
    "model": (ltjax.MODELS, "lenet", ltjax.MODELS.register),
    "wiring": (ltjax.WIRINGS, "lenet", ltjax.WIRINGS.register),
    "logger": (LOGGERS, "wandb", LOGGERS.register),
    "data set": (DATASETS, "mnist", partial(data_set, train=1, test=1, image=(8, 8, 1), classes=10)),
    "figure": (FIGURES, "4a", partial(figure, title="t")),
    "claim": (CLAIMS, "L1", partial(claim, **WORDS)),
}
"""By its kind, a registry, a name that it has, and the decorator that enters another under that name."""


def another(*given):
    """Something of one's own."""


@pytest.mark.parametrize("kind", REGISTRIES)
def test_a_name_that_exists_is_refused_unless_it_is_to_be_replaced(kind, monkeypatch):
    registry, name, decorator = REGISTRIES[kind]
    assert registry.kind == kind
    first = registry[name]
    monkeypatch.setitem(registry, name, first)  # puts it back
    monkeypatch.setitem(registry._definitions, name, registry._definitions[name])
    with pytest.raises(ltjax.UserError) as told:
        decorator(name)(another)
    assert str(told.value) == f"the {kind} '{name}' exists already; choose another name, or say replace=True."
    assert registry[name] is first
    decorator(name, replace=True)(another)
    assert registry[name] is not first


@pytest.fixture
def registered(monkeypatch):
    """The arms, of which any may be added or replaced in a test."""
    for before in (ltjax.ARMS, ltjax.ARMS._definitions):
        for name in ("reinit", "own"):
            monkeypatch.setitem(before, name, before.get(name))
        monkeypatch.delitem(before, "own")
    return ltjax.ARMS


def written(path, name="own", function="own", replace=""):
    path.write_text(FILE.format(name=name, function=function, replace=replace))
    return path


def test_an_experiments_file_may_be_run_again_and_by_then_be_another(tmp_path, registered, monkeypatch):
    path = written(tmp_path / "mine.py")
    ltjax.load_experiment(path)
    first = registered["own"]
    path.write_text("# a line more\n" + path.read_text())
    monkeypatch.chdir(tmp_path)
    ltjax.load_experiment("mine.py")  # the same file by another path
    assert registered["own"] is not first


def test_the_command_line_may_read_an_experiments_file_again(tmp_path, registered, capsys):
    path = str(written(tmp_path / "mine.py"))
    for _ in range(2):
        status, out, _ = answer(capsys, "list", "arms", "--config", path)
        assert status == 0 and "What own is for." in out


def test_an_experiments_file_may_replace_the_papers_control_by_saying_so_alone(tmp_path, registered, capsys):
    control = registered["reinit"]
    silent = written(tmp_path / "silent.py", "reinit", "reinit")
    status, _, err = answer(capsys, "run", "--config", str(silent), "--dry-run")
    said = "the arm 'reinit' exists already; choose another name, or say replace=True."
    assert status == 2 and " ".join(err.split()).endswith(said) and str(silent) in err
    assert registered["reinit"] is control
    ltjax.load_experiment(written(tmp_path / "spoken.py", "reinit", "reinit", ", replace=True"))
    assert registered["reinit"] is not control


@pytest.mark.parametrize(("file", "function"), [("other.py", "own"), ("mine.py", "other")])
def test_a_name_is_refused_to_another_file_and_to_another_function(file, function, tmp_path, registered):
    ltjax.load_experiment(written(tmp_path / "mine.py"))
    with pytest.raises(ltjax.UserError, match="the arm 'own' exists already"):
        ltjax.load_experiment(written(tmp_path / file, function=function))


def test_what_a_function_of_ltjaxs_makes_is_the_users_where_the_user_registers_it(registered):
    with pytest.raises(ltjax.UserError, match="the arm 'noise_2' exists already"):
        registered.register("noise_2")(ltjax.lottery.arms.Noise(2.5))


def test_a_notebooks_cell_may_be_run_again():
    """Each of its runs is a file of its own, which does not exist; what they share is their module."""
    registry = Registry("arm")
    for cell in ("/tmp/ipykernel_1/1.py", "/tmp/ipykernel_1/2.py"):
        code = compile("@registry.register('own')\ndef own(): ...", cell, "exec")
        exec(code, {"registry": registry, "__name__": "__main__"})
    assert registry["own"].__code__.co_filename == cell
