"""The claims, judged on runs made up to say what the paper says, to miss it in one point, and to lack it."""

import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ltjax import studies
from ltjax.analysis.results import Study
from ltjax.claims import statistics
from ltjax.cli.commands import run
from ltjax.settings import loading
from ltjax.studies import CLAIMS
from tests import claim_cases_cifar
from tests.claim_cases import LACKED, MISSED
from tests.made_up import made_up
from tests.paper_runs import COURSES, good, made_of, replace_experiment, replace_rows, runs_of, study, upto

LENET = [id for id, claim in CLAIMS.items() if claim.network == "lenet"]


def verdict(id, study):
    return studies.judge(study, {id: CLAIMS[id]})[0]


@pytest.fixture(scope="module")
def papers():
    """What is found where everything is as the paper says."""
    return {each.claim.id: each for each in studies.judge(study())}


@pytest.mark.parametrize("id", LENET)
def test_what_is_as_the_paper_says_is_reproduced(id, papers):
    assert papers[id].status == "reproduced", papers[id].ours
    assert papers[id].minimum <= papers[id].maximum and papers[id].trials in (1, 2)
    assert not papers[id].missing and not papers[id].command


@pytest.mark.parametrize(
    ("id", "what", "name", "change"), MISSED, ids=[f"{id}: {what}" for id, what, *_ in MISSED]
)
def test_what_is_not_as_the_paper_says_is_not_reproduced(id, what, name, change):
    found = verdict(id, study(**{name: runs_of(name, change)}))
    assert found.status == "not reproduced", f"{what}: {found.ours}"


@pytest.mark.parametrize(("ids", "name", "last", "missing", "command"), LACKED, ids=str)
def test_what_was_not_run_is_told_with_the_command_that_runs_it(ids, name, last, missing, command):
    lacking = study(**{name: last and [upto(run, last) for run in good(name)]})
    for id in ids.split():
        found = verdict(id, lacking)
        assert found.status == "not run" and missing in found.missing
        assert found.command == f"ltjax run --config {command}"
        assert found.trials == 0 and np.isnan([found.minimum, found.maximum]).all() and not found.ours


def test_every_claim_has_cases_of_all_three_verdicts():
    missed, lacked = MISSED + claim_cases_cifar.MISSED, LACKED + claim_cases_cifar.LACKED
    assert {id for id, *_ in missed} == set(CLAIMS)
    assert {id for ids, *_ in lacked for id in ids.split()} == set(CLAIMS)


def test_of_nothing_nothing_is_judged_and_every_command_is_accepted():
    judged = studies.judge(Study([]))
    assert all(found.status == "not run" and found.missing for found in judged)
    for command in {found.command for found in judged}:
        run.parse(command.split()[2:])


def test_claims_are_told_in_full():
    for id, claim in CLAIMS.items():
        assert id == claim.id and claim.measure.__doc__
        for words in (claim.paper, claim.measured, claim.tolerance):
            assert len(words) > 40 and words.endswith(".") and "  " not in words
        assert claim.figure and claim.quantity and not claim.quantity.endswith(".")


def tickets(trials=3, **change):
    """A run of three trials: dense stops at 10,000; ticket 7 at 5,000, 6,000 and 8,500, others at 9,000."""
    stops = {0: [10_000] * 3, 7: [5_000, 6_000, 8_500]}

    def course(arm, n, trial, repeat):
        return {"early_stop_step": stops.get(n, [9_000] * 3)[trial], **change.get(f"at_{n}_{trial}", {})}

    experiment = replace(loading.load_experiment("lenet_iterative"), trials=trials)
    experiment = replace(experiment, prune=replace(experiment.prune, rounds=7))
    steps = change.get("steps", 50_000)
    return made_up(replace(experiment, train=replace(experiment.train, steps=steps)), course, curves=False)


def test_a_verdict_has_the_mean_the_extremes_and_the_number_of_trials():
    found = verdict("L2", Study([tickets()]))
    assert found.status == "reproduced"
    assert found.ours == "35% earlier at 21.1% (r7), and in rounds 1 to 7 10 to 35% earlier"
    assert (found.minimum, found.maximum, found.trials) == (pytest.approx(15), pytest.approx(50), 3)


def test_diverged_lanes_are_left_out_and_told():
    found = verdict("L2", Study([tickets(at_7_2={"diverged": True})]))
    assert found.ours.startswith("45% earlier") and found.ours.endswith("(1 diverged lane left out)")
    assert (found.minimum, found.maximum, found.trials) == (pytest.approx(40), pytest.approx(50), 2)


def test_where_all_lanes_diverged_no_claim_holds():
    lost = {f"at_7_{trial}": {"diverged": True} for trial in range(3)}
    found = verdict("L2", Study([tickets(**lost)]))
    assert found.status == "not reproduced" and found.trials == 0
    assert found.ours == "no lane that it needs has a finite value (3 diverged lanes left out)"
    for id in LENET:
        assert verdict(id, diverged()).status == "not reproduced"


@cache
def diverged():
    """Everything run, and every lane of it diverged."""
    return Study([replace_rows(run, diverged=True) for name in COURSES for run in good(name)])


def test_other_lengths_of_training_are_told_and_asked_for():
    short = Study([tickets(steps=10_000)])
    assert verdict("L2", short).ours.endswith(", at 10,000 steps")
    assert verdict("L7", short).command.endswith("--arms.reinit 3 --train.steps 10000")
    assert verdict("L3", short).command.endswith("--prune.rounds 17 --train.steps 10000")


def test_repeats_are_averaged_within_a_trial_before_trials_are_compared():
    stops = {
        ("reinit", 0, 0): 10_000,
        ("reinit", 0, 1): 20_000,
        ("reinit", 1, 0): 9_000,
        ("reinit", 1, 1): 11_000,
    }
    experiment = replace(loading.load_experiment("lenet_controls"), trials=2, arms={"ticket": 1, "reinit": 2})
    made = made_up(experiment, lambda arm, n, trial, repeat: {
        "early_stop_step": stops.get((arm, trial, repeat), 5_000),
        "early_stop_test_accuracy": 0.98 if arm == "ticket" else 0.97,
    }, curves=False)  # fmt: skip
    found = verdict("L8", Study([made]))
    assert (found.minimum, found.maximum, found.trials) == (2, 3, 2)
    assert found.ours == "2.50 times sooner and +1.00 pp at 21.1% (r7)"


def test_only_the_papers_setup_is_judged():
    plain = loading.load_experiment("lenet_iterative")
    digits, fast = replace(plain.data, name="digits"), replace(plain.train, learning_rate=1.0)
    for change in ({"data": digits}, {"train": fast}):
        other = replace_experiment(tickets(), **change)
        assert verdict("L2", Study([other])).status == "not run"
        assert verdict("L2", Study([other, tickets()])).status == "reproduced"


def test_the_run_with_the_needed_rounds_is_taken_whatever_comes_first():
    assert verdict("L2", Study([upto(tickets(), 3), tickets()])).status == "reproduced"


def test_controls_that_were_trained_in_some_rounds_are_asked_for_in_the_others():
    found = good("controls")[0]
    rows = found.summary[(found.summary["arm"] == "ticket") | found.summary["round"].isin([3, 7])]
    some = made_of(found, replace(found.experiment, control_rounds=(3, 7)), rows)
    command = verdict("L7", Study([some])).command
    assert "--control-rounds 9 15" in command
    assert run.parse(command.split()[2:]).experiment.control_rounds == (9, 15)


def test_without_curves_what_needs_them_is_not_run():
    bare = Study([tickets()])
    assert "and its curves" in verdict("L1", bare).missing


@pytest.mark.parametrize(
    ("advantage", "round"),
    [
        ([0, 1, 2, 1, 0], 4),
        ([0, -1, 2, 1, -1, 1.5], 4),
        ([0, -1, -2], 1),
        ([0, 1, 2], None),
        ([0, 1, np.nan, -1], None),
    ],
)
def test_back_is_the_first_round_after_the_best_without_an_advantage(advantage, round):
    found = statistics.back(pd.Series(advantage, dtype=float))
    assert np.isnan(found) if round is None else found == round


def test_between_trained_sizes_values_are_linear_in_the_logarithm_and_beyond_them_there_are_none():
    table = pd.DataFrame({0: [1.0, 3.0]}, index=[0, 1])
    found = statistics.at_sizes(table, pd.Series([100.0, 1.0]), [100, 10, 1, 0.5])
    np.testing.assert_allclose(found[0], [1, 2, 3, np.nan])


def test_the_table_has_a_row_per_claim_and_a_claim_of_ones_own_is_judged_like_the_rest(tmp_path):
    @studies.claim("mine", figure="1", paper="p", measured="m", tolerance="t", quantity="q")
    def mine(study):
        """One's own."""
        return studies.Measured("so", 1.0, 2.0, 3, True)

    try:
        found = studies.table(studies.judge(Study([])))
    finally:
        del CLAIMS["mine"]
    assert list(found["id"]) == [*CLAIMS, "mine"] and set(found["verdict"][:-1]) == {"not run"}
    assert found.iloc[-1].to_dict() == {
        "id": "mine", "network": "", "figure": "1", "paper": "p", "ours": "so", "quantity": "q",
        "minimum": 1, "maximum": 2, "trials": 3, "verdict": "reproduced", "measured": "m",
        "tolerance": "t", "missing": "", "command": "",
    }  # fmt: skip
    found.to_csv(tmp_path / "claims.csv", index=False)
    assert list(pd.read_csv(tmp_path / "claims.csv", keep_default_na=False)["id"]) == list(found["id"])


def test_the_table_of_ids_in_the_documentation_is_the_registrys():
    text = (Path(__file__).parent.parent / "docs" / "claims.md").read_text()
    told = {tuple(id.strip() for id in ids.split(",")): figures.split(", ")
            for ids, figures in re.findall(r"^\| (\w\d[^|]*) \| ([^|]*) \|", text, re.M)}  # fmt: skip
    assert [id for ids in told for id in ids] == list(CLAIMS)
    for ids, figures in told.items():
        assert list(dict.fromkeys(CLAIMS[id].figure for id in ids)) == figures
