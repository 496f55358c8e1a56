"""The claims on Conv-2/4/6, VGG-19 and Resnet-18, judged as tests.test_claims does LeNet's."""

import re
from dataclasses import replace

import pytest

from ltjax import studies
from ltjax.analysis.results import Study
from ltjax.studies import CLAIMS
from ltjax.training.rates import Drops
from tests.claim_cases import rounds
from tests.claim_cases_cifar import LACKED, MISSED
from tests.paper_runs import replace_experiment, replace_rows, upto
from tests.paper_runs_cifar import COURSES, good, runs_of, study

OTHERS = [id for id, claim in CLAIMS.items() if claim.network != "lenet"]


def verdict(id, study):
    return studies.judge(study, {id: CLAIMS[id]})[0]


def near(id, replaced):
    """The runs that a claim may be judged from, some of them replaced."""
    return study(replaced, net="" if id in ("X1", "R4-margin") else CLAIMS[id].network)


@pytest.fixture(scope="module")
def papers():
    return {each.claim.id: each for each in studies.judge(study(), {id: CLAIMS[id] for id in OTHERS})}


@pytest.mark.parametrize("id", OTHERS)
def test_what_is_as_the_paper_says_is_reproduced(id, papers):
    assert papers[id].status == "reproduced", papers[id].ours + papers[id].missing
    assert papers[id].minimum <= papers[id].maximum and papers[id].trials in (1, 2)
    assert not re.search(r"at [\d,]+ steps$", papers[id].ours), "the paper's own length was told as another"


@pytest.mark.parametrize(
    ("id", "what", "name", "change"), MISSED, ids=[f"{id}: {what}" for id, what, *_ in MISSED]
)
def test_what_is_not_as_the_paper_says_is_not_reproduced(id, what, name, change):
    found = verdict(id, near(id, {name: runs_of(name, change)}))
    assert found.status == "not reproduced", f"{what}: {found.ours} {found.missing}"


@pytest.mark.parametrize(("ids", "name", "last", "missing", "command"), LACKED, ids=str)
def test_what_was_not_run_is_told_with_the_command_that_runs_it(ids, name, last, missing, command):
    lacking = {name: last and [upto(run, last) for run in good(name)]}
    for id in ids.split():
        found = verdict(id, near(id, lacking))
        assert found.status == "not run" and missing in found.missing
        assert found.command == f"ltjax run --config {command}"


def test_where_all_lanes_diverged_no_claim_holds():
    names = ("controls", *COURSES)
    lost = Study([replace_rows(run, diverged=True) for name in names for run in good(name)])
    for id in OTHERS:
        assert verdict(id, lost).status == "not reproduced", id


def test_conv_6_may_lose_accuracy_at_once_when_reinitialised():
    lost = runs_of("conv6_controls", rounds(1, 3, "reinit", test=0.6))
    assert verdict("C4-conv6", near("C4-conv6", {"conv6_controls": lost})).status == "reproduced"


def test_a_verdict_is_about_the_networks_that_are_there():
    only = Study([*good("controls"), *good("conv4_controls")])
    found = verdict("X1", only)
    assert found.status == "reproduced" and "LeNet" in found.ours and "Conv-4" in found.ours
    assert "Conv-2" not in found.ours
    lenet = verdict("X1", Study(good("controls")))
    assert lenet.status == "not run" and lenet.command.endswith("--config conv2_iterative")
    assert verdict("C1-conv4", only).status == "reproduced" and verdict("C1-conv2", only).status == "not run"


def test_a_rate_at_which_nothing_trained_does_not_speak_for_a_claim():
    lost = [
        replace_rows(run, diverged=True) if run.experiment.train.learning_rate in (8e-4, 0.1) else run
        for name in ("conv2_adam_rates", "resnet18_rates") for run in good(name)
    ]  # fmt: skip
    for id in ("C9-conv2", "R5-resnet18"):
        assert verdict(id, Study(lost)).status == "not reproduced"


def test_a_round_without_a_value_may_have_been_the_best():
    run = good("conv2_controls")[0]
    lost = replace_rows(run, diverged=run.summary["round"] == 13)
    assert verdict("C1-conv2", Study([lost])).status == "not reproduced"


def shorter(run, steps, **more):
    return replace_experiment(run, train=replace(run.experiment.train, steps=steps, **more))


def test_lengths_are_the_papers_of_each_network_and_others_are_told():
    run = good("conv2_controls")[0]
    assert verdict("C1-conv2", Study([shorter(run, 500)])).ours.endswith(", at 500 steps")
    both = verdict("C5-conv2", Study([run, shorter(good("conv2_dropout")[0], 20_000)]))
    assert both.ours.endswith(", at 20,000 steps")


def test_what_would_run_the_rest_is_as_long_as_what_was_run():
    deep = good("vgg19_lr01")[0]
    short = Study(
        [shorter(deep, 900, schedule=Drops(drops=(400, 700))), shorter(good("conv2_controls")[0], 500)]
    )
    assert verdict("V2", short).command.endswith(
        "vgg19_lr001 --train.steps 900 --train.schedule.drops 400 700"
    )
    assert verdict("B1-conv2", short).command.endswith("conv2_continued --train.steps 500")
    assert verdict("C5-conv2", short).command.endswith("conv2_dropout"), "dropout has lengths of its own"


@pytest.mark.parametrize(
    ("id", "name", "part", "change"),
    [
        ("C1-conv2", "conv2_controls", "train", {"learning_rate": 3e-4}),
        ("C1-conv2", "conv2_controls", "model", {"widths": (128, 128)}),
        ("C1-conv2", "conv2_controls", "data", {"augment": "flip_crop"}),
        ("V2", "vgg19_lr001", "data", {"augment": "none"}),
        ("V2", "vgg19_lr001", "train", {"weight_decay": 0.0}),
        ("V2", "vgg19_lr001", "train", {"schedule": "drops"}),
        ("V2", "vgg19_lr001", "train", {"schedule": Drops(10_000, (56_240, 84_360))}),
        ("V2", "vgg19_lr001", "prune", {"structure": "layer"}),
    ],
)
def test_only_the_papers_setup_is_judged(id, name, part, change):
    run = good(name)[0]
    other = replace_experiment(run, **{part: replace(getattr(run.experiment, part), **change)})
    assert verdict(id, Study([other])).status == "not run"
    fast = replace(run.experiment.model, precision="bfloat16")
    assert verdict(id, Study([other, replace_experiment(run, model=fast)])).status == "reproduced"


def test_claims_of_networks_that_were_not_run_are_told_by_network():
    lenet, conv = Study(good("controls")), Study(good("conv2_controls"))
    away = studies.elsewhere(studies.judge(lenet), lenet, studies.NETWORKS)
    assert list(away) == ["conv2", "conv4", "conv6", "vgg19", "resnet18"]
    assert {each.claim.id for each in away["vgg19"]} >= {"V1", "V5", "R5-vgg19"}
    assert "conv2" not in studies.elsewhere(studies.judge(conv), conv, studies.NETWORKS)
    assert "lenet" in studies.elsewhere(studies.judge(conv), conv, studies.NETWORKS)
