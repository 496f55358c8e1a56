"""What a run found, in a sentence: its numbers are the run's, and what was not found is said as plainly."""

from dataclasses import replace

import numpy as np
import pytest

from ltjax.claims.finding import finding, winning_round
from ltjax.cli.commands import run as command
from ltjax.runs import paths
from ltjax.settings.loading import load_experiment
from tests.made_up import made_up

BASE = replace(load_experiment("mnist_5k"), trials=2, arms={"ticket": 1})
CONTROLLED = replace(BASE, arms={"ticket": 1, "mine": 1, "reinit": 2})


def tells(**rounds):
    """A course: (early-stop step, test accuracy in percent) by arm and round; other rounds are as dense."""

    def course(arm, round, trial, repeat):
        stop, accuracy = rounds.get(f"{arm}_{round}", (200, 93.0))
        return {"early_stop_step": stop, "early_stop_test_accuracy": accuracy / 100, "validation": 0.9}

    return course


DENSE_OR_LATER = {f"ticket_{round}": (240, 92.0) for round in range(1, 5)}

FOUND = [
    (BASE, DENSE_OR_LATER | {"ticket_2": (150, 93.5)},
     "At 49.1% of the weights tickets stop 25% earlier than the dense network (at step 150, not 200) and are "
     "0.50 points more accurate on test (means of 2 trials)."),
    (CONTROLLED, DENSE_OR_LATER | {"ticket_3": (100, 93.0), "reinit_3": (260, 92.0), "mine_3": (80, 93.25)},
     "At 34.4% of the weights tickets stop 50% earlier than the dense network (at step 100, not 200) and are "
     "no more accurate on test; the same masks on fresh weights (reinit) stop at step 260 and are 1.00 "
     "points less accurate than the tickets; mine stop at step 80 and are 0.25 points more accurate than the "
     "tickets (means of 2 trials)."),
    (BASE, DENSE_OR_LATER | {"ticket_1": (260, 93.2), "ticket_2": (220, 93.1)},
     "Tickets are at least as accurate as the dense network down to 49.1% of the weights (at 70.1% 0.20 "
     "points more accurate on test), but stop no earlier (means of 2 trials)."),
    (BASE, DENSE_OR_LATER | {"ticket_4": (100, 92.75)},
     "No size has winning tickets: at 24.1% of the weights, the best, they stop 50% earlier than the dense "
     "network and are 0.25 points less accurate (means of 2 trials)."),
    (replace(BASE, trials=1, prune=replace(BASE.prune, rounds=0)), {},
     "The dense network stops at step 200, 93.00% on test; nothing is pruned yet."),
    (replace(CONTROLLED, scheme="supermask", prune=replace(BASE.prune, rounds=0)), {"mine_0": (120, 92.5)},
     "Under the scheme supermask tickets keep 100.0% of the weights and are 93.00% accurate on test; the "
     "same masks on fresh weights (reinit) stop at step 200 and are no more accurate than the tickets; mine "
     "stop at step 120 and are 0.50 points less accurate than the tickets (means of 2 trials)."),
]  # fmt: skip


@pytest.mark.parametrize(("experiment", "rounds", "said"), FOUND, ids=[said[:24] for *_, said in FOUND])
def test_a_sentence_says_where_tickets_win_and_what_other_arms_do_there(experiment, rounds, said):
    assert finding(made_up(experiment, tells(**rounds), curves=False)) == said


def test_the_earliest_stop_wins_among_rounds_that_have_every_arm():
    course = tells(**DENSE_OR_LATER | {"ticket_1": (150, 93.5), "ticket_2": (100, 93.5)})
    run = made_up(CONTROLLED, course, curves=False)
    assert winning_round(run) == 2
    kept = run.summary.query("not (arm == 'mine' and round == 2)").reset_index(drop=True)
    assert winning_round(replace(run, summary=kept)) == 1


@pytest.mark.parametrize(
    ("round", "said"), [(0, "The loss of the dense network"), (4, "Every ticket's loss")]
)
def test_lanes_that_diverged_are_in_no_mean(round, said):
    run = made_up(BASE, tells(), curves=False)
    gone = (run.summary["round"] > 0) if round else (run.summary["round"] == 0)
    sick = run.summary.assign(
        diverged=gone, early_stop_step=run.summary["early_stop_step"].where(~gone, np.nan)
    )
    assert finding(replace(run, summary=sick)).startswith(f"{said} became non-finite")


def test_a_command_ends_with_the_sentence_and_the_picture_which_repeating_it_leaves_as_it_is(
    tmp_path, capsys
):
    line = "--trials 1 --arms.reinit 0 --model.widths 16 12 --prune.rounds 1 --train.steps 20".split()
    folder = tmp_path / "run"
    command.main([*line, "--workdir", str(folder)])
    picture = paths.figures(folder) / "figure_4a.png"
    said = capsys.readouterr().out.split()
    assert said.count("trial).") == 1 and str(picture) in said
    picture.unlink()
    command.main([*line, "--workdir", str(folder)])
    assert "trial)." in capsys.readouterr().out.split() and not picture.exists()
