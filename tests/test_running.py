"""Running an experiment from Python: the command's folder, continued, and what is said of it."""

import pytest

import ltjax
from ltjax.analysis.results import Study
from ltjax.runs import paths

from .conftest import with_prune, with_train


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tiny):
    """A folder into which ``tiny`` was run, and what was found."""
    home = tmp_path_factory.mktemp("running") / "tiny"
    return home, ltjax.run_experiment(tiny, home, quiet=True)


def test_it_gives_the_study_of_the_folder_and_writes_what_the_command_writes(folder, finished):
    home, study = folder
    assert isinstance(study, Study) and [run.folder for run in study.runs] == [home]
    assert paths.environment(home).exists() and not paths.begun(home).exists()
    assert paths.summary(home).read_bytes() == paths.summary(finished.folder).read_bytes()


def test_only_what_is_missing_is_trained(folder, tiny, capsys):
    home, _ = folder
    ltjax.run_experiment(tiny, home)
    assert "nothing left to train in tiny" in capsys.readouterr().out
    (grown,) = ltjax.run_experiment(with_prune(tiny, rounds=3), home).runs
    said = capsys.readouterr().out
    assert "continuing tiny" in said and "round 3/3" in said and "round 2/3" not in said
    assert set(grown.summary["round"]) == {0, 1, 2, 3}


def test_by_default_the_folder_has_the_experiments_name_and_a_round_has_one_line(
    tiny, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    ltjax.run_experiment(with_prune(tiny, rounds=1), only=[0], pace=3600)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("round ")]
    assert (tmp_path / "runs" / "tiny" / "summary.csv").exists()
    assert [line.split("  ")[:2] for line in lines[:2]] == [[f"round {at}/1", "step 40/40"] for at in (0, 1)]


def test_quiet_says_nothing(folder, tiny, capsys):
    ltjax.run_experiment(tiny, folder[0], quiet=True)
    assert capsys.readouterr().out == ""


def test_a_folder_of_another_experiment_is_refused_and_left_as_it_is(folder, tiny):
    home, _ = folder
    before = paths.config(home).read_bytes()
    with pytest.raises(ltjax.UserError, match="holds another experiment"):
        ltjax.run_experiment(with_train(tiny, steps=60), home)
    assert paths.config(home).read_bytes() == before
