"""Configurations as JSON, and which of them are one experiment."""

from dataclasses import replace

import hypothesis.strategies as st
import pytest
from hypothesis import given

from ltjax import Experiment, Model, Prune, Rates, Train, UserError
from ltjax.identity import differences, extended, flatten, from_json, to_json

rates = st.one_of(st.none(), st.floats(0.01, 0.99))
experiments = st.builds(
    Experiment,
    name=st.text(),
    trials=st.integers(1, 50),
    arms=st.dictionaries(st.sampled_from(["ticket", "reinit"]), st.integers(0, 5)),
    model=st.builds(Model, widths=st.lists(st.integers(1, 9)).map(tuple)),
    train=st.builds(Train, steps=st.integers(1, 10**6), learning_rate=st.floats(1e-9, 1e3)),
    prune=st.builds(Prune, rounds=st.integers(0, 40), rates=st.builds(Rates, rates, rates, rates)),
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
