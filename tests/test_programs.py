"""Programs: as many lanes at once as memory holds, and the same numbers whatever that is."""

from dataclasses import replace

import chex
import pytest

from ltjax.core.errors import UserError
from ltjax.lanes.memory import Programs, memory, turn
from ltjax.lanes.program import LaneProgram
from ltjax.lottery.arms import ARMS
from ltjax.lottery.loop import find_tickets
from ltjax.settings.schema import Compute

from .conftest import TINY, with_prune

LANES = replace(with_prune(TINY, rounds=1), trials=3, arms={"ticket": 1, "reinit": 1})


@pytest.mark.parametrize(
    ("lanes", "most", "sizes"),
    [(5, 5, [5]), (5, 4, [3, 2]), (9, 4, [3, 3, 3]), (7, 1, [1] * 7), (30, 8, [8, 8, 7, 7])],
)
def test_turns_are_as_equal_as_can_be(lanes, most, sizes):
    found = []
    while lanes:
        found.append(turn(lanes, most))
        lanes -= found[-1]
    assert found == sizes


class Fake:
    """A program that needs 10 bytes, and 4 for every lane."""

    def __init__(self, lanes, asked):
        import numpy as np

        self.lanes, self.asked = lanes, asked
        self.mesh = type("Mesh", (), {"devices": np.array([None])})

    def bytes_needed(self, start):
        self.asked.append(self.lanes)
        return 10 + 4 * self.lanes


@pytest.mark.parametrize(
    ("limit", "sizes"),
    [(50, [9]), (46, [9]), (45, [5, 4]), (30, [5, 4]), (29, [3, 3, 3]), (14, [1] * 9)],
)
def test_programs_are_as_large_as_memory_allows(limit, sizes):
    asked, given, lanes = [], [], 9
    programs = Programs(lambda lanes: Fake(lanes, asked), Compute(memory=limit / 2**30))
    while lanes:
        program, size = programs.of(lanes, None)
        assert program.lanes >= size and 10 + 4 * program.lanes <= limit
        given.append(size)
        lanes -= size
    assert given == sizes


def test_one_lane_that_does_not_fit_is_told():
    with pytest.raises(UserError, match="training one lane needs .* try a smaller --train.batch"):
        Programs(lambda lanes: Fake(lanes, []), Compute(memory=13 / 2**30)).of(3, None)


@pytest.fixture(scope="module")
def at_once():
    return list(find_tickets(LANES))


def test_numbers_do_not_depend_on_the_turns(at_once):
    """Bit for bit on CPU; each turn is a part of its round."""
    in_turns = list(find_tickets(replace(LANES, compute=Compute(lanes=4))))
    assert [len(each.lanes) for each in in_turns] == [3, 3, 3, 3]
    assert [len(each.lanes) for each in at_once] == [6, 6]
    whole = {(each.index, lane): each.lane(lane) for each in at_once for lane in each.lanes}
    for each in in_turns:
        for lane in each.lanes:
            chex.assert_trees_all_equal(each.lane(lane), whole[each.index, lane])


def test_an_arm_of_a_later_turn_has_the_weights_that_the_round_before_left(monkeypatch):
    """In memory alone, where nothing can be read again; the tickets' turn comes before, by name."""
    monkeypatch.setitem(ARMS, "unrewound", ARMS["continued"])
    arms = replace(with_prune(TINY, rounds=1), trials=1, arms={"ticket": 1, "unrewound": 1})
    turns, whole = (
        {(each.index, str(lane)): each.lane(lane) for each in find_tickets(own) for lane in each.lanes}
        for own in (replace(arms, compute=Compute(lanes=1)), arms)
    )
    chex.assert_trees_all_equal(turns, whole)


@pytest.mark.long
def test_memory_is_asked_of_the_compiled_program(monkeypatch):
    """Turns follow from what the programs say they need, and each of them fits."""
    asked, needed = {}, LaneProgram.bytes_needed

    def spy(program, start):
        asked[program.slots] = needed(program, start)
        return asked[program.slots]

    def sizes(memory):
        asked.clear()
        compute = Compute(memory=memory / 2**30, devices=1, batching="vmap")
        dense = replace(with_prune(LANES, rounds=0), compute=compute)
        return [len(each.lanes) for each in find_tickets(dense)]

    monkeypatch.setattr(LaneProgram, "bytes_needed", spy)
    assert sizes(2**30) == [6]
    limit = 0.7 * asked[6]
    turns = sizes(limit)
    assert len(turns) > 1 and sum(turns) == 6 and asked[turns[0]] <= limit < asked[6]


def test_the_memory_of_a_device_is_its_own_or_a_share_of_the_machines():
    class Card:
        def memory_stats(self):
            return {"bytes_limit": 1000}

    class Core:
        def memory_stats(self):
            return None

    assert memory(Compute(), Card()) == 950
    assert memory(Compute(memory=2.0), Card()) == 2 * 2**30
    assert 2**26 < memory(Compute(), Core()) < 2**45
