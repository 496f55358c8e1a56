"""Methods that train other numbers than weights are compared with those that train weights."""

from dataclasses import replace

import pytest

from ltjax.analysis import methods
from ltjax.analysis.results import Study

from .test_figures_methods import at, kept, run


def schemed(made, scheme):
    """The run as one that trains by a scheme."""
    return kept(made, experiment=replace(made.experiment, scheme=scheme))


def momentum(rate):
    return {"optimizer": "momentum", "learning_rate": rate, "schedule": "cosine", "weight_decay": 1e-4}


def test_a_scheme_is_a_method_with_its_own_optimizer_rate_schedule_and_decay():
    runs = [
        schemed(run("a", at(0.95)), "weights"),
        schemed(run("b", at(0.9), train=momentum(0.1)), "supermask"),
        schemed(run("c", at(0.91), train=momentum(0.2)), "edge_popup"),
    ]
    (group,) = methods.groups(Study(runs))
    assert [method.name for method in group.methods] == ["weights", "supermask", "edge-popup"]
    assert not group.ordered


def test_rates_of_one_scheme_are_told_where_it_alone_does_not_tell_methods_apart():
    runs = [
        schemed(run("a"), "weights"),
        *(schemed(run(f"{rate}", train=momentum(rate)), "supermask") for rate in (0.1, 0.2)),
    ]
    (group,) = methods.groups(Study(runs))
    assert [method.name for method in group.methods] == [
        "weights", "supermask, learning_rate 0.1", "supermask, learning_rate 0.2"
    ]  # fmt: skip


def test_what_else_differs_in_training_splits_schemes_into_groups():
    runs = [
        schemed(run("a"), "weights"),
        schemed(run("b", train={**momentum(0.1), "steps": 777}), "supermask"),
    ]
    assert len(methods.groups(Study(runs))) == 2


def test_where_all_train_weights_another_rate_makes_another_group():
    runs = [schemed(run(f"{rate}", train={"learning_rate": rate}), "weights") for rate in (0.1, 0.2)]
    assert len(methods.groups(Study(runs))) == 2


def test_the_dense_network_is_the_one_whose_weights_were_trained():
    def other(*lane):
        return {**at(0.9)(*lane), "early_stop_test_accuracy": 0.5}

    runs = [
        schemed(run("a", other, train=momentum(0.1)), "supermask"),
        schemed(run("b"), "weights"),
        schemed(run("c", other, train={"learning_rate": 1.0}, criterion="random"), "weights"),
    ]
    (group,) = methods.groups(Study(runs))
    assert group.dense["early_stop_test_accuracy"].tolist() == pytest.approx([0.979, 0.979, 0.982])


def test_where_masks_are_learned_round_0_is_the_methods_own_at_the_size_that_it_found():
    made = run("a", train=momentum(0.1))
    rows = made.summary[made.summary["round"] == 0].assign(percent_remaining=46.5)
    learned = schemed(kept(made, summary=rows), "supermask")
    (group,) = methods.groups(Study([learned, schemed(run("b"), "weights")]))
    by_name = {method.name: method.rows("ticket") for method in group.methods}
    assert set(by_name["supermask"]["percent_remaining"]) == {46.5}
    assert set(by_name["weights"]["percent_remaining"]) == {50.0}
    assert len(group.dense) == 3
