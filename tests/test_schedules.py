"""Schedules: whose weights decide a round's mask: iterative, one-shot, continued, before any training."""

from dataclasses import replace
from itertools import pairwise

import chex
import numpy as np
import pytest

from ltjax.core.types import Lane
from ltjax.lottery.loop import find_tickets
from ltjax.lottery.rewinding import rewind
from ltjax.lottery.search import lanes_of
from ltjax.settings.schema import Prune
from ltjax.sparsity import counts, schedules
from ltjax.sparsity.schedules import SCHEDULES, AtInit, OneShot

from .conftest import TINY, by_name, finish, with_prune

ONE_TRIAL = replace(TINY, trials=1, arms={"ticket": 1})
SIZES = {"fc1": 64 * 16, "fc2": 16 * 12, "output": 12 * 10}


@pytest.mark.parametrize(
    ("schedule", "round", "arm", "before", "fc", "output"),
    [
        ("iterative", 1, "ticket", 0, 0.2, 0.1),
        ("iterative", 7, "ticket", 6, 0.2, 0.1),
        ("continued", 7, "continued", 6, 0.2, 0.1),
        ("oneshot", 1, "ticket", 0, 0.05, 0.025),
        ("oneshot", 2, "ticket", 0, 0.95, 0.475),
    ],
)
def test_what_a_round_is_pruned_from_and_by_how_much(schedule, round, arm, before, fc, output):
    prune = Prune(schedule=OneShot((0.05, 0.95)) if schedule == "oneshot" else schedule)
    step = schedules.step_of(prune, round)
    assert (step.arm, step.before) == (arm, before)
    assert (step.rates.fc, step.rates.output) == (fc, output)


def test_every_schedule_looks_back_only():
    for schedule in (
        *SCHEDULES.keys() - {"oneshot", "at_init"},
        OneShot((0.1, 0.2, 0.3)),
        AtInit((0.5, 0.3, 0.1)),
    ):
        prune = Prune(rounds=3, schedule=schedule)
        assert all(0 <= schedules.step_of(prune, round).before < round for round in (1, 2, 3))


def lowest_dropped(weights, alive, rate):
    """Independent of the product's code: the survivors but the lowest ``rate`` of them, ties by index."""
    ranked = sorted((abs(w), i) for i, w in enumerate(weights.ravel()) if alive.ravel()[i])
    kept = alive.ravel().copy()
    kept[[i for _, i in ranked[: round(rate * len(ranked))]]] = False
    return kept.reshape(alive.shape)


def assert_pruned(mask, weights, alive, fc, output):
    for layer, rate in (("fc1", fc), ("fc2", fc), ("output", output)):
        expected = lowest_dropped(weights[layer]["kernel"], alive[layer]["kernel"], rate)
        np.testing.assert_array_equal(mask[layer]["kernel"], expected)


def test_oneshot_scores_every_fraction_on_the_dense_trained_network():
    experiment = with_prune(ONE_TRIAL, schedule=OneShot((0.5, 0.25)), rounds=2)
    dense, half, quarter = find_tickets(experiment)
    lane = Lane("ticket", 0)
    for found, fraction in ((half, 0.5), (quarter, 0.25)):
        trained, alive = dense.lane(lane).trained, dense.lane(lane).mask
        assert_pruned(found.lane(lane).mask, trained, alive, fraction, fraction / 2)
        assert found.summary["weights_remaining"].item() == sum(
            size - round((fraction / 2 if layer == "output" else fraction) * size)
            for layer, size in SIZES.items()
        )


def test_a_oneshot_run_grows_by_more_fractions_and_rounds(tmp_path):
    first = with_prune(ONE_TRIAL, schedule=OneShot((0.5,)), rounds=1)
    more = with_prune(first, schedule=OneShot((0.5, 0.25)), rounds=2)
    finish(first, tmp_path)
    run = finish(more, tmp_path)
    assert run.experiment == more
    whole = list(find_tickets(more))
    for found in whole:
        chex.assert_trees_all_equal(
            run.outcome(found.index, Lane("ticket", 0))._asdict(), found.lane(Lane("ticket", 0))._asdict()
        )


def test_continued_training_prunes_what_it_trains_on_and_rewinds_only_to_measure():
    experiment = with_prune(replace(ONE_TRIAL, arms={"ticket": 1, "continued": 1}), schedule="continued")
    rounds = list(find_tickets(experiment))
    ticket, continued = Lane("ticket", 0), Lane("continued", 0)
    for before, after in pairwise(rounds):
        trained, mask = before.lane(continued).trained, after.lane(continued).mask
        assert_pruned(mask, trained, before.lane(continued).mask, 0.2, 0.1)
        chex.assert_trees_all_equal(after.lane(ticket).mask, mask)
        # the ticket starts from θ₀; what is continued, from the weights that training left
        rewound, carried = rewind(after.theta0[0], mask), rewind(trained, mask)
        for lane, start, other in ((ticket, rewound, carried), (continued, carried, rewound)):
            accuracy = after.summary.query(f"arm == '{lane.arm}'")["initial_test_accuracy"].item()
            assert accuracy == measured(start) != measured(other)


def measured(params):
    from ltjax.data import DATASETS

    digits = DATASETS["digits"].load(TINY.data)
    units = digits.test_inputs.reshape(360, -1) / 255.0
    for name in ("fc1", "fc2", "output"):
        units = units @ np.asarray(params[name]["kernel"], float) + np.asarray(params[name]["bias"], float)
        units = units if name == "output" else np.maximum(units, 0)
    return float((units.argmax(axis=1) == digits.test_targets).mean())


def test_pruning_at_step_0_is_decided_by_theta0_alone():
    experiment = with_prune(ONE_TRIAL, criterion="initial")
    rounds, lane = list(find_tickets(experiment)), Lane("ticket", 0)
    for before, after in pairwise(rounds):
        assert_pruned(after.lane(lane).mask, before.theta0[0], before.lane(lane).mask, 0.2, 0.1)


def test_the_sizes_of_every_schedule_are_known_without_training(finished):
    theta0 = finished.theta0(0)
    for prune in (Prune(rounds=2), Prune(rounds=2, schedule=OneShot((0.5, 0.25)))):
        experiment = replace(ONE_TRIAL, prune=prune)
        found = [each.summary["weights_remaining"].item() for each in find_tickets(experiment)]
        assert counts.surviving(theta0, prune, by_name(theta0)) == found


def test_controls_are_trained_in_their_rounds_alone_and_tickets_in_all():
    experiment = replace(TINY, trials=1, arms={"ticket": 1, "reinit": 2}, control_rounds=(2,))
    assert [len(lanes_of(experiment, round)) for round in range(4)] == [1, 1, 3, 0]
    assert [found.lanes for found in find_tickets(experiment)][1:] == [
        (Lane("ticket", 0),), (Lane("reinit", 0, 0), Lane("reinit", 0, 1), Lane("ticket", 0)),
    ]  # fmt: skip
    continued = with_prune(replace(experiment, arms={"ticket": 1, "continued": 1}), schedule="continued")
    assert lanes_of(continued, 1) == [Lane("continued", 0), Lane("ticket", 0)]
