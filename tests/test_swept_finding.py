"""What a sweep found, in a sentence: validation chooses, test is told; and the order of arms in reports."""

from dataclasses import replace

import pytest

from ltjax.claims.finding import swept_finding
from ltjax.lottery.arms import in_order
from ltjax.report import facts
from ltjax.training.losses import CrossEntropy

from .made_up import made_up
from .test_page import SHORT, keeping

FOUR = replace(SHORT, arms={"ticket": 1})


def swept(accuracy: dict[str, float | None], *, rounds: int = 3):
    """Points so accurate on test in round 2, where their loss is lowest, as much lower; None is diverged."""
    experiment = replace(FOUR, prune=replace(FOUR.prune, rounds=rounds))
    return [
        keeping(replace(made_up(experiment, lambda arm, round, *_, best=best: (
            {"diverged": True} if best is None
            else {"early_stop_test_accuracy": best, "early_stop_validation_loss": 1 - best} if round == 2
            else {"early_stop_test_accuracy": 0.999, "early_stop_validation_loss": 0.5}
        )), point=point))
        for point, best in accuracy.items()
    ]  # fmt: skip


@pytest.mark.parametrize(
    "accuracy, said",
    [
        ({"a=1": 0.95, "a=2": 0.97},
         "Of 2 points a=2 has the lowest validation loss: its tickets are 97.00% accurate on test at 64.1% "
         "of the weights; those of the next, a=1, are 2.00 points less accurate (at 64.1%), each at the size "
         "of its lowest loss (means of 2 trials)."),
        ({"a=1": 0.95, "a=2": 0.97, "a=3": 0.94},
         "are 2.00 points less accurate (at 64.1%), and of the last, a=3, 3.00 points less accurate (at"),
        ({"a=1": 0.95, "a=2": None}, "at 64.1% of the weights; 1 has no finite loss (means"),
        ({"a=1": 0.95, "a=2": 0.95}, "those of the next, a=2, are no more accurate (at"),
        ({"a=1": None, "a=2": None}, "At none of 2 points do tickets have a finite loss."),
    ],
)  # fmt: skip
def test_a_sweep_is_told_by_its_best_point_and_the_others_beside_it(accuracy, said):
    assert said in swept_finding(swept(accuracy))


def test_test_data_choose_neither_a_point_nor_a_size():
    """The point and the size that are most accurate on test have a higher validation loss."""
    said = swept_finding(swept({"a=1": 0.97, "a=2": 0.95}))
    assert said.startswith("Of 2 points a=1 has") and "97.00% accurate on test at 64.1%" in said


def test_a_dense_network_is_a_points_best_size_only_where_nothing_is_pruned():
    better_dense = keeping(replace(made_up(FOUR, lambda arm, round, *_: (
        {"early_stop_test_accuracy": 0.95, "early_stop_validation_loss": 0.01 if round == 0 else 0.02}
    )), point="a=1"))  # fmt: skip
    assert "95.00% accurate" in swept_finding([better_dense, *swept({"a=2": 0.9})])
    assert "at 100.0% of the weights" in swept_finding(swept({"a=1": 0.9, "a=2": 0.9}, rounds=0))


def test_tickets_come_first_then_the_other_arms_as_registered_then_unknown_ones_by_name():
    assert in_order(["zebra", "random", "apple", "reinit", "ticket"]) == [
        "ticket", "reinit", "random", "apple", "zebra",
    ]  # fmt: skip
    run = made_up(replace(SHORT, arms={"random": 1, "reinit": 1, "ticket": 1}), lambda *_: {})
    assert [row.arm for row in facts.rounds(run.summary)[:3]] == ["ticket", "reinit", "random"]


def test_points_that_minimise_different_losses_are_not_compared():
    one, other = swept({"smoothing=0.0": 0.95, "smoothing=0.1": 0.97})
    other = replace(other, experiment=replace(other.experiment, loss=CrossEntropy(smoothing=0.1)))
    assert "minimise different losses" in swept_finding([one, other])
