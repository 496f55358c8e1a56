"""Configurations as JSON, and which of them are one experiment."""

from dataclasses import replace

import hypothesis.strategies as st
import pytest
from hypothesis import given

from ltjax import Experiment, Model, Prune, Rates, Train, UserError
from ltjax.settings.compatible import checked, differences, extended, from_json, to_json
from ltjax.settings.plain import flatten
from ltjax.sparsity.schedules import OneShot

rates = st.one_of(st.none(), st.floats(0.01, 0.99))
experiments = st.builds(
    Experiment,
    name=st.text(st.characters(exclude_categories=["Cc", "Cs"])),  # others are refused
    trials=st.integers(1, 50),
    arms=st.dictionaries(st.sampled_from(["ticket", "reinit"]), st.integers(0, 5)),
    model=st.builds(Model, widths=st.lists(st.integers(1, 9)).map(tuple)),
    train=st.builds(Train, steps=st.integers(1, 10**6), learning_rate=st.floats(1e-9, 1e3)),
    prune=st.builds(Prune, rounds=st.integers(0, 40), rates=st.builds(Rates, rates, rates, rates)),
    control_rounds=st.one_of(st.none(), st.lists(st.integers(0, 40)).map(tuple)),
)


@given(experiments)
def test_an_experiment_comes_back_from_its_json(experiment):
    assert from_json(to_json(experiment)) == experiment


@given(experiments, experiments)
def test_extending_holds_both_and_changes_no_identity(one, two):
    grown = extended(one, two)
    assert not differences(one, grown)
    assert extended(grown, one) == grown
    assert grown.trials >= two.trials and grown.prune.rounds >= two.prune.rounds
    assert all(grown.arms[arm] >= repeats for arm, repeats in two.arms.items())


def test_settings_have_the_command_lines_names():
    names = flatten(Experiment())
    assert names["prune.rates.fc"] == 0.2 and names["arms.ticket"] == 1 and names["train.batch"] == 60


@pytest.mark.parametrize(
    "text",
    ["", "3", "null", "[]", '{"trials": 1.5}', '{"trials": null}', '{"model": {"widths": 3}}',
     '{"train": {"learning_rate": "fast"}}', '{"train": {"train_curve": 1}}', '{"arms": []}', '{"speed": 1}'],
)  # fmt: skip
def test_what_is_no_configuration_is_told(text):
    with pytest.raises(UserError, match="no configuration"):
        from_json(text)


def test_an_older_configuration_without_a_newer_setting_gets_its_default():
    assert from_json("{}") == Experiment()
    assert from_json('{"train": {"learning_rate": 1}}') == replace(
        Experiment(), train=replace(Train(), learning_rate=1)
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trials": True}, "trials is True, where a whole number is expected"),
        ({"arms": {"ticket": "one"}}, "arms.ticket is 'one', where a whole number is expected"),
        ({"model": Model(widths=("a",))}, "model.widths is 'a', where a whole number is expected"),
        ({"train": Train(learning_rate="fast")}, "train.learning_rate is 'fast', where a number is expected"),
        (
            {"train": Train(train_curve="all")},
            "train.train_curve is 'all', where 'running' or 'exact' is expected",
        ),
        ({"prune": Prune(structure=3)}, "prune.structure is 3, where the name of a structure is expected"),
        ({"prune": Prune(rates=0.2)}, "prune.rates is 0.2, where settings by name are expected"),
        ({"control_rounds": (1.5,)}, "control_rounds is 1.5, where a whole number is expected"),
    ],
)
def test_a_setting_of_a_wrong_type_is_told_by_its_name(changes, message):
    with pytest.raises(UserError, match=message):
        checked(replace(Experiment(), **changes))


@pytest.mark.parametrize(
    ("stored", "asked", "grown"),
    [
        ((0, 3), (7,), (0, 3, 7)),
        ((0, 3), (3,), (0, 3)),
        ((3,), None, None),
        (None, (3,), None),
    ],
)
def test_a_run_grows_by_the_rounds_of_its_controls(stored, asked, grown):
    arms = {"ticket": 1, "reinit": 1}
    one, two = (replace(Experiment(), arms=arms, control_rounds=each) for each in (stored, asked))
    assert not differences(one, two) and extended(one, two).control_rounds == grown


def test_the_first_controls_of_a_run_bring_their_rounds():
    tickets, controls = (
        Experiment(),
        replace(Experiment(), arms={"ticket": 1, "reinit": 3}, control_rounds=(3,)),
    )
    assert extended(tickets, controls).control_rounds == (3,)
    assert extended(controls, tickets).control_rounds == (3,)


@pytest.mark.parametrize(
    ("stored", "asked", "fits"),
    [((0.5,), (0.5, 0.2), True), ((0.5, 0.2), (0.5,), True), ((0.5,), (0.4, 0.5), False), ((), (0.1,), True)],
)
def test_one_shot_fractions_grow_at_their_end_alone(stored, asked, fits):
    one, two = (replace(Experiment(), prune=Prune(schedule=OneShot(each))) for each in (stored, asked))
    assert (not differences(one, two)) == fits
    assert not fits or extended(one, two).prune.schedule.parameters["fractions"] == max(
        stored, asked, key=len
    )


def test_a_sweep_whose_settings_are_told_in_another_order_is_another_since_points_are_named_by_it():
    one, two = (
        {"seed": (1, 2), "train.schedule.warmup": (0, 1)},
        {"train.schedule.warmup": (0, 1), "seed": (1, 2)},
    )
    stored, asked = (replace(Experiment(), sweep=sweep) for sweep in (one, two))
    assert not differences(stored, stored)
    assert differences(stored, asked) == [
        "sweep: the run varies seed and train.schedule.warmup, asked is train.schedule.warmup and seed"
    ]
