"""Rewindings: the tickets that they make, where lanes then start, and sweeps over them."""

from collections import Counter
from dataclasses import dataclass, replace
from types import SimpleNamespace

import chex
import jax
import numpy as np
import pandas as pd
import pytest

import ltjax
from ltjax.core.choices import Choice
from ltjax.core.found import Found
from ltjax.core.safetensors import load_tensors
from ltjax.core.types import Lane, Start
from ltjax.export.csr import from_sparse
from ltjax.export.files import export
from ltjax.lanes.program import LaneProgram
from ltjax.lottery.loop import find_tickets
from ltjax.lottery.resolving import resolve
from ltjax.lottery.rewinding import FineTune, FreezeInit, LearningRate, Step, captures_of, in_steps, original
from ltjax.runs.folder import Run

from .conftest import TINY, finish, with_prune, with_train

THETA0, DENSE, TRAINED = (Start({"k": np.full(2, value, np.float32)}, {"mean": np.float32(value)})
                          for value in (0, 5, 9))  # fmt: skip
MASK = {"k": np.array([True, False])}


def found(left=TRAINED):
    return Found(THETA0, MASK, jax.random.key(0), 1, steps=100, starts={0: THETA0, 25: DENSE}, left=left)


@pytest.mark.parametrize(
    ("rewinding", "start", "step", "hold"),
    [
        (original, THETA0, 0, False),
        (Step(0), THETA0, 0, False),
        (Step(25), DENSE, 25, False),
        (in_steps(Step("2.5ep"), 10), DENSE, 25, False),
        (LearningRate(), TRAINED, 0, False),
        (LearningRate(30), TRAINED, 70, False),
        (in_steps(LearningRate("3ep"), 10), TRAINED, 70, False),
        (FineTune(), TRAINED, 0, True),
        (FineTune(30), TRAINED, 70, True),
    ],
)
def test_the_ticket_that_a_rewinding_makes(rewinding, start, step, hold):
    ticket = rewinding(found())
    assert (ticket.params, ticket.state, ticket.mask) == (*start, MASK)
    assert (ticket.step, ticket.hold, ticket.rate, ticket.pruned) == (step, hold, None, None)


@pytest.mark.parametrize("rewinding", [LearningRate(30), FineTune(30)])
def test_before_anything_was_trained_what_goes_on_from_trained_weights_begins_at_theta0(rewinding):
    assert rewinding(found(left=None)) == original(found(left=None))


def test_theta0_need_not_be_kept_on_the_way():
    assert list(captures_of(Step(25), 100)) == [25]
    assert not captures_of(Step(0), 100) and not captures_of(original, 100)


LATE = replace(
    with_prune(with_train(TINY, optimizer=Choice("optimizer", "sgd"), learning_rate=0.1), rewind=Step(15)),
    trials=1,
    arms={"ticket": 2, "reinit": 1, "random": 1, "shuffle": 1, "noise": 1},
)  # fmt: skip


@pytest.fixture(scope="module")
def late(tmp_path_factory):
    return finish(with_prune(LATE, rounds=1), tmp_path_factory.mktemp("late") / "run")


def first_steps(run: Run) -> dict[tuple[int, str, int], int]:
    curves = pd.read_parquet(run.folder / "curves")
    return curves.groupby(["round", "arm", "repeat"])["step"].min().to_dict()


def test_where_lanes_start(late):
    """The dense network at 0, and what is rewound at step k: in round 0 too, from what it leaves there."""
    starts = first_steps(late)
    assert starts[0, "ticket", 0] == 0
    for round, arm, repeat in set(starts) - {(0, "ticket", 0)}:
        assert starts[round, arm, repeat] == (0 if arm in ("reinit", "random") else 15), (round, arm)


def test_curves_are_on_the_absolute_axis_and_end_with_the_training(late):
    curves = pd.read_parquet(late.folder / "curves")
    for (_, arm, _), rows in curves.groupby(["round", "arm", "repeat"]):
        steps = rows[rows["split"] == "test"]["step"].tolist()
        assert steps == ([0, 20, 40] if steps[0] == 0 else [15, 20, 40]), arm
    stops = late.summary()["early_stop_step"]
    assert set(stops) <= {0, 15, 20, 40}


def test_a_rewound_ticket_is_the_dense_network_of_that_step_under_the_mask(late):
    ticket, dense = ltjax.load_ticket(late.folder, trial=0, round=1), late.starts(0)[15]
    assert ticket.step == 15
    kernel, mask = ticket.params["fc1"]["kernel"], ticket.mask["fc1"]["kernel"]
    np.testing.assert_array_equal(kernel[mask], dense.params["fc1"]["kernel"][mask])
    assert (kernel[~mask] == 0).all() and not mask.all()


def test_dense_networks_of_one_trial_from_step_k_end_at_the_dense_ones_bits_with_its_draws(late):
    """Round 0's second ticket goes on from step 15 by draws of its own, so it ends elsewhere."""
    dense, again = (late.outcome(0, Lane("ticket", 0, repeat)).trained for repeat in (0, 1))
    assert not np.array_equal(dense["fc1"]["kernel"], again["fc1"]["kernel"])
    whole = finish_with(replace(LATE, train=replace(LATE.train, repeat=())))
    dense, again = (whole[0].lane(Lane("ticket", 0, repeat)).trained for repeat in (0, 1))
    chex.assert_trees_all_equal(dense, again)


def finish_with(experiment, rounds=0):
    """The rounds of an experiment: parts of one round joined by lane."""
    parts = list(find_tickets(with_prune(experiment, rounds=rounds)))

    class Joined:
        def __init__(self, index):
            self.parts = [part for part in parts if part.index == index]

        def lane(self, lane):
            return next(part for part in self.parts if lane in part.lanes).lane(lane)

    return [Joined(index) for index in range(rounds + 1)]


def test_learning_rate_rewinding_in_whole_is_what_continued_trains():
    """The same params, masks and step; their keys are their arms'."""
    rewound = with_prune(replace(LATE, arms={"ticket": 1, "continued": 1}), rewind=LearningRate(), rounds=1)
    parts = list(find_tickets(rewound))
    (last,) = [part for part in parts if part.index == 1]
    ticket = last.rewound[0]
    chex.assert_trees_all_equal(ticket.params, parts[0].lane(Lane("ticket", 0)).trained)
    assert ticket.step == 0 and first_of(last.curves, "ticket") == first_of(last.curves, "continued") == 0


def first_of(curves, arm):
    return curves[curves["arm"] == arm]["step"].min()


def test_fine_tuning_trains_by_the_schedules_last_rate():
    """One step of SGD: the change is the rate times the gradient, so rates are as changes are."""
    warm = with_train(LATE, steps=40, schedule=Choice("rate schedule", "linear"))
    plain = with_train(LATE, steps=40, schedule=Choice("rate schedule", "constant"))
    changes = {}
    for name, experiment in (("linear", warm), ("constant", plain)):
        own = replace(with_prune(experiment, rewind=FineTune(1), rounds=1), arms={"ticket": 1})
        last = list(find_tickets(own))[-1]
        after, ticket = last.lane(Lane("ticket", 0)).trained, last.rewound[0]
        kernel = np.where(ticket.mask["fc1"]["kernel"], ticket.params["fc1"]["kernel"], 0)
        changes[name] = np.abs(after["fc1"]["kernel"] - kernel).max()
    # a linear schedule ends at a fortieth of its rate
    assert 0 < changes["linear"] < 0.1 * changes["constant"]


K = (0, 15, 25)


def test_a_sweep_trains_the_dense_network_once_and_its_points_are_runs_of_their_own(monkeypatch):
    own = replace(with_prune(LATE, rewind=Step(0), rounds=1), arms={"ticket": 1})
    swept = replace(own, sweep={"prune.rewind.k": K})
    trained = Counter()
    run = LaneProgram.run

    def counting(self, starts, observe=None, snapshots=None, first=0, captures=()):
        trained[first] += len(starts)
        return run(self, starts, observe, snapshots, first, captures)

    monkeypatch.setattr(LaneProgram, "run", counting)
    points = {(each.point, each.index): each for each in find_tickets(swept)}
    assert trained == {0: 2, 15: 1, 25: 1}, "the dense network once, and round 1 of each k"
    assert {name for name, _ in points} == {f"k={k}" for k in K}
    alone = list(find_tickets(with_prune(own, rewind=Step(15))))
    for index, part in enumerate(alone):
        pd.testing.assert_frame_equal(part.summary, points["k=15", index].summary)


def test_how_many_steps_are_trained_is_known_before(tmp_path):
    resolved = resolve(with_prune(LATE, rounds=1))
    assert resolved.step("", 0, Lane("ticket", 0)) == 0 and resolved.step("", 0, Lane("ticket", 0, 1)) == 15
    assert resolved.step("", 1, Lane("reinit", 0)) == 0 and resolved.step("", 1, Lane("noise", 0)) == 15


@dataclass(frozen=True)
class Halfway:
    """A user's own: half of the dense network's weights of a step, kept so."""

    at: int = 10

    def captures(self, steps):
        return {self.at: lambda start: start._replace(params=jax.tree.map(lambda w: w / 2, start.params))}

    def __call__(self, found):
        start = found.starts[self.at]
        return ltjax.Ticket(start.params, found.mask, start.state, step=self.at)


def test_a_capture_may_be_a_function_of_the_dense_network(tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ltjax.REWINDINGS, "halfway", Halfway)
        own = replace(with_prune(LATE, rewind=Halfway(15), rounds=1), arms={"ticket": 1})
        run = finish(own, tmp_path / "run")
        whole = finish(with_prune(own, rewind=Step(15)), tmp_path / "whole")
        half = jax.tree.map(lambda leaf: leaf / 2, whole.starts(0)[15].params)
        chex.assert_trees_all_equal(run.starts(0)[15].params, half)


def test_a_round_like_the_one_before_compiles_nothing(monkeypatch):
    """Nor traces anything: programs are kept by what they are of, and the length of an interval."""
    made, program = [], LaneProgram._program

    def counting(self, name, *arguments, **static):
        before = len(self.compiled)
        found = program(self, name, *arguments, **static)
        made.extend([name] * (len(self.compiled) - before))
        return found

    monkeypatch.setattr(LaneProgram, "_program", counting)
    # evaluated as in no other test, since these share their programs
    own = with_train(replace(LATE, arms={"ticket": 1, "reinit": 1}), evaluate_batch=90)
    parts = iter(find_tickets(with_prune(own, rounds=3)))
    compiled = Counter()
    for part in parts:
        compiled[part.index] += len(made)
        made.clear()
    assert compiled[0] and not compiled[2] and not compiled[3], compiled


WI = np.array([1.0, -2.0, 3.0, -4.0, 5.0, -6.0], np.float32)
WF = np.array([2.0, -1.0, 3.0, 0.0, -9.0, 0.1], np.float32)
"""Grown, shrunk, frozen by an earlier round, zeroed by an earlier round, and two that are kept."""
KEPT = np.array([False, False, False, False, True, True])


@pytest.mark.parametrize(
    ("rewinding", "params", "pruned"),
    [
        (FreezeInit(), WI, [1, -2, 3, -4]),
        (FreezeInit("shrunk"), WI, [1, 0, 3, 0]),
        (FreezeInit("shrunk", "reversed"), WI, [0, -2, 3, 0]),
        (FreezeInit("all"), [*WI[:4], 5, 0], [1, 0, 3, 0]),
        (FreezeInit("all", "reversed"), [*WI[:4], 0, -6], [0, -2, 3, 0]),
    ],
)
def test_pruned_weights_stay_at_theta0_or_at_0_and_what_was_decided_stays(rewinding, params, pruned):
    layers = ({"kernel": leaf} for leaf in (WI, WF, KEPT))
    first, last, mask = ({"layer": each} for each in layers)
    task = SimpleNamespace(kinds={"layer/kernel": "fc"})
    known = Found(Start(first, {}), mask, jax.random.key(0), 2, 100, {}, Start(last, {}), task)
    ticket = rewinding(known)
    np.testing.assert_array_equal(ticket.params["layer"]["kernel"][KEPT], np.array(params)[KEPT])
    np.testing.assert_array_equal(ticket.pruned["layer"]["kernel"][~KEPT], pruned)
    shuffled = replace(rewinding, places="shuffled")(known).pruned["layer"]["kernel"][~KEPT]
    zeros = 0 if rewinding.zero == "none" else 2
    assert np.count_nonzero(shuffled == 0) == zeros and set(shuffled) <= {*WI[:4], 0}


def test_frozen_weights_have_the_bits_of_theta0_in_every_round(tmp_path):
    run = finish(with_prune(replace(TINY, trials=1), rewind=FreezeInit()), tmp_path / "run")
    theta0, last = run.theta0(0), max(run.parts)
    for round in range(1, last + 1):
        outcome = run.outcome(round, Lane("ticket", 0))
        for layer, leaf in outcome.mask.items():
            gone = ~leaf["kernel"]
            np.testing.assert_array_equal(
                outcome.trained[layer]["kernel"][gone], theta0[layer]["kernel"][gone]
            )
            assert gone.any() and not np.array_equal(
                outcome.trained[layer]["kernel"], theta0[layer]["kernel"]
            )
    export(run, last, Lane("ticket", 0), tmp_path / "exported")
    final, initial, sparse = (load_tensors(tmp_path / "exported" / f"{name}.safetensors")
                              for name in ("final", "initial", "sparse"))  # fmt: skip
    chex.assert_trees_all_equal(final, run.outcome(last, Lane("ticket", 0)).trained)
    chex.assert_trees_all_equal(from_sparse(sparse)[0], final)
    chex.assert_trees_all_equal(initial, theta0)
