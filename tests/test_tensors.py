"""Safetensors: what goes in comes out, what is damaged is told, and what is exported begins another run."""

import json
import shutil
import struct
from dataclasses import replace

import chex
import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors.numpy import load_file, save_file

import ltjax
from ltjax.cli.commands import export
from ltjax.core.errors import UserError
from ltjax.core.safetensors import load_params, load_start, load_tensors, save_tensors
from ltjax.core.types import Lane, Ticket
from ltjax.export import files
from ltjax.lottery.arms import ARMS
from ltjax.runs import checkpoints, paths, tables
from ltjax.sparsity import masks

from .conftest import TINY, finish, with_prune

NAMES = st.text(st.characters(exclude_characters="/", exclude_categories=["Cs"]), min_size=1, max_size=5)
DTYPES = st.sampled_from(
    [np.bool_, np.float16, np.float32, np.float64, np.int8, np.uint8, np.int32, np.int64]
)
ARRAYS = DTYPES.flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3))
)
TREES = st.dictionaries(
    NAMES,
    st.recursive(ARRAYS, lambda inner: st.dictionaries(NAMES, inner, min_size=1, max_size=3)),
    max_size=3,
)
"""Nested dictionaries of arrays: empty shapes, scalars, NaN and bool among them."""

PARAMS = {"fc1": {"bias": np.zeros(3, np.float32), "kernel": np.ones((2, 3), np.float32)}}


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "params.safetensors"
    save_tensors(path, PARAMS, {"made by": "a test"})
    return path


@settings(max_examples=60, deadline=None)
@given(tree=TREES, metadata=st.dictionaries(NAMES, st.text(max_size=5), max_size=2))
def test_a_tree_comes_back_as_it_was(tree, metadata, tmp_path_factory):
    path = tmp_path_factory.mktemp("trees") / "tree.safetensors"
    save_tensors(path, tree, metadata)
    found = load_tensors(path)
    chex.assert_trees_all_equal_structs(found, tree)
    chex.assert_trees_all_equal_shapes_and_dtypes(found, tree)
    chex.assert_trees_all_equal(found, tree)


def test_memory_out_of_order_is_saved_by_its_values(tmp_path):
    array = np.arange(6.0).reshape(2, 3)
    save_tensors(tmp_path / "t.safetensors", {"a": array.T, "b": array[:, ::2]}, {})
    chex.assert_trees_all_equal(load_tensors(tmp_path / "t.safetensors"), {"a": array.T, "b": array[:, ::2]})


@pytest.mark.parametrize("key", ["", "a/b", "__metadata__", 3])
def test_a_key_that_would_not_come_back_is_refused(key, tmp_path):
    with pytest.raises(ValueError, match="cannot be part of a tensor's name"):
        save_tensors(tmp_path / "t.safetensors", {"fc1": {key: np.zeros(1)}}, {})
    assert not list(tmp_path.iterdir())


def test_other_tools_read_what_is_saved_and_it_reads_theirs(saved, tmp_path):
    chex.assert_trees_all_equal(
        load_file(saved), {f"fc1/{name}": leaf for name, leaf in PARAMS["fc1"].items()}
    )
    save_file({"fc1/bias": PARAMS["fc1"]["bias"], "fc1/kernel": PARAMS["fc1"]["kernel"]}, tmp_path / "theirs")
    chex.assert_trees_all_equal(load_tensors(tmp_path / "theirs"), PARAMS)


def header(content: dict, data: bytes = b"") -> bytes:
    text = json.dumps(content).encode()
    return struct.pack("<Q", len(text)) + text + data


def tensor(dtype: str = "U8", first: int = 0) -> dict:
    return {"dtype": dtype, "shape": [1], "data_offsets": [first, first + 1]}


DAMAGED = {
    "empty": (lambda whole: b"", "no safetensors file, or a damaged one"),
    "cut in its header": (lambda whole: whole[:20], "no safetensors file, or a damaged one"),
    "cut in its data": (lambda whole: whole[:-3], "no safetensors file, or a damaged one"),
    "too long": (lambda whole: whole + b"x", "no safetensors file, or a damaged one"),
    "length flipped": (lambda whole: bytes([whole[0] ^ 0x40]) + whole[1:], "or a damaged one"),
    "header flipped": (lambda whole: whole[:9] + bytes([whole[9] ^ 0x80]) + whole[10:], "or a damaged one"),
    "a pickle": (lambda whole: b"\x80\x04\x95" + b"x" * 100, "no safetensors file, or a damaged one"),
    "eight-bit floats": (lambda whole: header({"a": tensor("F8_E4M3")}, b"x"), "a type that NumPy lacks"),
    "clashing names": (
        lambda whole: header({"a": tensor(), "a/b": tensor(first=1)}, b"xy"), "both a tensor and a group"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("damage", "message"), DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_told_in_one_sentence(damage, message, saved):
    saved.write_bytes(damage(saved.read_bytes()))
    with pytest.raises(UserError, match=message) as error:
        load_tensors(saved)
    assert str(saved) in str(error.value) and "\n" not in str(error.value)


def test_a_missing_file_and_a_folder_are_told(tmp_path):
    with pytest.raises(UserError, match="there is no file"):
        load_tensors(tmp_path / "nowhere.safetensors")
    with pytest.raises(UserError, match="cannot be read"):
        load_tensors(tmp_path)


def test_a_full_disk_leaves_the_old_file(saved, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        save_tensors(saved, {"other": np.zeros(1)}, {})
    chex.assert_trees_all_equal(load_tensors(saved), PARAMS)
    assert list(saved.parent.iterdir()) == [saved]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, "bfloat16"])
def test_params_of_any_float_dtype_become_the_networks_own(dtype, tmp_path):
    other = {"fc1": {name: leaf.astype(dtype) for name, leaf in PARAMS["fc1"].items()}}
    save_tensors(tmp_path / "trial_4.safetensors", other, {})
    found, state = load_start(str(tmp_path / "trial_{trial}.safetensors"), 4, PARAMS, {})
    assert state is None
    chex.assert_trees_all_equal_shapes_and_dtypes(found, PARAMS)
    chex.assert_trees_all_equal(found, PARAMS)


STATISTICS = {"batch_stats": {"norm": {"mean": np.arange(3, dtype=np.float32)}}}


@pytest.mark.parametrize(
    ("facts", "kept"),
    [
        ({}, True),
        ({"ltjax": "1", "content": "final", "collections": "collections.safetensors"}, True),
        ({"ltjax": "1", "content": "theta0"}, False),
    ],
    ids=["of another program", "trained", "initial params, which an export writes beside trained statistics"],
)
def test_what_lies_beside_params_is_theirs_where_the_file_tells_so(facts, kept, tmp_path):
    save_tensors(tmp_path / "params.safetensors", PARAMS, facts)
    save_tensors(tmp_path / "collections.safetensors", STATISTICS, {})
    _, state = load_start(str(tmp_path / "params.safetensors"), 0, PARAMS, STATISTICS)
    assert (state is not None) == kept
    if kept:
        chex.assert_trees_all_equal(state, STATISTICS)


@pytest.mark.parametrize(
    ("name", "leaf", "message"),
    [
        ("kernel", None, r"it lacks 'fc1/kernel', float32 \[2, 3\]; it has: fc1/bias\."),
        ("scale", np.zeros(1), r"it has 'fc1/scale', float64 \[1\], beyond what is needed: fc1/bias, fc1/k"),
        ("kernel", np.ones((3, 2)), r"'fc1/kernel' is float64 \[3, 2\] and must be float32 \[2, 3\]\."),
        ("kernel", np.ones((2, 3), int), r"'fc1/kernel' is int64 \[2, 3\] and must be float32"),
        ("bias", np.ones(3, bool), r"'fc1/bias' is bool \[3\] and must be float32"),
        ("bias", np.array([0, np.nan, 0]), r"'fc1/bias' in .* has values that are not finite"),
        ("bias", np.array([0, 1e300, 0]), r"'fc1/bias' in .* has values that are not finite in float32"),
    ],
)  # fmt: skip
def test_params_that_do_not_fit_are_told_by_their_first_wrong_leaf(name, leaf, message, tmp_path):
    leaves = {key: value for key, value in {**PARAMS["fc1"], name: leaf}.items() if value is not None}
    save_tensors(tmp_path / "p.safetensors", {"fc1": leaves}, {})
    with pytest.raises(UserError, match=message):
        load_params(tmp_path / "p.safetensors", PARAMS)


def command(line: str, expect: int = 0) -> None:
    """Run ``ltjax export`` in this process, timing nothing, and check its exit status."""
    status = 0
    try:
        export.main([*line.split(), "--no-measure"])
    except SystemExit as left:
        status = left.code or 0
    assert status == expect


@pytest.mark.parametrize("arm", ["ticket", "reinit"])
def test_an_export_is_the_lane(arm, finished, tmp_path, capsys):
    command(f"{finished.folder} --round 2 --trial 1 --arm {arm} --to {tmp_path}")
    found = {path.stem: load_tensors(path) for path in tmp_path.glob("*.safetensors")}
    assert set(found) == set(files.CONTENTS) - {"collections"}, "LeNet carries nothing beside its params"
    assert "not written" not in capsys.readouterr().out
    outcome = finished.outcome(2, Lane(arm, 1))
    chex.assert_trees_all_equal(found["mask"], outcome.mask)
    chex.assert_trees_all_equal(found["final"], outcome.trained)
    chex.assert_trees_all_equal(found["theta0"], finished.theta0(1))
    ticket = ltjax.load_ticket(finished.folder, trial=1, round=2)
    own, theirs = found["initial"]["fc1"]["kernel"], ticket.params["fc1"]["kernel"]
    assert np.array_equal(own != 0, found["mask"]["fc1"]["kernel"])
    assert np.array_equal(own, theirs) == (arm == "ticket")
    assert ltjax.load_experiment(tmp_path) == TINY


def test_a_run_from_exported_theta0_is_the_run_they_were_exported_from(finished, tmp_path):
    for trial in range(2):
        command(f"{finished.folder} --round 0 --trial {trial} --to {tmp_path}/trial_{trial}")
    start = f"{tmp_path}/trial_{{trial}}/theta0.safetensors"
    again = finish(
        with_prune(replace(TINY, model=replace(TINY.model, start=start)), rounds=0), tmp_path / "run"
    )
    rows = tables.read_summary(paths.summary(finished.folder)).query("round == 0")
    chex.assert_trees_all_equal(again.summary().to_dict("list"), rows.to_dict("list"))


def test_a_start_that_cannot_be_had_again_is_told_and_not_made_up(finished, tmp_path, capsys, monkeypatch):
    command(f"{finished.folder} --round 1 --arm reinit --to {tmp_path}")
    # as if another version of ltjax, whose reinit was dense, had trained it
    monkeypatch.setitem(
        ARMS, "reinit", lambda key, found, ticket, init: Ticket(init(key), masks.dense(found.mask))
    )
    capsys.readouterr()
    command(f"{finished.folder} --round 1 --arm reinit --to {tmp_path}")
    assert f"not written: {tmp_path}/initial.safetensors" in capsys.readouterr().out
    assert not (tmp_path / "initial.safetensors").exists() and (tmp_path / "final.safetensors").exists()


def test_the_start_of_a_control_whose_round_before_is_gone_is_told(finished, tmp_path, capsys):
    copy = shutil.copytree(finished.folder, tmp_path / "copy")
    shutil.rmtree(paths.part(copy, 1, 0))
    command(f"{copy} --round 2 --arm reinit --to {tmp_path}/control")
    assert "not written" not in capsys.readouterr().out, "the ticket's mask and the seed are all it takes"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ARMS, "reinit", ARMS["continued"])
        command(f"{copy} --round 2 --arm reinit --to {tmp_path}/control")
    assert "not written" in capsys.readouterr().out
    command(f"{copy} --round 2 --arm ticket --to {tmp_path}/ticket")
    assert "not written" not in capsys.readouterr().out


def test_the_start_of_a_control_is_not_drawn_again_where_theta0_is_drawn_otherwise(
    finished, tmp_path, capsys
):
    """As where a run was trained by a version of JAX that drew other numbers from the same seed."""
    copy = shutil.copytree(finished.folder, tmp_path / "copy")
    kept = checkpoints.load(paths.theta0(copy, 0))
    shutil.rmtree(paths.theta0(copy, 0))
    checkpoints.save(paths.theta0(copy, 0), jax.tree.map(lambda leaf: leaf + 1, kept), {"trial": 0})
    command(f"{copy} --round 0 --arm reinit --to {tmp_path}/control")
    assert "not written" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{run} --round 9 --to {tmp}/new", "has no ticket of trial 0, repeat 0, round 9"),
        ("{run} --round 0 --to {run}", "holds more than an export"),
        ("{run} --round 0 --to {tmp}/taken", "is a file; choose another"),
        ("{run} --round 0 --to {tmp}/mine", "holds files that no export wrote"),
        ("{tmp} --round 0 --to {tmp}/new", "holds no run of ltjax"),
        ("{run} --to {tmp}/new", "--round"),
    ],
)
def test_what_cannot_be_exported_is_one_message_and_writes_nothing(line, message, finished, tmp_path, capsys):
    (tmp_path / "taken").write_text("")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.json").write_text("years of work")
    command(line.format(run=finished.folder, tmp=tmp_path), expect=2)
    assert message in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {"taken", "mine"}
    assert (tmp_path / "mine" / "config.json").read_text() == "years of work"
