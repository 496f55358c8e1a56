"""The round loop on a finished run: every mask recomputed by NumPy, every key by name."""

import itertools
from dataclasses import replace

import chex
import jax
import numpy as np
import pytest

import ltjax
from ltjax.core.keys import named_key
from ltjax.core.types import Lane
from ltjax.lottery.loop import find_tickets
from ltjax.lottery.search import lanes_of
from ltjax.sparsity import masks

from .conftest import TINY, with_prune, with_train


def test_every_mask_is_what_numpy_makes_of_the_checkpoints(finished):
    """Independent of the product's code: per layer, rank survivors by (|w|, index) and drop the lowest.

    So no layer is pruned twice or never, and round n is not pruned by p^(1/n).
    """
    for trial in range(2):
        for index in range(2):
            before = finished.outcome(index, Lane("ticket", trial))
            after = finished.outcome(index + 1, Lane("ticket", trial))
            for layer, rate in (("fc1", 0.2), ("fc2", 0.2), ("output", 0.1)):
                alive = before.mask[layer]["kernel"].ravel()
                weights = np.abs(before.trained[layer]["kernel"].ravel())
                ranked = sorted((weights[i], i) for i in range(len(weights)) if alive[i])
                expected = alive.copy()
                expected[[i for _, i in ranked[: round(rate * len(ranked))]]] = False
                np.testing.assert_array_equal(after.mask[layer]["kernel"].ravel(), expected)
                assert after.mask[layer]["bias"].all()


def test_trained_params_keep_to_their_masks(finished):
    for index in range(3):
        for lane in finished.lanes(index):
            outcome = finished.outcome(index, lane)
            for path, kernel in masks.kernels(outcome.trained).items():
                assert (kernel[~masks.kernels(outcome.mask)[path]] == 0.0).all()


def test_a_ticket_starts_from_theta0_and_a_reinit_wears_its_mask(finished):
    for trial in range(2):
        theta0 = finished.theta0(trial)
        for index in range(3):
            ticket = ltjax.load_ticket(finished.folder, trial=trial, round=index)
            for path, kernel in masks.kernels(ticket.params).items():
                mask, original = masks.kernels(ticket.mask)[path], masks.kernels(theta0)[path]
                np.testing.assert_array_equal(kernel, np.where(mask, original, 0))
            chex.assert_trees_all_equal(finished.outcome(index, Lane("reinit", trial)).mask, ticket.mask)


def test_what_a_ticket_is_measured_at_before_training_is_theta0_under_its_mask(finished):
    """So its lane began there, and not where the round before ended; and a reinit began elsewhere."""
    lanes = list(itertools.product(range(2), range(3)))
    tickets = [ltjax.load_ticket(finished.folder, trial=trial, round=index) for trial, index in lanes]
    alone = [ltjax.evaluate(ticket.params, TINY, "test").accuracy for ticket in tickets]
    rows = finished.summary().set_index(["arm", "trial", "round"])["initial_test_accuracy"]
    assert [rows["ticket", *lane] for lane in lanes] == pytest.approx(alone, abs=1e-6)
    assert [rows["reinit", *lane] for lane in lanes] != pytest.approx(alone, abs=1e-6)


def test_trials_begin_from_different_weights_and_the_seed_alone_decides_them(finished):
    kernels = [finished.theta0(trial)["fc1"]["kernel"] for trial in range(2)]
    assert (kernels[0] != kernels[1]).all()
    first = next(iter(find_tickets(with_prune(replace(TINY, trials=1, arms={"ticket": 1}), rounds=0))))
    chex.assert_trees_all_equal(first.theta0[0], finished.theta0(0))


def test_another_arm_or_trial_changes_no_other_lanes_numbers(finished):
    """The ticket lanes of the run, whose rounds had four lanes, equal those of a run of tickets alone."""
    alone = replace(TINY, trials=1, arms={"ticket": 1})
    for found in find_tickets(alone):
        chex.assert_trees_all_equal(
            found.lane(Lane("ticket", 0))._asdict(),
            finished.outcome(found.index, Lane("ticket", 0))._asdict(),
        )
        row = finished.summary().query(f"arm == 'ticket' and trial == 0 and round == {found.index}")
        assert row.to_dict("records") == found.summary.to_dict("records")


def test_other_seeds_give_other_numbers():
    one, two = (
        next(iter(find_tickets(replace(TINY, trials=1, arms={"ticket": 1}, seed=seed)))) for seed in (0, 1)
    )
    assert (one.trained["fc1"]["kernel"] != two.trained["fc1"]["kernel"]).any()


def test_find_tickets_yields_tables_masks_and_tickets():
    experiment = with_prune(replace(TINY, trials=1, arms={"ticket": 1}), rounds=1)
    rounds = list(find_tickets(experiment))
    assert [found.index for found in rounds] == [0, 1]
    found = rounds[1]
    assert found.lanes == (Lane("ticket", 0),)
    chex.assert_shape(found.masks["fc1"]["kernel"], (1, 64, 16))
    ticket = found.ticket(0)
    assert masks.count(ticket.mask) == (64 * 16 + 16 * 12 + 120 - 205 - 38 - 12, 64 * 16 + 16 * 12 + 120)
    assert set(found.curves["step"]) == {0, 20, 40}
    assert len(found.summary) == 1


def test_global_scope_and_random_scores_prune_as_much(digits):
    """The settings that share no code path with the default still remove the exact count."""
    chosen = with_prune(
        replace(TINY, trials=1, arms={"ticket": 1}),
        rounds=1, structure="global", criterion="random", rates=ltjax.Rates(fc=0.2, output=0.2),
    )  # fmt: skip
    found = list(find_tickets(chosen))[-1]
    total = 64 * 16 + 16 * 12 + 120
    assert found.summary["weights_remaining"].item() == total - round(0.2 * total)


def test_a_users_own_data_can_be_passed(digits):
    """Of any size and shape, under any name."""
    half = digits._replace(
        train_inputs=digits.train_inputs[:300, :6], train_targets=digits.train_targets[:300],
        test_inputs=digits.test_inputs[:, :6],
    )  # fmt: skip
    experiment = with_prune(replace(TINY, trials=1, arms={"ticket": 1}), rounds=0)
    experiment = replace(experiment, data=replace(TINY.data, name="mine"))
    (found,) = find_tickets(experiment, dataset=half)
    chex.assert_shape(found.masks["fc1"]["kernel"], (1, 6 * 8, 16))
    (row,) = found.summary.to_dict("records")
    told = ltjax.evaluate(found.lane(Lane("ticket", 0)).trained, experiment, "test", dataset=half)
    assert row["final_test_accuracy"] == pytest.approx(told.accuracy, abs=1e-6)
    too_large = with_train(experiment, batch=201)
    with pytest.raises(ltjax.UserError, match=r"train\.batch must be at most 200"):
        find_tickets(too_large, dataset=half)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"train_inputs": np.zeros((1437, 8, 8, 1))},
            r"differ in shape or dtype: float64 \[8, 8, 1\] an example and uint8 \[8, 8, 1\] an example",
        ),
        (
            {"test_inputs": np.zeros((360, 8, 8), np.uint8)},
            r"uint8 \[8, 8, 1\] an example and uint8 \[8, 8\]",
        ),
        ({"test_targets": np.zeros(5, int)}, "test_targets must be one for each of 360 examples"),
        ({"train_targets": np.full(1437, 10)}, "train_targets must be whole numbers from 0 to 9"),
        ({"train_targets": np.zeros(1437)}, r"train_targets and test_targets differ in shape or dtype"),
        (
            {"test_inputs": np.zeros((360, 9, 9, 1), np.uint8)},
            r"8, 1\] an example and uint8 \[9, 9, 1\]",
        ),
    ],
)
def test_a_users_own_data_are_checked(changes, message, digits):
    with pytest.raises(ltjax.UserError, match=message):
        find_tickets(TINY, dataset=digits._replace(**changes))


def test_lanes_of_an_experiment():
    experiment = replace(TINY, arms={"ticket": 1, "reinit": 2})
    assert lanes_of(experiment, 1) == [
        Lane("reinit", 0, 0), Lane("reinit", 0, 1), Lane("reinit", 1, 0), Lane("reinit", 1, 1),
        Lane("ticket", 0, 0), Lane("ticket", 1, 0),
    ]  # fmt: skip


def test_keys_are_told_apart_by_every_part_and_its_place():
    names = [
        (),
        ("init",),
        ("init", 0),
        ("init", 1),
        ("train", 0),
        (0, "init"),
        ("init", 0, 1),
        ("init", 1, 0),
        ("init", "0"),
        ("in", "it"),
        ("tini",),
    ]
    keys = {jax.random.key_data(named_key(0, *name)).tobytes() for name in names}
    keys.add(jax.random.key_data(named_key(1)).tobytes())
    assert len(keys) == len(names) + 1


def test_a_name_has_the_same_key_in_every_process_and_version():
    """So that a run is continued by its own numbers: Python's hash of a text changes with every process."""
    assert jax.random.key_data(named_key(3, "train", 0, 2, "reinit", 1)).tolist() == [3758453717, 4166765870]
