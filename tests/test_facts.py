"""The paper's facts are in one table: nothing outside its study knows an experiment or a network of it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from ltjax.analysis import weight_statistics
from ltjax.lottery.arms import NOISE
from ltjax.plots.style import ARMS
from ltjax.settings.loading import experiments, load_experiment
from ltjax.studies.frankle2019 import facts, looks

PACKAGE = Path(__file__).parent.parent / "ltjax"

OF_THE_PAPER = {
    *(name for name in experiments() if name not in ("digits", "mnist_5k")),
    *(network.name for network in facts.NETWORKS.values()),
    *facts.NETWORKS,
}
"""Its experiments, and its networks by either name."""

NETWORKS_THEMSELVES = {"models", "settings"}
"""The packages that may name networks as models: those that make them, and that hold the default one."""


def data(source: str) -> Iterator[str]:
    """The strings of a module that are values, not docstrings nor parts of an assigned ``__doc__``."""
    tree = ast.parse(source)
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node.value


def words_of_the_paper(source: str) -> set[str]:
    """Which names of the paper a module has among its values."""
    return {name for text in data(source) for name in OF_THE_PAPER if name in text.split() or name == text}


SHOWN = {"cli/helping.py": ["lenet_iterative"]}
"""Names in examples of a command line."""

OUTSIDE = sorted(path for path in PACKAGE.rglob("*.py") if path.relative_to(PACKAGE).parts[0] != "studies")


@pytest.mark.parametrize("path", OUTSIDE, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_module_outside_the_study_has_a_name_of_the_paper_among_its_values(path):
    name = path.relative_to(PACKAGE)
    allowed = facts.NETWORKS if name.parts[0] in NETWORKS_THEMSELVES else SHOWN.get(str(name), ())
    assert words_of_the_paper(path.read_text()) <= set(allowed)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('EVERY = {"conv2": 3, "mine": 2}', {"conv2"}),
        ('LOOKS = {"a": Look("VGG-19", BLACK)}', {"VGG-19"}),
        ('raise Absent("none", "python -m ltjax.run --config lenet_iterative")', {"lenet_iterative"}),
        ('def f():\n    """Such as lenet_iterative, of LeNet."""\n    return "conv_2"', set()),
    ],
)
def test_names_of_the_paper_are_seen_in_values_and_not_in_docstrings(source, found):
    assert words_of_the_paper(source) == found


@pytest.mark.parametrize("network", facts.NETWORKS.values(), ids=list(facts.NETWORKS))
def test_experiments_train_each_network_as_long_as_the_table_says(network):
    own = [load_experiment(name) for name in experiments() if name.startswith(f"{network.key}_")]
    lengths = {(each.train.steps, each.model.dropout > 0) for each in own}
    dropped = {(network.dropout_steps, True)} if network.dropout_steps else set()
    assert lengths == {(network.steps, False), *dropped}


@pytest.mark.parametrize("network", facts.NETWORKS.values(), ids=list(facts.NETWORKS))
def test_the_table_names_experiments_of_the_network_itself(network):
    named = [network.experiment]
    if isinstance(network, facts.LeNet):
        named += [*network.kinds.values(), network.sgd]
    assert {load_experiment(name).model.name for name in named} == {network.key}


def test_every_network_and_every_way_of_training_it_has_a_look():
    assert set(looks.NETWORKS) == set(facts.NETWORKS)
    assert set(looks.SETTINGS) == set(facts.WAYS)


def test_what_the_paper_looks_into_and_its_noisy_arms_are_there_by_default():
    assert facts.LENET.looked_into == weight_statistics.SHOWN
    assert tuple(NOISE) == facts.LENET.noise and set(facts.LENET.noise) <= set(ARMS)
