"""The claims on Conv-2/4/6, VGG-19 and Resnet-18, judged as tests.test_claims does LeNet's."""

from dataclasses import replace

import pytest

from ltjax import catalogue, claims
from ltjax.claims import CLAIMS, numbers
from ltjax.study import Study
from tests.claim_cases import rounds
from tests.claim_cases_cifar import LACKED, MISSED
from tests.made_up import made_up
from tests.paper_runs import replace_experiment, replace_rows, upto
from tests.paper_runs_cifar import COURSES, good, runs_of, study

OTHERS = [id for id, claim in CLAIMS.items() if claim.network != "lenet"]


def verdict(id, study):
    return claims.judge(study, {id: CLAIMS[id]})[0]


def changed(name, change):
    """Runs of a named experiment with a change on top, LeNet's too."""
    from tests import paper_runs

    return runs_of(name, change) if name in COURSES else paper_runs.runs_of(name, change)


@pytest.fixture(scope="module")
def papers():
    return {each.claim.id: each for each in claims.judge(study(), {id: CLAIMS[id] for id in OTHERS})}


@pytest.mark.parametrize("id", OTHERS)
def test_what_is_as_the_paper_says_is_reproduced(id, papers):
    assert papers[id].status == "reproduced", papers[id].ours + papers[id].missing
    assert papers[id].minimum <= papers[id].maximum and papers[id].trials in (1, 2)
    assert " at " not in papers[id].ours.split(",")[-1] or "steps" not in papers[id].ours.split(" at ")[-1]


@pytest.mark.parametrize(
    ("id", "what", "name", "change"), MISSED, ids=[f"{id}: {what}" for id, what, *_ in MISSED]
)
def test_what_is_not_as_the_paper_says_is_not_reproduced(id, what, name, change):
    found = verdict(id, study({name: changed(name, change)}))
    assert found.status == "not reproduced", f"{what}: {found.ours} {found.missing}"


@pytest.mark.parametrize(("ids", "name", "last", "missing", "command"), LACKED, ids=str)
def test_what_was_not_run_is_told_with_the_command_that_runs_it(ids, name, last, missing, command):
    lacking = study({name: last and [upto(run, last) for run in good(name)]})
    for id in ids.split():
        found = verdict(id, lacking)
        assert found.status == "not run" and missing in found.missing
        assert found.command == f"python -m ltjax.run --config {command}"


def test_where_all_lanes_diverged_no_claim_holds():
    names = ("controls", *COURSES)
    lost = Study([replace_rows(run, diverged=True) for name in names for run in good(name)])
    for id in OTHERS:
        assert verdict(id, lost).status == "not reproduced", id
