"""What tickets look like inside: known densities from hand-made checkpoints, and a real run's."""

import os
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ltjax import load_ticket
from ltjax.analysis import weight_statistics
from ltjax.analysis.results import read_study
from ltjax.analysis.weight_statistics import BINS, Histogram
from ltjax.core.errors import UserError
from ltjax.runs import paths
from ltjax.runs.folder import Run
from ltjax.settings.loading import load_experiment
from ltjax.sparsity import masks

from .made_up import made_up_folder

KEEP, PRUNE = True, False


def network(fc1, output):
    return {"fc1": {"kernel": np.array(fc1), "bias": np.zeros(2)}, "output": {"kernel": np.array(output)}}


THETA0 = network([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]], [[1.0, -1.0], [2.0, -2.0]])
TRAINED = network([[0.2, 0.2], [0.3, 0.4], [0.5, 1.6]], [[1.5, -1.0], [2.0, -1.0]])
DENSE = masks.dense(THETA0)
PRUNED = masks.dense(THETA0) | {
    "fc1": {"kernel": np.array([[KEEP, PRUNE], [PRUNE, PRUNE], [KEEP, KEEP]]), "bias": np.ones(2, bool)},
    "output": {"kernel": np.array([[KEEP, PRUNE], [KEEP, KEEP]])},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two trials that are alike, of rounds 0 and 4: six of ten weights remain in the latter."""
    experiment = replace(load_experiment("digits"), trials=2)
    home = tmp_path_factory.mktemp("hand") / "made"
    rounds = {0: [DENSE, DENSE], 4: [PRUNED, PRUNED]}
    return made_up_folder(home, experiment, [THETA0, THETA0], rounds, [TRAINED, TRAINED])


@pytest.fixture(scope="module")
def table(folder):
    return weight_statistics.distil(Run(folder))


@pytest.fixture(scope="module")
def real(finished):
    return weight_statistics.distil(finished)


def part(table, **chosen):
    return table[np.logical_and.reduce([table[key] == value for key, value in chosen.items()])]


def integral(rows):
    return rows["y"].sum() * (rows["x"].iloc[1] - rows["x"].iloc[0])


def test_the_table_is_tidy(table):
    assert list(table.columns) == weight_statistics.COLUMNS and not table.isna().any(axis=None)
    assert set(part(table, round=0)["percent_remaining"]) == {100.0}
    assert set(part(table, round=4)["percent_remaining"]) == {60.0}


def test_densities_are_of_every_layer_in_every_round(table):
    rows = part(table, what="density")[["round", "layer", "x", "y"]]
    assert rows.values.tolist() == [
        [0, "fc1", 100.0, 1.0], [0, "output", 100.0, 1.0], [4, "fc1", 60.0, 0.5], [4, "output", 60.0, 0.75],
    ]  # fmt: skip


def test_a_pixel_has_the_share_of_its_connections_that_survives(table):
    assert part(table, what="pixels", round=4)[["x", "y"]].values.tolist() == [[0, 0.5], [1, 0], [2, 1]]


@pytest.mark.parametrize(
    ("what", "layer", "kept", "of"),
    [
        ("incoming", "fc1", [2, 1], 3),
        ("incoming", "output", [2, 1], 2),
        ("outgoing", "input", [1, 0, 2], 2),
        ("outgoing", "fc1", [1, 2], 2),
    ],
)
def test_units_with_few_connections_have_a_bin_for_each_number_that_survives(table, what, layer, kept, of):
    rows = part(table, what=what, layer=layer, round=4)
    units = np.bincount(kept, minlength=of + 1) / len(kept)
    np.testing.assert_allclose(rows["y"] / len(rows), units)
    np.testing.assert_allclose(rows["x"], (np.arange(of + 1) + 0.5) / (of + 1))


def test_the_initial_values_are_of_survivors_alone(table):
    every, survivors = (part(table, what="initial", layer="fc1", round=round) for round in (0, 4))
    middles = survivors.loc[survivors["y"] > 0, "x"]
    assert len(every) == len(survivors) == BINS and every["x"].tolist() == survivors["x"].tolist()
    # 0.1 and 0.6 are the outermost values and lie outside of the middle 99.8%; 0.5 is left
    np.testing.assert_allclose(middles, [0.5], atol=0.5 / BINS)
    assert integral(survivors) == pytest.approx(1 / 3) and integral(every) == pytest.approx(4 / 6)


def test_movement_and_growth_divide_the_dense_networks_weights_by_the_ticket(table):
    inside = part(table, what="growth", layer="output", group=weight_statistics.INSIDE)
    outside = part(table, what="growth", layer="output", group=weight_statistics.OUTSIDE)
    assert set(inside["round"]) == {4}
    # in the ticket: 1 to 1.5 (outermost), 2 to 2, -2 to -1 (outermost); not in it: -1 to -1
    for rows, share in ((inside, 1 / 3), (outside, 1.0)):
        np.testing.assert_allclose(rows.loc[rows["y"] > 0, "x"], [0.0], atol=1.5 / BINS)
        assert integral(rows) == pytest.approx(share)


def test_a_histogram_counts_outliers_in_the_whole_only():
    histogram = Histogram(np.linspace(0, 1, 1001))
    histogram.add(np.array([0.5, 0.5, 0.25, 7.0]))
    rows = histogram.block("initial", "fc1", "")
    width = 0.998 / BINS
    assert sorted(rows["y"])[-2:] == pytest.approx([1 / 4 / width, 2 / 4 / width])
    assert rows["x"].iloc[0] == pytest.approx(0.001 + width / 2)


def test_the_weights_of_a_network_that_diverged_are_counted_as_far_as_they_are_finite():
    diverged = Histogram(np.array([np.nan, np.inf, 0.0, 1.0]))
    diverged.add(np.array([np.nan, 0.5]))
    assert diverged.total == 1 and diverged.counts.sum() == 1
    assert Histogram(np.full(3, np.nan)).block("movement", "fc1", "").empty


def test_layers_come_in_the_order_of_the_network():
    kernels = {name: {"kernel": np.ones((1, 1))} for name in ("fc10", "fc2", "output", "fc1")}
    assert list(weight_statistics.layers(kernels)) == ["fc1", "fc2", "fc10", "output"]
    convolution = {"conv1": {"kernel": np.ones((3, 3, 1, 1))}}
    assert "conv1" not in weight_statistics.layers(convolution | kernels)


def test_a_real_run_is_seen_as_its_masks_are(finished, real):
    for round in range(3):
        found = part(real, what="density", round=round).set_index("layer")["y"]
        ticket = load_ticket(finished.folder, trial=0, round=round)
        for path, share in masks.densities(ticket.mask).items():
            assert found[path.removesuffix("/kernel")] == pytest.approx(share)
    assert set(real["layer"]) == {"fc1", "fc2", "output"} and len(part(real, what="pixels", round=0)) == 64


def test_a_short_runs_last_round_divides_the_dense_networks_weights(real):
    assert set(part(real, what="movement")["round"]) == {2}
    for _, rows in part(real, what="movement").groupby(["layer", "group"]):
        assert 0.95 < integral(rows) <= 1.0


def test_a_run_of_the_dense_network_alone_has_no_ticket_to_divide_by(folder, tmp_path):
    alone = made_up_folder(tmp_path / "alone", Run(folder).experiment, [THETA0], {0: [DENSE]}, [TRAINED])
    assert set(weight_statistics.distil(Run(alone))["what"]) == {"initial", "density", "pixels"}


def test_the_table_is_kept_and_distilled_again_where_checkpoints_are_others(tmp_path, folder):
    home = made_up_folder(
        tmp_path / "kept", Run(folder).experiment, [THETA0], {0: [DENSE], 4: [PRUNED]}, [TRAINED]
    )
    fresh = weight_statistics.find(home)
    assert not paths.anatomy(home).exists()  # finding writes nothing
    weight_statistics.write(home, fresh.assign(y=-1.0))
    assert set(weight_statistics.find(home)["y"]) == {-1.0}
    os.utime(paths.anatomy(home), (0, 0))  # clocks jump
    assert set(weight_statistics.find(home)["y"]) == {-1.0}
    shutil.rmtree(paths.part(home, 4, 0))
    again = weight_statistics.find(home)
    assert set(again["round"]) == {0} and -1.0 not in set(again["y"])


def test_the_table_alone_is_enough_and_nothing_is_none(table, tmp_path):
    assert weight_statistics.find(tmp_path) is None
    weight_statistics.write(tmp_path, table)
    pd.testing.assert_frame_equal(weight_statistics.find(tmp_path), table)


@pytest.mark.parametrize("content", [b"", b"PAR1 and no more"])
def test_a_damaged_table_is_told(tmp_path, content):
    paths.anatomy(tmp_path).write_bytes(content)
    with pytest.raises(UserError, match="cannot be read.*remove it"):
        weight_statistics.find(tmp_path)


def test_a_lost_theta0_is_told(folder, tmp_path):
    home = made_up_folder(tmp_path / "lost", Run(folder).experiment, [], {0: [DENSE]}, [TRAINED])
    with pytest.raises(UserError, match="lacks the initial params of trial 0"):
        weight_statistics.distil(Run(home))


def test_a_run_read_as_a_study_has_its_anatomy(finished, real):
    (run,) = read_study([finished.folder]).runs
    pd.testing.assert_frame_equal(run.anatomy, real)
