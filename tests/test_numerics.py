"""Numerics: resolved when a run begins, kept with it, and what it is continued with."""

import json
from dataclasses import replace

import jax
import pytest

from ltjax import Numerics, UserError, load_experiment, run_experiment
from ltjax.lottery.resolving import resolve
from ltjax.runs import paths
from ltjax.runs.folder import Run, read_config
from ltjax.settings import compatible
from ltjax.training.network import network_of

from .conftest import TINY, with_prune

AUTO = replace(with_prune(TINY, rounds=0), trials=1, arms={"ticket": 1}, numerics=Numerics())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run that was begun with what its backend chooses."""
    home = tmp_path_factory.mktemp("numerics") / "run"
    run_experiment(AUTO, home, quiet=True)
    return home


@pytest.mark.parametrize(("backend", "form"), [("cpu", "winograd"), ("gpu", "direct"), ("tpu", "direct")])
def test_auto_means_winograd_on_cpu_and_xlas_own_elsewhere(backend, form, monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    assert resolve(AUTO).experiment.numerics.convolution == form
    swept = replace(AUTO, sweep={"numerics.convolution": ("auto",)})
    assert [each.numerics.convolution for each in resolve(swept).points.values()] == [form]


def test_a_run_keeps_what_it_began_with(folder):
    assert json.loads(paths.config(folder).read_text())["numerics"] == {"convolution": "winograd"}
    assert Run(folder).experiment.numerics == Numerics("winograd")


def test_a_run_is_continued_with_its_own_numerics_and_not_with_others_asked_for(folder, monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    with pytest.raises(UserError, match="begun with --numerics.convolution winograd and continues so"):
        run_experiment(replace(AUTO, numerics=Numerics("direct")), folder, quiet=True)
    run_experiment(AUTO, folder, quiet=True)
    assert read_config(folder).numerics == Numerics("winograd")


def without_numerics(experiment) -> str:
    """A configuration as it was written before there were numerics."""
    settings = json.loads(compatible.to_json(experiment))
    del settings["numerics"], settings["crc32"]
    return json.dumps({**settings, "crc32": compatible._checksum(settings)})


def test_a_run_from_before_there_were_numerics_continues_as_it_began(folder, tmp_path):
    paths.config(tmp_path).write_text(without_numerics(AUTO))
    assert read_config(tmp_path).numerics == load_experiment(tmp_path).numerics == Numerics("direct")
    run_experiment(AUTO, tmp_path, quiet=True)
    assert read_config(tmp_path).numerics == Numerics("direct")
    paths.config(tmp_path).unlink()  # what was trained says it too
    run_experiment(AUTO, tmp_path, quiet=True)
    assert read_config(tmp_path).numerics == Numerics("direct")


def test_an_experiment_of_a_users_own_that_says_nothing_is_resolved_where_it_begins(tmp_path):
    (tmp_path / "own.json").write_text('{"train": {"steps": 2}}')
    assert load_experiment(tmp_path / "own.json").numerics == Numerics("auto")


def test_what_is_computed_is_what_the_numerics_say():
    wide = replace(AUTO, model=replace(AUTO.model, name="conv2", channels=(64,)))
    digits = replace(wide, data=replace(wide.data, name="cifar10"))
    programs = set()
    for form in ("direct", "winograd"):
        network = network_of(replace(digits, numerics=Numerics(form)))
        params, _ = jax.eval_shape(network.init, jax.random.key(0))
        images = jax.ShapeDtypeStruct((4, 32, 32, 3), "float32")
        traced = jax.make_jaxpr(lambda p, x, n=network: n.apply(p, {}, x, False, jax.random.key(0)))
        programs.add(str(traced(params, images)))
    assert len(programs) == 2
