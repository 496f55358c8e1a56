"""Numerics: resolved when a run begins, kept with it, and what it is continued with."""

import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace

import chex
import jax
import numpy as np
import pytest

from ltjax import DATASETS, Numerics, UserError, load_experiment, run_experiment
from ltjax.core.keys import named_key
from ltjax.data import split
from ltjax.lottery.resolving import resolve
from ltjax.runs import paths
from ltjax.runs.folder import Run, read_config
from ltjax.settings import compatible
from ltjax.training.tasks import network_of

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
    assert json.loads(paths.config(folder).read_text())["numerics"] == {
        "convolution": "winograd", "random_numbers": "threefry2x32-partitionable", "x64": False,
    }  # fmt: skip
    assert Run(folder).experiment.numerics == Numerics("winograd", x64=False)


def test_a_run_is_continued_with_its_own_numerics_and_not_with_others_asked_for(folder, monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    with pytest.raises(UserError, match="begun with --numerics.convolution winograd and continues so"):
        run_experiment(replace(AUTO, numerics=Numerics("direct", x64=False)), folder, quiet=True)
    run_experiment(AUTO, folder, quiet=True)
    assert read_config(folder).numerics == Numerics("winograd", x64=False)


def without_numerics(experiment) -> str:
    """A configuration as it was written before there were numerics."""
    settings = json.loads(compatible.to_json(experiment))
    del settings["crc32"], settings["numerics"]
    return json.dumps({**settings, "crc32": compatible._checksum(settings)})


def test_a_run_from_before_there_were_numerics_continues_as_it_began(folder, tmp_path):
    paths.config(tmp_path).write_text(without_numerics(AUTO))
    assert (
        read_config(tmp_path).numerics == load_experiment(tmp_path).numerics == Numerics("direct", x64=False)
    )
    run_experiment(AUTO, tmp_path, quiet=True)
    assert read_config(tmp_path).numerics == Numerics("direct", x64=False)
    paths.config(tmp_path).unlink()  # what was trained says it too
    run_experiment(AUTO, tmp_path, quiet=True)
    assert read_config(tmp_path).numerics == Numerics("direct", x64=False)


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


SHELL = {"JAX_DEFAULT_PRNG_IMPL": "rbg", "JAX_THREEFRY_PARTITIONABLE": "false", "JAX_RANDOM_SEED_OFFSET": "7"}
"""Variables of the shell, each of which changes what JAX draws."""

PROGRAM = """
import sys, ltjax, numpy
from ltjax.data import DATASETS, split
experiment = ltjax.load_experiment(sys.argv[1])
ltjax.run_experiment(experiment, sys.argv[2], quiet=True)
splits = split(DATASETS["digits"].load(experiment.data), experiment.data.validation, experiment.seed)
numpy.save(sys.argv[3], splits.validation.inputs)
"""


def test_the_shell_changes_no_random_number(folder, tmp_path):
    subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder), str(tmp_path / "run"), str(tmp_path / "held_out.npy")],
        check=True, env={**os.environ, **SHELL},
    )  # fmt: skip
    here, there = Run(folder), Run(tmp_path / "run")
    assert paths.summary(folder).read_bytes() == paths.summary(there.folder).read_bytes()
    assert paths.config(folder).read_bytes() == paths.config(there.folder).read_bytes()
    chex.assert_trees_all_equal(here.theta0(0), there.theta0(0))
    images = split(DATASETS["digits"].load(AUTO.data), AUTO.data.validation, AUTO.seed).validation.inputs
    np.testing.assert_array_equal(np.load(tmp_path / "held_out.npy"), images)


def test_random_numbers_are_those_that_runs_have_always_had():
    key = named_key(0, "validation")
    assert jax.random.key_data(key).tolist() == [1095907088, 4119304588]
    assert jax.random.permutation(key, 10).tolist() == [2, 4, 7, 5, 3, 9, 1, 8, 6, 0]


@contextmanager
def under(setting, value):
    """A setting of JAX's, changed in this process."""
    before = getattr(jax.config, setting)
    jax.config.update(setting, value)
    yield
    jax.config.update(setting, before)


OTHERS = {
    "jax_threefry_partitionable": (False, "JAX draws by 'threefry2x32-not-partitionable' here"),
    "jax_random_seed_offset": (7, "JAX draws by 'threefry2x32-partitionable-offset-7' here"),
    "jax_enable_x64": (True, "set JAX_ENABLE_X64=0 before the program starts, or begin another run."),
}
"""Settings of JAX's that change bits, other values of them, and what is said to who continues a run so."""


@pytest.mark.parametrize("setting", OTHERS)
def test_a_run_is_not_continued_under_another_setting_of_jax(setting, folder):
    value, said = OTHERS[setting]
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with under(setting, value), pytest.raises(UserError, match=said):
        run_experiment(with_prune(AUTO, rounds=1), folder, quiet=True)
    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_default_implementation_is_of_no_matter_as_every_key_says_its_own():
    expected = jax.random.key_data(named_key(3, "train"))
    with under("jax_default_prng_impl", "rbg"):
        np.testing.assert_array_equal(jax.random.key_data(named_key(3, "train")), expected)


RECORDS = {
    "random_numbers": (
        "rbg",
        "They differ in numerics.random_numbers: the run has 'rbg', asked is 'threefry",
    ),
    "x64": (True, "numerics.x64 is True, as asked or as the run was begun, .* set JAX_ENABLE_X64=1 before"),
}


@pytest.mark.parametrize("name", RECORDS)
def test_a_run_that_was_begun_under_another_setting_is_not_continued(name, folder, tmp_path):
    value, said = RECORDS[name]
    begun = Run(folder).experiment
    shutil.copytree(folder, tmp_path / "run")
    written = compatible.to_json(replace(begun, numerics=replace(begun.numerics, **{name: value})))
    paths.config(tmp_path / "run").write_text(written)
    with pytest.raises(UserError, match=said):
        run_experiment(with_prune(AUTO, rounds=1), tmp_path / "run", quiet=True)


def test_a_run_that_begins_with_x64_says_so():
    with under("jax_enable_x64", True):
        assert resolve(AUTO).experiment.numerics.x64 is True


def test_a_run_whose_record_lacks_x64_was_begun_without():
    settings = json.loads(compatible.to_json(AUTO))
    del settings["numerics"]["x64"], settings["crc32"]
    written = json.dumps({**settings, "crc32": compatible._checksum(settings)})
    assert compatible.from_json(written).numerics.x64 is False


def test_runs_of_other_random_numbers_are_not_one_experiment_and_with_other_bits_are():
    one = replace(AUTO, numerics=Numerics("direct", x64=False))
    assert compatible.differences(one, replace(one, numerics=Numerics("winograd", x64=True))) == []
    assert len(compatible.differences(one, replace(one, numerics=Numerics(random_numbers="rbg")))) == 1
