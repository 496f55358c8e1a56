"""Every named experiment runs end to end, made tiny: digits or noise, few steps, one trial, few rounds."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ltjax.analysis.results import read_study
from ltjax.core.registry import Registry
from ltjax.data import DATASETS, Dataset, source_of
from ltjax.lottery.loop import find_tickets
from ltjax.lottery.resolving import resolve
from ltjax.lottery.search import lanes_of
from ltjax.models import MODELS, resnet, vgg
from ltjax.models.wired import wired
from ltjax.runs import paths, tables
from ltjax.runs.opening import open_runs, write_points
from ltjax.settings import named, sweeps
from ltjax.settings.loading import experiments, load_experiment
from ltjax.settings.named import EXPERIMENTS
from ltjax.settings.schema import Experiment, Train
from ltjax.studies import FIGURES
from ltjax.training.rates import Drops

from .drawings import empty

ROUNDS = 2
DEEP = {"lenet_iterative": 4, "lenet_sgd": 4}  # the first round that Figures 21 to 24 look into

DRAWS = {
    "lenet_iterative": ["15", "19", "20", "21", "23", "layers", "pixels", "untrained"],
    "lenet_controls": ["1", "4a", "4b", "12", "14"],
    "lenet_oneshot": ["4c"],
    "lenet_resample": ["17"],
    "lenet_noise": ["25"],
    "lenet_sgd": ["16", "22", "24"],
    "lenet_adam_rates": ["26"],
    "lenet_sgd_rates": ["27"],
    "lenet_momentum_rates": ["28"],
    "lenet_pruning_rates": ["29"],
    "lenet_init_scales": ["30"],
    "lenet_sizes": ["31"],
    **{f"{conv}_controls": ["1", "5", "13", "14"] for conv in ("conv2", "conv4", "conv6")},
    "conv2_adam_rates": ["32"],
    "conv2_sgd_rates": ["33"],
    "conv2_momentum_rates": ["34"],
    "conv2_pruning_rates": ["35"],
    "conv2_dropout_rates": ["36"],
    "conv2_layers": ["37"],
    "resnet18_warmup": ["8", "14"],
    "resnet18_warmup_layerwise": ["41"],
    "resnet18_rates": ["42"],
    "resnet18_warmups": ["44"],
    "vgg19_warmup": ["7", "14"],
    "vgg19_warmup_layerwise": ["40"],
    "vgg19_rates": ["43"],
    "vgg19_warmups": ["45"],
}
"""The figures that an experiment is there for and suffices to draw.

Figures 3 and 11 need LeNet's own sizes; 6, 9, 10, 18, 38 and 39 set an experiment beside another.
"""


SMALL = {
    "lenet": ("digits", (12, 8), None),
    "conv2": ("digits", (8, 8), (4,)),
    "conv4": ("digits", (8, 8), (4, 4)),
    "conv6": ("digits", (8, 8), (4, 4, 4)),
    "resnet18": ("digits", (), (4, 4, 4)),
    "vgg19": ("noise", (), (4, 4, 4, 4, 4)),
}
"""The data that each network is made tiny on, its widths and its channels."""


SHALLOW = {
    "resnet18": lambda model, classes: wired(resnet.wiring(model, blocks=1), model, classes),
    "vgg19": lambda model, classes: wired(vgg.wiring(model, depths=(1,) * 5), model, classes),
}
"""The deep networks with one layer for two to four: what takes long is tracing them."""

WHOLE = ("resnet18_lr001", "vgg19_lr001")
"""Experiments of the deep networks that run on them as they are."""


@pytest.fixture(scope="module", autouse=True)
def noise():
    """Images of the fewest pixels that VGG-19 can pool."""
    random = np.random.default_rng(0)
    images, labels = random.integers(0, 256, (200, 16, 16, 3), np.uint8), np.arange(200) % 10
    with pytest.MonkeyPatch.context() as patch:
        found = Dataset(images, labels, images[:50], labels[:50], 10)
        patch.setitem(DATASETS, "noise", source_of(found))
        yield


def tiny(name):
    """A named experiment with its arms, schedule, optimizer and sweep as they are, and all else small."""
    named = load_experiment(name)
    sweep = {setting: (values[0], values[-1]) for setting, values in named.sweep.items()}
    if "prune.rounds" in sweep:
        sweep["prune.rounds"] = (ROUNDS, 1)
    if "train.schedule.warmup" in sweep:
        sweep["train.schedule.warmup"] = (0, 2)
    rates = named.train.schedule.parameters
    data, widths, channels = SMALL[named.model.name]
    # four lanes, or three, are one program wherever the network and the optimizer are the same
    lanes = len(named.arms) * len(next(iter(sweep.values()), [0]))
    trials = 1 if named.model.name == "lenet" else max(4 // lanes, 1)
    return replace(
        named,
        trials=trials,
        sweep=sweep,
        arms=dict.fromkeys(named.arms, 1),
        data=replace(named.data, name=data, validation=100),
        model=replace(named.model, widths=widths, channels=channels),
        train=replace(
            named.train, steps=4, batch=30, evaluate_every=2, evaluate_batch=500,
            schedule=Drops(min(rates.get("warmup", 0), 2), (2, 3) if rates.get("drops") else ()),
        ),
        prune=replace(named.prune, rounds=DEEP.get(name, ROUNDS if named.model.name == "lenet" else 1)),
    )  # fmt: skip


SHORT = (
    "lenet_controls", "lenet_oneshot", "lenet_continued", "lenet_init_scales",
)  # fmt: skip
"""Of every schedule and kind of sweep one; the others, on convolutional networks too, are the long form."""

EVERY = [
    pytest.param(name, marks=() if name in SHORT else pytest.mark.long) for name in sorted(experiments())
]


@pytest.mark.parametrize("name", EVERY)
def test_a_named_experiment_runs_end_to_end(name, tmp_path, monkeypatch):
    experiment = tiny(name)
    if experiment.model.name in SHALLOW and name not in WHOLE:
        monkeypatch.setitem(MODELS, experiment.model.name, SHALLOW[experiment.model.name])
    runs = open_runs(tmp_path, experiment)
    for found in find_tickets(experiment, past=runs):
        runs[found.point].save(found, 0.0)
        write_points(tmp_path, runs)
    for point, each in sweeps.points(experiment).items():
        rows = tables.read_summary(paths.summary(paths.point(tmp_path, point)))
        lanes = [len(lanes_of(each, round)) for round in range(each.prune.rounds + 1)]
        assert rows["round"].value_counts(sort=False).tolist() == lanes
        assert set(rows["arm"]) == set(each.arms) and not rows["diverged"].any()
    assert not list(find_tickets(experiment, past=open_runs(tmp_path, experiment)))
    joined = pd.read_csv(paths.summary(tmp_path))
    assert len(joined) == sum(len(run.summary()) for run in runs.values())
    study = read_study([tmp_path])
    for figure in DRAWS.get(name, []):
        assert empty(FIGURES[figure].draw(study)) == [], figure


@pytest.mark.parametrize("name", sorted(experiments()))
def test_a_named_experiment_is_valid_as_it_stands_and_bears_its_own_name(name):
    experiment = load_experiment(name)
    resolve(experiment)
    assert experiment.name == name


@pytest.mark.parametrize("name", sorted(experiments()))
def test_the_docstring_of_a_named_experiment_tells_purpose_figure_command_and_no_unfilled_number(name):
    purpose, _, command, _, *rest = EXPERIMENTS[name].__doc__.split("\n")
    assert purpose == experiments()[name]
    assert command.split() == ["ltjax", "run", "--config", name]
    assert "Figure" in purpose or name in ("digits", "mnist_5k")
    assert "".join(rest) and not set("{}") & set(EXPERIMENTS[name].__doc__)


def test_a_function_of_a_family_makes_an_experiment_of_each_member_with_its_numbers(monkeypatch):
    monkeypatch.setattr(named, "EXPERIMENTS", Registry("experiment"))
    family = named.Family(small="Small", large="Large")

    @family.each(steps=(1_000, 20_000))
    def quick(net):
        """{title}, in {steps:,} steps."""
        return Experiment(train=Train(steps=net.steps))

    made = {name: make() for name, make in named.EXPERIMENTS.items()}
    assert {name: each.train.steps for name, each in made.items()} == {
        "small_quick": 1_000, "large_quick": 20_000,
    }  # fmt: skip
    assert all(each.name == name for name, each in made.items())
    assert named.EXPERIMENTS["large_quick"].__doc__.startswith("Large, in 20,000 steps.\n")
    assert quick("large").train.steps == 20_000
    with pytest.raises(ValueError, match="shorter"):
        family.each(steps=(1_000,))(quick)
