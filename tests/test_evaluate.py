"""Evaluating what was trained: the tables' own numbers, from a run's folder or from a file."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from ltjax import load_collections, load_trained
from ltjax.analysis.evaluation import evaluate
from ltjax.cli.commands.evaluate import main
from ltjax.core.errors import UserError
from ltjax.core.safetensors import save_tensors
from ltjax.core.types import Lane
from ltjax.export.files import export
from ltjax.models import MODELS
from ltjax.runs import paths, tables
from ltjax.settings import compatible
from ltjax.settings.schema import Model

from .conftest import TINY, finish, with_prune
from .test_experiments import SHALLOW


@pytest.fixture(scope="module")
def params(finished):
    return finished.outcome(2, Lane("ticket", 1)).trained


@pytest.fixture
def command():
    """Run the command line in this process and check its exit status."""

    def run(line: str, expect: int = 0) -> None:
        status = 0
        try:
            main(line.split())
        except SystemExit as left:
            status = left.code or 0
        assert status == expect

    return run


@pytest.mark.parametrize("split", ["test", "train"])
def test_what_a_run_trained_has_the_accuracies_of_its_summary(split, finished, digits):
    """Exactly, for every lane of every round."""
    for row in finished.summary().to_dict("records"):
        trained = finished.outcome(row["round"], Lane(row["arm"], row["trial"], row["repeat"])).trained
        assert evaluate(trained, TINY, split, digits).accuracy == row[f"final_{split}_accuracy"]


def test_the_validation_split_is_the_runs_own(params, finished, digits):
    """Its loss and accuracy are those that the curves end with: the same hundred examples were held out."""
    found = evaluate(params, TINY, "validation", digits)
    rows = tables.read_curves(paths.curves(finished.folder, 2, 0))
    last = rows.query("arm == 'ticket' and trial == 1 and split == 'validation' and step == 40").iloc[0]
    assert found.examples == 100 and found.accuracy == last["accuracy"]
    assert found.loss == pytest.approx(last["loss"], rel=1e-6)


def test_the_data_set_of_the_experiment_is_loaded_where_none_is_given(params, digits):
    assert evaluate(params, TINY) == evaluate(params, TINY, "test", digits)


def test_a_data_set_of_ones_own_is_evaluated_on_instead(params, digits):
    first = digits._replace(test_inputs=digits.test_inputs[:7], test_targets=digits.test_targets[:7])
    assert evaluate(params, TINY, "test", first).examples == 7


RESNET = replace(
    with_prune(TINY, rounds=0),
    trials=1,
    arms={"ticket": 1},
    model=Model(name="resnet18", widths=(), channels=(2, 2, 4)),
    train=replace(TINY.train, steps=6, evaluate_every=3),
)


@pytest.fixture(scope="module")
def normed(tmp_path_factory):
    """A finished run of a network with BatchNorm, whose statistics its checkpoints keep."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(MODELS, "resnet18", SHALLOW["resnet18"])
        yield finish(RESNET, tmp_path_factory.mktemp("normed") / "run")


def test_a_network_with_batch_norm_is_evaluated_by_the_statistics_it_learned(normed, params, digits):
    trained = load_trained(normed.folder, round=0)
    collections = load_collections(normed.folder, round=0)
    row = normed.summary().iloc[0]
    for split in ("test", "train"):
        found = evaluate(trained, RESNET, split, digits, collections)
        assert found.accuracy == row[f"final_{split}_accuracy"]
    with pytest.raises(UserError, match="the collections do not fit the network: it lacks 'batch_stats/"):
        evaluate(trained, RESNET, "test", digits)
    with pytest.raises(UserError, match="the collections do not fit the network: it has 'batch_stats/"):
        evaluate(params, TINY, "test", digits, collections)


def test_the_command_and_an_export_carry_the_statistics(normed, command, tmp_path, capsys):
    command(f"{normed.folder} --round 0")
    of_run = capsys.readouterr().out
    export(normed, 0, Lane("ticket", 0), tmp_path / "out")
    command(f"{tmp_path}/out/final.safetensors --config {tmp_path}/out/config.json")
    assert capsys.readouterr().out == of_run
    (tmp_path / "out" / "collections.safetensors").unlink()
    command(f"{tmp_path}/out/final.safetensors --config {normed.folder}", expect=2)
    assert "there is no file" in capsys.readouterr().err


def test_a_split_and_a_network_of_another_name_or_shape_are_told(params, digits):
    with pytest.raises(UserError, match="no split 'tets'; did you mean 'test'"):
        evaluate(params, TINY, "tets", digits)
    wider = replace(TINY, model=replace(TINY.model, widths=(16, 13)))
    with pytest.raises(UserError, match=r"do not fit the network: .*fc2.* \[12\] and must be float32 \[13\]"):
        evaluate(params, wider, "test", digits)


def test_the_command_prints_the_summarys_numbers(command, finished, capsys):
    command(f"{finished.folder} --round 2 --arm reinit --trial 1 --split all")
    printed = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    row = finished.summary().query("round == 2 and arm == 'reinit' and trial == 1").iloc[0]
    assert list(printed) == ["train", "validation", "test"]
    for split in ("test", "train"):
        assert f"accuracy {row[f'final_{split}_accuracy']}  (" in printed[split]
    assert f"({round(row['final_test_accuracy'] * 360)} of 360)" in printed["test"]


@pytest.mark.parametrize("config", ["{run}", "{run}/config.json"])
def test_a_file_is_evaluated_as_the_run_it_came_from(config, command, params, finished, tmp_path, capsys):
    path = tmp_path / "mine.safetensors"
    save_tensors(path, params, {})
    command(f"{path} --config {config.format(run=finished.folder)}")
    of_file = capsys.readouterr().out
    command(f"{finished.folder} --round 2 --trial 1")
    assert of_file == capsys.readouterr().out


def test_a_point_of_a_sweep_is_a_run_and_the_sweep_names_its_points(command, finished, tmp_path, capsys):
    swept = replace(TINY, sweep={"train.learning_rate": (1.2e-3, 2.4e-3)})
    paths.config(tmp_path).write_text(compatible.to_json(swept))
    shutil.copytree(finished.folder, tmp_path / "learning_rate=0.0012")
    command(f"{tmp_path} --round 0", expect=2)
    err = capsys.readouterr().err
    assert f"'{tmp_path}/learning_rate=0.0012', '{tmp_path}/learning_rate=0.0024'" in err
    command(f"{tmp_path}/learning_rate=0.0012 --round 0")
    assert "of 360" in capsys.readouterr().out


BAD = [
    ("{tmp}/nowhere --round 1", "holds no run of ltjax"),
    ("{run}", "say with --round which round of '{run}', from 0 to 2"),
    ("{run} --round 9", "no ticket of trial 0, repeat 0, round 9; it has rounds 0 to 2 of 2 trials"),
    ("{run} --round 1 --arm random", "no random of trial 0"),
    ("{run} --round 1 --config digits", "--config is for a safetensors file"),
    ("{run} --round 1 --split tets", "tets"),
    ("{run} --round 1 --collections {tmp}/p.safetensors", "--collections is for a safetensors file"),
    ("{tmp}/p.safetensors --config {run} --trial 1", "--trial is for a run's folder"),
    ("{tmp}/p.safetensors", "say with --config"),
    ("{tmp}/p.safetensors --config lenett", "no experiment 'lenett'"),
    ("{tmp}/p.safetensors --config {run} --round 1", "--round is for a run's folder"),
    ("{tmp}/p.safetensors --config {run}", "is no safetensors file, or a damaged one"),
    ("{tmp}/q.safetensors --config {run}", "it has 'output/other', float32 [1], beyond what is needed"),
    ("{tmp}/nowhere.safetensors --config {run}", "there is no file"),
]


@pytest.mark.parametrize(("line", "message"), BAD, ids=[line for line, _ in BAD])
def test_bad_input_is_one_clear_message_and_status_2(
    line, message, command, params, finished, tmp_path, capsys
):
    (tmp_path / "p.safetensors").write_bytes(b"half of a file")
    other = {**params, "output": {**params["output"], "other": np.zeros(1, np.float32)}}
    save_tensors(tmp_path / "q.safetensors", other, {})
    command(line.format(run=finished.folder, tmp=tmp_path), expect=2)
    out, err = capsys.readouterr()
    assert message.format(run=finished.folder) in err and "Traceback" not in out + err
