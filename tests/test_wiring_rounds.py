"""Nothing but what is asked for survives a round: each lane begins from its start and from nothing else."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from ltjax import Compute, Data, Experiment, Lane, Model, Prune, Rates, Train, find_tickets
from ltjax.core.keys import named_key
from ltjax.data import split
from ltjax.lanes.program import LaneProgram
from ltjax.models import make_network
from ltjax.sparsity import masks
from ltjax.training.step import LaneStart, Training, course_of

from .conftest import classifying, with_prune, with_train
from .witness import called

NORMED = Experiment(
    name="normed", trials=2, seed=3, arms={"ticket": 1, "continued": 1}, data=Data(validation=10),
    model=Model(name="normed", widths=(8,), dropout=0.3),
    train=Train(steps=4, batch=10, optimizer="momentum", learning_rate=0.05, evaluate_every=4,
                evaluate_batch=500),
    prune=Prune(rounds=2, rates=Rates(conv=0.2, fc=0.2, output=0.2)),
)  # fmt: skip
"""BatchNorm, dropout and momentum: all that a lane carries from step to step."""

FRESH = {"batch_stats": {"norm": {"mean": np.zeros(2, np.float32), "var": np.ones(2, np.float32)}}}


@pytest.fixture(scope="module")
def small(digits):
    return digits._replace(train_inputs=digits.train_inputs[:40], train_targets=digits.train_targets[:40])


@pytest.fixture(scope="module")
def found(small):
    with called():
        return list(find_tickets(NORMED, dataset=small))


@pytest.fixture(scope="module")
def alone(small):
    """A function that trains one lane from a start, in a program that trained nothing else."""
    splits = split(small, NORMED.data.validation, NORMED.seed)
    with called():
        network = make_network(NORMED.model, (8, 8, 1), 10)
        program = LaneProgram(
            Training(classifying(network), NORMED.train, 30), splits, NORMED.train, Compute(), 1
        )
        yield lambda start: program.run([start])


def bits(tree):
    return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(tree)]


@pytest.mark.parametrize("arm", ["ticket", "continued"])
@pytest.mark.parametrize("round", [1, 2])
def test_a_lane_of_a_later_round_is_one_trained_alone_from_its_params_and_mask(round, arm, found, alone):
    """``continued`` begins from the weights of the round before, and like all others from no statistics."""
    for trial in range(NORMED.trials):
        lane = Lane(arm, trial)
        params = {"ticket": found[round].theta0[trial],
                  "continued": found[round - 1].lane(Lane("ticket", trial)).trained}[arm]  # fmt: skip
        key = named_key(NORMED.seed, "train", trial, round, arm, 0)
        mask, trained, collections = found[round].lane(lane)
        by_itself = alone(LaneStart(masks.apply(mask, params), FRESH, mask, course_of(key)))
        assert bits(by_itself.params) == bits(trained)
        assert bits(by_itself.collections) == bits(collections) != bits(FRESH)
        rows = found[round].curves.query(f"arm == '{arm}' and trial == {trial}")
        for name, values in by_itself.history.loss.items():
            assert values[0].tolist() == rows[rows["split"] == name]["loss"].tolist()


def test_statistics_begin_afresh_in_every_lane_of_every_round_and_are_means_over_ten_batches(small):
    """One step over the whole training split, in evaluation: a tenth of the batch's, nine of 0 and 1."""
    once = replace(with_train(NORMED, steps=1, batch=30, evaluate_every=1), arms={"ticket": 1})
    images = split(small, NORMED.data.validation, NORMED.seed).train.values()
    with called():
        found = list(find_tickets(with_prune(once, rounds=1), dataset=small))
    for each in found:
        for lane in each.lanes:
            mask, _, collections = each.lane(lane)
            kernel = masks.apply(mask, each.theta0[lane.trial])["conv1"]["kernel"]
            units = jax.lax.conv_general_dilated(
                images, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
            )
            units = np.asarray(units).reshape(-1, 2)
            learned = collections["batch_stats"]["norm"]
            np.testing.assert_allclose(learned["mean"], 0.1 * units.mean(axis=0), rtol=1e-4, atol=1e-6)
            np.testing.assert_allclose(learned["var"], 0.9 + 0.1 * units.var(axis=0), rtol=1e-4)
