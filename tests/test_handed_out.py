"""What is handed out (to criteria, rewindings, arms, observers, readers of rounds) cannot change a run."""

from dataclasses import replace

import jax
import numpy as np
import pandas as pd
import pytest

from ltjax import ARMS, CRITERIA, find_tickets
from ltjax.core.choices import Choice
from ltjax.core.types import Lane

from .conftest import TINY, with_prune, with_train

SMALL = replace(
    with_prune(with_train(TINY, steps=20, evaluate_every=20), rounds=2), trials=1,
    arms={"ticket": 1, "continued": 1},
)  # fmt: skip


@pytest.fixture(scope="module")
def honest():
    return pd.concat([part.summary for part in find_tickets(SMALL)], ignore_index=True)


def spoiling_criterion(found):
    """Puts the magnitude of each leaf back into the tree that it was given."""
    params = found.trained.params
    for layer in params.values():
        for name in layer:
            layer[name] = np.abs(layer[name])
    found.theta0.params.clear()
    found.mask.clear()
    return params


def spoiling_arm(key, found, ticket, init):
    """The trained weights, and nothing left of what it was given."""
    own = ARMS["continued"](key, found, ticket, init)
    own = jax.tree.map(np.copy, own)
    for tree in (ticket.params, ticket.mask, found.theta0.params, found.mask):
        tree.clear()
    return own


def test_what_is_put_into_containers_changes_nothing(honest, monkeypatch):
    monkeypatch.setitem(CRITERIA, "spoiling", spoiling_criterion)
    own = with_prune(SMALL, criterion=Choice("criterion", "spoiling"))
    seen = pd.concat([part.summary for part in find_tickets(own)], ignore_index=True)
    pd.testing.assert_frame_equal(seen, honest)


def test_an_arm_cannot_spoil_what_another_one_is_given(honest, monkeypatch):
    monkeypatch.setitem(ARMS, "a_spoiling", spoiling_arm)  # it is drawn before the others
    own = replace(SMALL, arms={**SMALL.arms, "a_spoiling": 1})
    seen = pd.concat([part.summary for part in find_tickets(own)], ignore_index=True)
    pd.testing.assert_frame_equal(seen[seen["arm"] != "a_spoiling"].reset_index(drop=True), honest)


@pytest.mark.parametrize("what", ["criterion", "arm", "rewinding"])
def test_arrays_that_a_function_is_given_cannot_be_written(what, monkeypatch):
    from ltjax import REWINDINGS, UserError

    def write(found, *rest):
        found.theta0.params["fc1"]["kernel"][:] = 0

    def arm(key, found, ticket, init):
        ticket.params["fc1"]["kernel"][:] = 0

    registry, own = {
        "criterion": (CRITERIA, with_prune(SMALL, criterion=Choice("criterion", "writing"))),
        "rewinding": (REWINDINGS, with_prune(SMALL, rewind=Choice("rewinding", "writing"))),
        "arm": (ARMS, replace(SMALL, arms={"ticket": 1, "writing": 1})),
    }[what]
    monkeypatch.setitem(registry, "writing", arm if what == "arm" else write)
    with pytest.raises(UserError, match=rf"the {what} 'writing' raised ValueError at .* is read-only"):
        list(find_tickets(own))


def test_readers_of_rounds_and_observers_cannot_write_either(honest):
    def observe(round, part, step, seen):
        with pytest.raises(ValueError, match="read-only"):
            seen["test"][:] = 0
        seen.clear()

    summaries = []
    for part in find_tickets(SMALL, observe=observe):
        summaries.append(part.summary.copy())
        outcome = part.lane(Lane("ticket", 0))
        for tree in (part.theta0, part.masks, part.trained, part.ahead, outcome.mask, outcome.trained):
            for leaf in jax.tree.leaves(tree):
                with pytest.raises(ValueError, match="read-only"):
                    leaf[...] = 0
        for tree in (part.masks, part.trained, part.theta0):
            tree.clear()
    pd.testing.assert_frame_equal(pd.concat(summaries, ignore_index=True), honest)
