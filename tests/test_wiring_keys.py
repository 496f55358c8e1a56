"""Every part of an identity (trial, round, arm, repeat, step) changes its own draws and no others."""

from dataclasses import replace
from itertools import combinations

import jax
import numpy as np
import pytest

from ltjax import Lane
from ltjax.sparsity.schedules import OneShot

from .conftest import with_prune
from .witness import ARMS, BATCH, EPOCH, STEPS, TRAIN, VALIDATION, WITNESS, every, rounds, seen


@pytest.fixture(scope="module")
def found():
    """The witness's rounds, by round and lane."""
    return every(rounds())


def lanes(*arms):
    return [(round, Lane(arm, trial, repeat))
            for round in range(3) for arm in arms for trial in range(2) for repeat in range(2)]  # fmt: skip


def alike(one, two):
    """The share of the weights alive in both that are the same: params as they began, under their masks."""
    ours, theirs = one.trained["fc1"]["kernel"], two.trained["fc1"]["kernel"]
    both = one.mask["fc1"]["kernel"] & two.mask["fc1"]["kernel"]
    return (ours[both] == theirs[both]).mean()


def test_the_table_of_lanes_is_whole(found):
    assert set(found) == set(lanes(*ARMS))


def test_every_lane_of_every_round_sees_the_examples_in_an_order_of_its_own(found):
    """Trial, round, arm and repeat are each a part of the key of training."""
    orders = {seen(each, lane, "examples").tobytes() for (_, lane), each in found.items()}
    assert len(orders) == len(found)


def test_an_epoch_shows_no_example_twice_and_the_next_is_in_another_order(found):
    shown = set()
    for (_, lane), each in found.items():
        examples = seen(each, lane, "examples")
        assert examples.shape == (STEPS, BATCH)
        first, second = examples[:EPOCH].ravel(), examples[EPOCH : 2 * EPOCH].ravel()
        assert len(set(first)) == len(set(second)) == EPOCH * BATCH
        assert (first != second).any()
        shown |= set(examples.ravel())
    assert len(shown) == TRAIN and shown < set(range(TRAIN + VALIDATION))  # the others are held out


def test_what_a_network_carries_begins_afresh_in_every_round(found):
    """As BatchNorm's statistics do: here it is a count of the steps of training."""
    assert {int(seen(each, lane, "steps")) for (_, lane), each in found.items()} == {STEPS}


@pytest.mark.parametrize("what", ["dropout", "crops"])
def test_dropout_and_augmentation_are_drawn_anew_in_every_step_of_every_lane(what, found):
    drawn = [step.tobytes() for (_, lane), each in found.items() for step in seen(each, lane, what)]
    assert len(drawn) == len(found) * STEPS
    assert len(set(drawn)) == len(drawn)


@pytest.mark.parametrize("arm", ["reinit", "random", "noise"])
def test_an_arm_draws_other_params_in_every_trial_round_and_repeat(arm, found):
    outcomes = [found[at].lane(at[1]) for at in lanes(arm)]
    assert max(alike(one, two) for one, two in combinations(outcomes, 2)) == 0


def test_one_arm_under_two_names_draws_twice(found):
    for round, lane in lanes("reinit"):
        again = Lane("again", *lane[1:])
        assert alike(found[round, lane].lane(lane), found[round, again].lane(again)) == 0


@pytest.mark.parametrize("arm", ["random", "shuffle"])
def test_an_arm_draws_another_mask_in_every_trial_round_and_repeat(arm, found):
    """The masks of two rounds differ in density; of one draw the sparser would lie within the denser."""
    masks = {at: found[at].mask(at[1])["fc1"]["kernel"] for at in lanes(arm) if at[0] > 0}
    for (one, ours), (two, theirs) in combinations(masks.items(), 2):
        assert (ours & ~theirs).any() and (theirs & ~ours).any(), (one, two)


def test_theta0_is_drawn_by_trial_alone(found):
    outcomes = {(round, lane): each.lane(lane) for (round, lane), each in found.items()}
    for at in lanes("ticket"):
        one, two = outcomes[at], outcomes[0, Lane("ticket", at[1].trial)]
        assert alike(one, two) == 1
        assert alike(one, outcomes[0, Lane("ticket", 1 - at[1].trial)]) == 0


def test_blind_pruning_draws_anew_in_every_trial_and_round():
    """One-shot rounds each prune the dense network; else the larger round would contain the smaller."""
    prune = replace(WITNESS.prune, rounds=3, criterion="random", schedule=OneShot((0.3, 0.4, 0.5)))
    found = rounds(replace(WITNESS, prune=prune, arms={"ticket": 1}))[1:]
    pruned = {(each.index, trial): ~each.mask(Lane("ticket", trial))["fc1"]["kernel"]
              for each in found for trial in range(2)}  # fmt: skip
    for one, two in combinations(pruned.values(), 2):
        assert (one & ~two).any() and (two & ~one).any()


def test_what_is_trained_beside_a_lane_changes_none_of_its_draws(found):
    """Fewer trials, arms, repeats and rounds."""
    alone = rounds(with_prune(replace(WITNESS, trials=1, arms={"ticket": 1, "noise": 1}), rounds=1))
    assert [each.lanes for each in alone] == 2 * [(Lane("noise", 0), Lane("ticket", 0))]
    for each in alone:
        for lane in each.lanes:
            ours, theirs = each.lane(lane), found[each.index, lane].lane(lane)
            assert all(map(np.array_equal, jax.tree.leaves(ours), jax.tree.leaves(theirs)))


def test_another_seed_changes_every_draw(found):
    [each] = rounds(with_prune(replace(WITNESS, trials=1, arms={"ticket": 1, "reinit": 1}, seed=6), rounds=0))
    for lane in each.lanes:
        before = found[0, lane]
        for what in ("examples", "crops", "dropout"):
            assert (seen(each, lane, what) != seen(before, lane, what)).any()
        assert alike(each.lane(lane), before.lane(lane)) == 0
