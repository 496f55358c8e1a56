"""Kills at random moments: the shortened form of ``python -m tests.faults``."""

import pytest

from .faults import Trial


@pytest.mark.long
@pytest.mark.parametrize("kills", [3, 12])
def test_runs_that_are_killed_again_and_again_lose_nothing(kills, tmp_path):
    done = Trial(tmp_path, seed=5).kills(kills)
    assert len(done) == kills and not any(kill.lost for kill in done), [kill for kill in done if kill.lost]
