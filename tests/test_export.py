"""What an exported lane takes: the sparse file, the forms' logits and times, and what the card says."""

import errno
import json
from dataclasses import replace

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ltjax.cli.commands import export
from ltjax.cli.running import run_experiment
from ltjax.core.errors import UserError
from ltjax.core.keys import named_key
from ltjax.core.safetensors import load_tensors, save_tensors
from ltjax.core.trees import leaves_by_path
from ltjax.core.types import Lane
from ltjax.export import card, files, folded, latency, variants
from ltjax.export.csr import csr_logits, from_sparse, to_sparse
from ltjax.export.files import CONTENTS
from ltjax.lanes import backend
from ltjax.models import WIRINGS, Wiring, make_network
from ltjax.sparsity import masks

from .conftest import TINY, with_prune
from .test_compaction import IMAGE, sparse
from .test_models import SMALL


def same_bits(one, two):
    one, two = leaves_by_path(one), leaves_by_path(two)
    assert one.keys() == two.keys()
    for name, leaf in one.items():
        assert leaf.dtype == two[name].dtype and leaf.shape == two[name].shape, name
        assert leaf.tobytes() == two[name].tobytes(), name


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.sampled_from([(1, 1), (7, 3), (300, 2), (3, 3, 2, 4), (1, 1, 5, 1), (40_000, 1)]),
    density=st.sampled_from([0, 0.01, 0.5, 1]),
)
def test_a_sparse_file_gives_back_the_bits_and_the_mask(seed, shape, density, tmp_path_factory):
    random = np.random.default_rng(seed)
    mask = {"a": {"kernel": random.random(shape) < density, "bias": np.ones(shape[-1], bool)}}
    params = jax.tree.map(lambda leaf: random.normal(size=leaf.shape).astype(np.float32), mask)
    params["a"]["kernel"].flat[0] = -0.0  # may survive, and stays what it is
    params = jax.tree.map(np.asarray, masks.apply(mask, params))
    path = tmp_path_factory.mktemp("sparse") / "sparse.safetensors"
    save_tensors(path, to_sparse(params, mask), {})
    found = from_sparse(load_tensors(path))
    same_bits(found[0], params)
    same_bits(found[1], mask)


INDICES = {(256, 3): np.uint8, (257, 3): np.int16, (32_768, 1): np.int16, (32_769, 1): np.int32}
"""Of kernels by shape, the type of the columns: the smallest that has the last input's index."""


@pytest.mark.parametrize(("shape", "dtype"), INDICES.items())
def test_indices_are_as_small_as_can_be(shape, dtype):
    mask = {"kernel": np.zeros(shape, bool)}
    mask["kernel"][-1] = True
    found = to_sparse({"kernel": np.ones(shape, np.float32)}, mask)["kernel"]
    assert found["columns"].dtype == dtype and set(found["columns"]) == {shape[0] - 1}
    assert found["starts"].dtype == np.uint8 and list(found["shape"]) == list(shape)


@pytest.mark.parametrize("name", sorted(SMALL))
def test_csr_gives_the_networks_logits_whatever_is_multiplied_at_once(name, monkeypatch):
    network = make_network(SMALL[name], IMAGE, 10)
    shapes = jax.eval_shape(network.init, jax.eval_shape(lambda: jax.random.key(0)))
    params, mask = sparse(shapes[0], 3, [0.1, 0.5])
    whole = folded.plain(WIRINGS[name](SMALL[name]), masks.apply(mask, params), sparse(shapes[1], 3, [1])[0])
    images = np.random.default_rng(0).normal(size=(3, *IMAGE)).astype(np.float32)
    wanted = folded.patch_values(WIRINGS[name](SMALL[name]), whole, images)[-1]
    for together in (2**26, 1):
        monkeypatch.setattr("ltjax.export.csr.PATCHES", together)
        found = csr_logits(WIRINGS[name](SMALL[name]), whole)(images)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4 * np.abs(wanted).max())


def test_flops_are_two_for_each_weight_at_each_place():
    """Conv-2 on 16 × 16 pixels: 3 to 4 and 4 to 4 channels, 8 × 8 × 4 to 8 units, 8 to 10."""
    network = make_network(SMALL["conv2"], IMAGE, 10)
    params, collections = network.init(named_key(0))
    params = jax.tree.map(np.array, params)
    params["conv1"]["kernel"][..., 0] = 0  # a channel of 27 weights that nothing reaches
    found = variants.make_forms(SMALL["conv2"], IMAGE, 10, params, collections)
    dense = 2 * (256 * 9 * 3 * 4 + 256 * 9 * 4 * 4 + 256 * 8 + 80)
    compacted = 2 * (256 * 9 * 3 * 3 + 256 * 9 * 3 * 4 + 256 * 8 + 80)
    assert variants.flops(found, IMAGE) == {
        "dense": dense, "compacted": compacted, "sparse": dense - 2 * 256 * 27
    }  # fmt: skip


WRONG = {
    "none": (lambda wiring: None, "has no wiring"),
    "no ReLU": (
        lambda wiring: wiring.layer("output", wiring.layer("fc1", wiring.flatten(0))),
        "logits differ",
    ),
    "not flattened": (lambda wiring: wiring.layer("output", wiring.layer("fc1", 0)), "is not its network's"),
    "another layer": (lambda wiring: wiring.layer("fc3", wiring.flatten(0)), "the same layers"),
    "a wrong order": (lambda wiring: wiring.layer("fc1", wiring.layer("output", 0)), "is not its network's"),
}


@pytest.mark.parametrize(("wire", "message"), WRONG.values(), ids=WRONG)
def test_a_wiring_that_is_not_the_networks_is_told(wire, message, monkeypatch):
    def wiring(model):
        found = Wiring()
        wire(found)
        return found

    monkeypatch.setitem(WIRINGS, "lenet", wiring)
    if message == "has no wiring":
        monkeypatch.delitem(WIRINGS, "lenet")
    params, _ = make_network(SMALL["lenet"], (4, 4, 1), 3).init(named_key(0))
    with pytest.raises(UserError, match=message):
        variants.make_forms(SMALL["lenet"], (4, 4, 1), 3, params, {})


def test_a_network_that_diverged_has_no_forms():
    params, _ = make_network(SMALL["lenet"], (4, 4, 1), 3).init(named_key(0))
    with pytest.raises(UserError, match="not finite"):
        variants.make_forms(
            SMALL["lenet"], (4, 4, 1), 3, jax.tree.map(lambda leaf: leaf * np.nan, params), {}
        )


def test_what_gives_other_logits_is_not_timed():
    images = np.ones((2, 3))
    calls = {"dense": lambda images: images, "right": lambda images: images * (1 + 1e-6),
             "wrong": lambda images: images * 1.01}  # fmt: skip
    timings, wrong = latency.measure(calls, dict.fromkeys(calls, images), seconds=0)
    assert wrong == ["wrong"] and set(timings) == {"dense", "right"}
    assert timings["dense"].ratio == 1
    for timing in timings.values():
        assert timing.median > 0 and timing.calls >= latency.LEAST
        assert 0 < timing.low <= timing.ratio <= timing.high


def test_forms_are_timed_by_turns_in_all_orders():
    order = []
    calls = {name: (lambda _, name=name: order.append(name) or np.ones(1)) for name in "abc"}
    latency.measure(calls, dict.fromkeys(calls), seconds=0)
    bursts = order[2 * len(calls) :: latency.BURST]  # after logits that are compared and a call that is timed
    turns = ["".join(bursts[at : at + 3]) for at in range(0, len(bursts), 3)]
    assert turns == ["abc", "acb", "bac", "bca", "cab", "cba"]


def timing(ratio, spread=0.05):
    """A timing whose turns have such ratios to the dense network's, more or less."""
    return {"median": ratio * 1e-3, "calls": 9, "ratio": ratio, "low": ratio - spread, "high": ratio + spread}


def made(**changes):
    """A card with invented numbers."""
    timings = {"dense": timing(1), "compacted": timing(0.5), "sparse": timing(4)}
    return {
        "bytes": {"dense": 1000, "compacted": 900, "sparse": 300},
        "flops": {"dense": 2000, "compacted": 1500, "sparse": 200},
        "latency": {"1": timings, "512": {**timings, "compacted": timing(1.05)}},
        "weights": {"percent": 12.34}, "not_compacted": "", "other_logits": [],
        **changes,
    }  # fmt: skip


SAID = {
    "what helps and what does not": (
        made(), "Sparsity helps on disk and at batch 1, and does not help at batch 512."),
    "bytes": (
        made(), "On disk, of the dense network: compacted 0.90 of the bytes; sparse (CSR) 0.30 of "
        "the bytes."),
    "faster and slower": (
        made(), "At batch 1, of the dense network: compacted 2.0 times as fast; sparse (CSR) 4.0 "
        "times as slow."),
    "a difference that is none": (
        made(), "At batch 512, of the dense network: compacted as fast; sparse (CSR) 4.0 times as slow."),
    "turns that do not agree": (
        made(latency={"1": {"dense": timing(1), "sparse": timing(0.6, spread=0.5)}}),
        "At batch 1, of the dense network: sparse (CSR) as fast."),
    "arithmetic": (made(), "12.3% survive, and 10.0% of the arithmetic with them; compaction, which leaves "
                           "out whole units alone, leaves 75.0% of it."),
    "nothing helps": (made(bytes={"dense": 1, "compacted": 1, "sparse": 2}, latency=None),
                      "Sparsity helps nowhere here."),
    "only disk was looked at": (made(latency=None), "Sparsity helps on disk."),
    "why there is no compacted form": (
        made(bytes={"dense": 2, "sparse": 1}, flops=None, latency=None, not_compacted="it has no wiring"),
        "Not compacted, because it has no wiring."),
    "other logits": (made(other_logits=["sparse"]),
                     "sparse (CSR) was not timed: it gives other logits than the dense network."),
}  # fmt: skip


@pytest.mark.parametrize(("numbers", "sentence"), SAID.values(), ids=SAID)
def test_what_a_card_says_follows_from_its_numbers(numbers, sentence):
    assert any(said.endswith(sentence) for said in card.findings(numbers))


def command(line, expect=0):
    status = 0
    try:
        export.main(line.split())
    except SystemExit as left:
        status = left.code or 0
    assert status == expect


def test_the_command_weighs_what_it_wrote(finished, tmp_path, capsys, monkeypatch):
    measure = latency.measure
    monkeypatch.setattr(latency, "measure", lambda calls, images: measure(calls, images, seconds=0))
    command(f"{finished.folder} --round 2 --trial 1 --to {tmp_path}")
    found = json.loads((tmp_path / "card.json").read_text())
    outcome = finished.outcome(2, Lane("ticket", 1))
    row = finished.summary().query("round == 2 and trial == 1 and arm == 'ticket'").iloc[0]
    assert found["weights"]["remaining"] == row["weights_remaining"]
    assert found["accuracy"]["final_test_accuracy"] == row["final_test_accuracy"]
    assert found["layers"]["fc1"]["weights"] == [np.count_nonzero(outcome.mask["fc1"]["kernel"]), 64 * 16]
    sizes = {path.stem: path.stat().st_size for path in tmp_path.glob("*.safetensors")}
    files = {"dense": "final", "compacted": "compacted", "sparse": "sparse"}
    assert found["bytes"] == {form: sizes[file] for form, file in files.items()}
    assert set(found["latency"]) == {"1", "512"} and found["other_logits"] == []
    assert all(set(each) == {"dense", "compacted", "sparse"} for each in found["latency"].values())
    assert found["machine"]["cores"] == backend.cores() and found["machine"]["device"] == "cpu: cpu"
    printed, people = capsys.readouterr().out, (tmp_path / "card.md").read_text()
    for sentence in found["findings"]:
        assert sentence in printed and sentence in people
    assert f"{sizes['sparse']:,}" in printed and "\x1b" not in printed


def test_the_files_are_the_forms_of_what_was_trained(finished, tmp_path):
    command(f"{finished.folder} --round 2 --to {tmp_path} --no-measure")
    trained = finished.outcome(2, Lane("ticket", 0))
    params, mask = from_sparse(load_tensors(tmp_path / "sparse.safetensors"))
    same_bits(params, jax.tree.map(np.asarray, trained.trained))
    same_bits(mask, jax.tree.map(np.asarray, trained.mask))
    compacted = folded.from_tree(load_tensors(tmp_path / "compacted.safetensors"))
    images = np.random.default_rng(0).normal(size=(5, 8, 8, 1)).astype(np.float32)
    network = make_network(TINY.model, (8, 8, 1), 10)
    np.testing.assert_allclose(
        folded.logits(WIRINGS["lenet"](TINY.model), compacted, images),
        network.apply(trained.trained, {}, images, False, named_key(0))[0], rtol=1e-4, atol=1e-5,
    )  # fmt: skip
    units = load_tensors(tmp_path / "units.safetensors")
    assert {name: len(each) for name, each in units.items() if name != "images"} == {
        "flat": compacted.layers["fc1"].kernel.shape[0],
        **{name: layer.kernel.shape[-1] for name, layer in compacted.layers.items()},
    }
    card_ = json.loads((tmp_path / "card.json").read_text())
    assert card_["latency"] is None and "Times were not measured" in (tmp_path / "card.md").read_text()


def test_quiet_says_nothing_and_writes_all(finished, tmp_path, capsys):
    command(f"{finished.folder} --round 1 --to {tmp_path} --no-measure --quiet")
    assert capsys.readouterr() == ("", "")
    written = {path.name for path in tmp_path.iterdir()}
    assert written == {*(f"{name}.safetensors" for name in CONTENTS if name != "collections"), "config.json",
                       *files.CARD}  # fmt: skip


def test_where_the_disk_is_full_an_earlier_export_is_not_lost(finished, tmp_path, monkeypatch):
    command(f"{finished.folder} --round 1 --to {tmp_path} --no-measure")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files, "save_tensors", full)
    command(f"{finished.folder} --round 2 --to {tmp_path} --no-measure", expect=1)
    kept = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert kept == {name: each for name, each in before.items() if name not in files.CARD}


def test_a_lane_is_exported_where_the_params_that_others_would_begin_with_are_gone(finished, tmp_path):
    command(f"{finished.folder} --round 0 --to {tmp_path}/0 --no-measure")
    start = str(tmp_path / "{trial}" / "theta0.safetensors")
    own = replace(with_prune(TINY, rounds=0), model=replace(TINY.model, start=start))
    run_experiment(own, tmp_path / "run", only=[0], quiet=True)
    command(f"{tmp_path}/run --round 0 --to {tmp_path}/to --no-measure")
    assert (tmp_path / "to" / "initial.safetensors").exists()


def test_nothing_of_an_earlier_export_stays_and_a_network_without_wiring_is_exported(
    finished, tmp_path, capsys, monkeypatch
):
    command(f"{finished.folder} --round 1 --to {tmp_path} --no-measure")
    monkeypatch.delitem(WIRINGS, "lenet")
    command(f"{finished.folder} --round 2 --to {tmp_path} --no-measure")
    assert "not compacted, because the network 'lenet' has no wiring" in capsys.readouterr().out
    assert not (tmp_path / "compacted.safetensors").exists() and not (tmp_path / "units.safetensors").exists()
    found = json.loads((tmp_path / "card.json").read_text())
    assert found["round"] == 2 and set(found["bytes"]) == {"dense", "sparse"} and found["flops"] is None
