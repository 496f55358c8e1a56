"""The documented programs that take a ticket into plain Flax and PyTorch, and back, run as they stand."""

import re
import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ltjax.cli.commands import evaluate
from ltjax.core.keys import named_key
from ltjax.core.safetensors import load_tensors
from ltjax.core.trees import leaves_by_path
from ltjax.core.types import Lane
from ltjax.data import split
from ltjax.export.files import export
from ltjax.settings.schema import Model
from ltjax.training.tasks import network_of

from .conftest import TINY, finish, with_prune, with_train
from .test_docs import blocks

PAGE = Path(__file__).parent.parent / "docs" / "trained_networks.md"

CONV2 = replace(
    TINY, name="conv2", trials=1, arms={"ticket": 1}, model=Model(name="conv2", channels=(6,), widths=(9, 7))
)

FOLDERS = {"lenet": "exports/trial_0", "conv2": "exports/conv2"}


@pytest.fixture(scope="module")
def runs(finished, tmp_path_factory):
    """A finished run of each network whose round 1 is exported."""
    short = with_train(with_prune(CONV2, rounds=1), steps=20)
    return {"lenet": finished, "conv2": finish(short, tmp_path_factory.mktemp("runs") / "conv2")}


@pytest.fixture
def work(runs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for kind, folder in FOLDERS.items():
        export(runs[kind], 1, Lane("ticket", 0), Path(folder))
    return tmp_path


def program(name):
    """The variables that a documented program ends with; it is run in the working folder."""
    code = re.search(rf"^<!-- {name} -->\n```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    Path("program.py").write_text(code.group(1))
    return runpy.run_path("program.py")


def logits(run, digits):
    """By ltjax, on the whole test split."""
    images = split(digits, 100, TINY.seed).test.values()
    params = run.outcome(1, Lane("ticket", 0)).trained
    return np.asarray(network_of(run.experiment).apply(params, {}, images, False, named_key(0))[0])


def test_plain_flax_gives_the_logits_and_writes_the_params_back(work, runs, digits):
    found = program("flax")
    for kind, run in runs.items():
        np.testing.assert_allclose(found[kind], logits(run, digits), rtol=1e-4, atol=1e-5)
    back, trained = (leaves_by_path(load_tensors(Path(file)))
                     for file in ("from_flax.safetensors", "exports/conv2/final.safetensors"))  # fmt: skip
    assert back.keys() == trained.keys()
    assert all(np.array_equal(back[name], leaf) for name, leaf in trained.items())


def test_what_is_shown_of_the_forms_runs_and_gives_the_same_network(work, runs, digits):
    text = (PAGE.parent / "export.md").read_text()
    shown = "\n".join(blocks(text, "python")).replace('"DIR', '"exports/trial_0')
    found = {"images": split(digits, 100, TINY.seed).test.values()}
    exec(shown, found)
    trained = runs["lenet"].outcome(1, Lane("ticket", 0))
    for mine, kept in ((found["params"], trained.trained), (found["mask"], trained.mask)):
        assert all(np.array_equal(mine[layer][name], leaf)
                   for layer, leaves in kept.items() for name, leaf in leaves.items())  # fmt: skip
    np.testing.assert_allclose(found["logits"], logits(runs["lenet"], digits), rtol=1e-4, atol=1e-5)


def test_pytorch_gives_the_logits_and_what_it_tuned_is_evaluated_here(work, runs, digits, capsys):
    pytest.importorskip("torch")
    found = program("pytorch")
    told = dict(line.split() for line in capsys.readouterr().out.splitlines())
    for kind, run in runs.items():
        np.testing.assert_allclose(found["logits"][kind].numpy(), logits(run, digits), rtol=1e-4, atol=1e-5)
        evaluate.main([f"tuned_{kind}.safetensors", "--config", f"{FOLDERS[kind]}/config.json"])
        assert f"accuracy {round(360 * float(told[kind])) / 360}" in capsys.readouterr().out
        outcome = run.outcome(1, Lane("ticket", 0))
        tuned, trained = load_tensors(Path(f"tuned_{kind}.safetensors")), outcome.trained
        for layer in trained:
            kernel, mask = tuned[layer]["kernel"], outcome.mask[layer]["kernel"]
            assert (kernel[~mask] == 0).all() and (kernel[mask] != trained[layer]["kernel"][mask]).any()
