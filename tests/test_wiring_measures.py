"""What curves are divided by, on a network whose loss and answers are known example by example."""

from dataclasses import replace

import numpy as np
import pytest

from ltjax import Lane
from ltjax.data import split

from .conftest import with_prune, with_train
from .witness import (
    BATCH,
    DATASET,
    NUMBERS,
    STEPS,
    TEST,
    TRAIN,
    VALIDATION,
    WITNESS,
    answers,
    losses,
    rounds,
    seen,
)

SMALL = with_prune(replace(WITNESS, arms={"ticket": 1}), rounds=1)
"""Intervals of three steps, three and one; evaluations in batches of two; the test split has five."""


def numbers_of(name: str) -> np.ndarray:
    """The numbers of a split's examples."""
    examples = getattr(split(DATASET, VALIDATION, WITNESS.seed), name)
    return np.asarray(examples.inputs)[:, 0, 0, 0].astype(int)


def curve(found, lane, name):
    """A lane's steps, losses and accuracies on a split."""
    rows = found.curves.query(f"arm == '{lane.arm}' and trial == {lane.trial} and split == '{name}'")
    return rows["step"].tolist(), rows["loss"].to_numpy(), rows["accuracy"].to_numpy()


def lanes(found):
    return [(each, lane) for each in found for lane in each.lanes]


@pytest.fixture(scope="module")
def found():
    return rounds(SMALL)


def test_the_running_train_curve_is_the_mean_over_the_examples_since_the_last_evaluation(found):
    """Also in the last interval, which is shorter; at step 0 there are none, and it is the whole split's."""
    for each, lane in lanes(found):
        steps, loss, accuracy = curve(each, lane, "train")
        assert steps == [0, 3, 6, 7]
        shown = seen(each, lane, "examples")
        parts = [numbers_of("train"), shown[0:3].ravel(), shown[3:6].ravel(), shown[6:7].ravel()]
        np.testing.assert_allclose(loss, [losses(part).mean() for part in parts], rtol=1e-5)
        assert accuracy.tolist() == [(answers(part) == 0).mean() for part in parts]


def test_held_out_data_are_measured_by_the_whole_split_at_every_evaluation(found):
    for each, lane in lanes(found):
        for name, size in (("validation", VALIDATION), ("test", TEST)):
            numbers = numbers_of(name)
            assert len(numbers) == size
            steps, loss, accuracy = curve(each, lane, name)
            assert steps == [0, 3, 6, 7]
            np.testing.assert_allclose(loss, np.full(4, losses(numbers).mean()), rtol=1e-5)
            assert accuracy.tolist() == [(answers(numbers) == 0).mean()] * 4


def test_the_splits_are_the_data_sets_and_apart():
    train, validation, test = (set(numbers_of(name)) for name in ("train", "validation", "test"))
    assert not train & validation and train | validation == set(NUMBERS["train"])
    assert test == set(NUMBERS["test"]) and len(train) == TRAIN


def test_the_summary_is_of_its_own_splits_and_its_final_train_accuracy_of_the_whole_split(found):
    share = {name: (answers(numbers_of(name)) == 0).mean() for name in ("train", "validation", "test")}
    assert len(set(share.values())) == 3
    for each in found:
        assert (each.summary["final_train_accuracy"] == share["train"]).all()
        for column in ("initial", "early_stop", "final"):
            assert (each.summary[f"{column}_test_accuracy"] == share["test"]).all()
        expected = losses(numbers_of("validation")).mean()
        np.testing.assert_allclose(each.summary["early_stop_validation_loss"], expected, rtol=1e-5)


def test_an_exact_train_curve_is_of_the_whole_split_at_every_evaluation():
    """With batches of evaluation larger than the splits."""
    exact = with_train(SMALL, train_curve="exact", evaluate_every=STEPS, evaluate_batch=50)
    [each] = rounds(with_prune(exact, rounds=0))
    numbers = numbers_of("train")
    for lane in each.lanes:
        steps, loss, accuracy = curve(each, lane, "train")
        assert steps == [0, STEPS]
        np.testing.assert_allclose(loss, [losses(numbers).mean()] * 2, rtol=1e-5)
        assert accuracy.tolist() == [(answers(numbers) == 0).mean()] * 2
        # which the last minibatches alone would not say
        assert (answers(seen(each, lane, "examples").ravel()) == 0).mean() != accuracy[-1]


def test_the_observer_is_told_of_what_the_curves_hold(found):
    told = []
    rounds(SMALL, observe=lambda round, part, step, accuracies: told.append((round, part, step, accuracies)))
    assert [(round, step) for round, _, step, _ in told] == [(r, s) for r in (0, 1) for s in (0, 3, 6, 7)]
    for round, part, step, accuracies in told:
        for at, (point, lane) in enumerate(part):
            assert point == ""
            for name, values in accuracies.items():
                steps, _, accuracy = curve(found[round], lane, name)
                assert values[at] == accuracy[steps.index(step)]


def test_the_witness_can_tell(found):
    """No two of the numbers that the tests above set apart are the same by chance."""
    lane = Lane("ticket", 0)
    shown = seen(found[0], lane, "examples")
    assert shown.shape == (STEPS, BATCH)
    means = [losses(part).mean() for part in (shown[:3], shown[3:6], shown[6:], numbers_of("train"))]
    assert len({round(float(each), 4) for each in means}) == 4
