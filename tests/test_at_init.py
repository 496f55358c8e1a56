"""Pruning before training: what is trained, what is kept of each layer, and what goes on from where."""

from dataclasses import replace
from itertools import cycle, repeat

import chex
import numpy as np
import pandas as pd
import pytest

from ltjax import ARMS, CRITERIA, DENSITIES, Choice, Compute, Lane
from ltjax.lottery.loop import find_tickets
from ltjax.runs import paths
from ltjax.sparsity import masks

from .conftest import TINY, finish, with_prune, with_train
from .test_command import answer
from .test_docs import ROOT
from .test_installed import steps

BASE = replace(with_train(TINY, steps=6, evaluate_every=3), arms={"ticket": 1, "shuffle": 1, "reinit": 1})


def at_init(*densities, criterion="snip", structure="global", **schedule):
    return with_prune(
        BASE, rounds=len(densities), criterion=criterion, structure=structure,
        schedule=Choice("schedule", "at_init", {"densities": densities, **schedule}),
    )  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of two densities, the second never trained from the first."""
    return finish(at_init(0.2, 0.05), tmp_path_factory.mktemp("init") / "run")


def layers(run, round, arm):
    mask = run.mask(round, Lane(arm, 0))
    return {path: int(np.sum(leaf)) for path, leaf in masks.kernels(mask).items()}


def test_each_round_keeps_its_share_of_the_dense_network_and_controls_as_many_in_each_layer(whole):
    summary = pd.read_csv(paths.summary(whole.folder))
    total = 64 * 16 + 16 * 12 + 12 * 10
    expected = {0: total, 1: round(0.2 * total), 2: round(0.05 * total)}
    assert summary.groupby("round")["weights_remaining"].agg(set).to_dict() == {
        at: {number} for at, number in expected.items()
    }
    for at in (1, 2):
        of_tickets = layers(whole, at, "ticket")
        assert layers(whole, at, "shuffle") == layers(whole, at, "reinit") == of_tickets
        assert (
            len({number / size for number, size in zip(of_tickets.values(), (1024, 192, 120), strict=True)})
            > 1
        )


def test_tickets_begin_with_theta0_and_nothing_trained_decides_their_masks(whole):
    other = replace(with_train(whole.experiment, learning_rate=0.5), trials=1, arms={"ticket": 1})
    for ours, theirs in zip(find_tickets(other), (0, 1, 2), strict=True):
        kept, theta0 = ours.mask(Lane("ticket", 0))["fc1"]["kernel"], ours.theta0[0]["fc1"]["kernel"]
        np.testing.assert_array_equal(kept, whole.mask(theirs, Lane("ticket", 0))["fc1"]["kernel"])
        np.testing.assert_array_equal(ours.ticket(0).params["fc1"]["kernel"], np.where(kept, theta0, 0))


@pytest.mark.parametrize("schedule", ["at_init", "iterative"])
def test_the_reverse_of_a_ticket_has_the_lowest_scores_of_what_was_left(schedule):
    asked = at_init(0.2, criterion="magnitude") if schedule == "at_init" else with_prune(BASE, rounds=1)
    dense, last = find_tickets(replace(asked, trials=1, arms={"ticket": 1, "invert": 1}))
    trained = dense.lane(Lane("ticket", 0)).trained if schedule == "iterative" else dense.theta0[0]
    highest, lowest = (last.mask(Lane(arm, 0)) for arm in ("ticket", "invert"))
    assert masks.count(highest) == masks.count(lowest)
    for path, kernel in masks.kernels(trained).items():
        ours, theirs = masks.kernels(highest)[path], masks.kernels(lowest)[path]
        if schedule == "iterative":  # layer by layer
            ranked = np.sort(np.abs(kernel), axis=None)
            np.testing.assert_array_equal(theirs, np.abs(kernel) <= ranked[theirs.sum() - 1])
            assert np.abs(kernel)[ours].min() > ranked[kernel.size - ours.sum() - 1]


def test_the_reverse_can_be_had_in_a_later_turn_of_a_round_too():
    """What the round before left is forgotten once a part of this one has been trained."""

    @ARMS.register("z_invert")
    def z_invert(key, found, ticket, init):
        return ticket if found.reverse is None else ticket._replace(mask=found.reverse())

    asked = with_prune(BASE, rounds=1)
    asked = replace(asked, trials=1, arms={"ticket": 1, "invert": 1, "z_invert": 1}, compute=Compute(lanes=1))
    lanes = {part.lanes[0].arm: part for part in find_tickets(asked) if part.index == 1}
    masks_of = {arm: part.mask(part.lanes[0]) for arm, part in lanes.items()}
    chex.assert_trees_all_equal(masks_of["z_invert"], masks_of["invert"])
    ARMS.pop("z_invert")


def test_a_run_is_given_more_densities_and_trains_those_alone(whole, tmp_path):
    finish(at_init(0.2), tmp_path / "run")
    before = sorted(paths.curves(tmp_path / "run", 0, 0).parent.iterdir())
    stamps = [path.stat().st_mtime_ns for path in before]
    finish(whole.experiment, tmp_path / "run")
    assert [path.stat().st_mtime_ns for path in before] == stamps
    assert paths.summary(tmp_path / "run").read_bytes() == paths.summary(whole.folder).read_bytes()


def test_the_dense_network_need_not_be_trained(tmp_path, capsys, undrawn):
    arguments = (
        "--data.name digits --trials 1 --model.widths 8 6 --train.steps 6 --train.evaluate-every 3 "
        "--train.batch 30 --prune.rounds 1 --prune.schedule at_init --prune.schedule.densities 0.2 "
        "--prune.schedule.no-dense --arms.reinit 0 --arms.shuffle 1 --workdir"
    ).split()
    assert answer(capsys, "run", *arguments, str(tmp_path / "run"))[0] == 0
    summary = pd.read_csv(paths.summary(tmp_path / "run"))
    assert summary[["arm", "round"]].to_numpy().tolist() == [["shuffle", 1], ["ticket", 1]]
    assert answer(capsys, "report", str(tmp_path / "run"), "--to", str(tmp_path / "report"))[0] == 0


TOGETHER = [*zip(sorted(CRITERIA), cycle(sorted(DENSITIES)), repeat("layer")),
            *zip(sorted(CRITERIA), repeat("rates"), repeat("global"))]  # fmt: skip
"""Each criterion with some densities and both structures; test_pruning_properties.py has all together."""


@pytest.mark.parametrize(("criterion", "densities", "structure"), TOGETHER)
def test_every_criterion_goes_with_every_structure_and_densities(criterion, densities, structure):
    """Counts are checked by the run itself, of one step and no dense network."""
    asked = at_init(0.1, criterion=criterion, structure=structure, steps=2, dense=False)
    asked = with_train(with_prune(asked, densities=densities), steps=1, evaluate_every=1)
    (last,) = find_tickets(replace(asked, trials=1, arms={"ticket": 1}))
    kept = {path: int(np.sum(leaf)) for path, leaf in masks.kernels(last.mask(Lane("ticket", 0))).items()}
    assert sum(kept.values()) == round(0.1 * 1336)
    if densities == "balanced":
        assert sorted(kept.values()) == [44, 45, 45]
    if densities == "smart_ratio":  # 36 of the output's 120; 12 x 1,024 to 6 x 192 of the other 98
        assert list(kept.values()) == [90, 8, 36]
    if densities == "uniform":
        assert list(kept.values()) == [103, 19, 12]


def test_what_the_page_of_methods_shows_runs():
    page = (ROOT / "docs" / "methods.md").read_text()
    places: dict[str, object] = {}
    for language, code in steps(page):
        if language == "python":
            exec(code, places)
    asked = with_prune(
        replace(BASE, trials=1, arms={"ticket": 1}), rounds=1, criterion="taylor", densities="first_dense"
    )
    *_, last = find_tickets(asked)
    kept = {path: int(np.sum(leaf)) for path, leaf in masks.kernels(last.mask(Lane("ticket", 0))).items()}
    assert kept["fc1/kernel"] == 64 * 16 and sum(kept.values()) == 819 + 154 + 108
    CRITERIA.pop("taylor")
    DENSITIES.pop("first_dense")
