"""Kills at random moments: the shortened form of ``python -m tests.faults``."""

from .faults import Trial


def test_runs_that_are_killed_again_and_again_lose_nothing(tmp_path):
    done = Trial(tmp_path, seed=5).kills(6)
    assert len(done) == 6 and not any(kill.lost for kill in done), [kill for kill in done if kill.lost]
