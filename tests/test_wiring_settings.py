"""Every setting arrives where it should, through ``find_tickets``, and changes nothing before that place."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from ltjax import DATASETS, Data, Dataset, Experiment, Model, Prune, Rates, Train, find_tickets
from ltjax.core.choices import defaults
from ltjax.core.registry import registry
from ltjax.core.safetensors import save_tensors
from ltjax.core.types import Lane
from ltjax.data import split
from ltjax.lanes.history import LANE, curves_columns, metric_in
from ltjax.lottery.rewinding import FreezeInit
from ltjax.settings import sweeps
from ltjax.settings.fields import choices_of, replaced, settings_of
from ltjax.sparsity.schedules import AtInit, OneShot
from ltjax.training.evolve import Gradual, RigL, Set
from ltjax.training.losses import LOSSES, CrossEntropy
from ltjax.training.optimizers import Momentum
from ltjax.training.rates import Drops
from ltjax.training.task import Task
from ltjax.training.tasks import TASKS

from .conftest import finish
from .witness import called

LENET = Experiment(
    name="wiring", trials=2, seed=3, data=Data(validation=100), model=Model(widths=(16,)),
    train=Train(steps=4, batch=30, optimizer="momentum", learning_rate=0.05, evaluate_every=4,
                evaluate_batch=2000),
    prune=Prune(rounds=1, rates=Rates(conv=0.2, fc=0.2, output=0.2)),
)  # fmt: skip

START, TRAINING, PRUNING = "theta0", "trained params of round 0", "masks of later rounds"
LATER = "trained params of later rounds"
CURVES, LANES, NOTHING, ROUNDING = "curves", "which lanes there are", "nothing", "rounding errors"
"""What a setting may change. What is decided before it stays the same, bit for bit: ``difference``."""

NORMED, MIXED = {"model.name": "normed"}, {"model.name": "mixed"}
AT_INIT = {"prune.criterion": "snip", "prune.schedule": AtInit((0.5,))}
MOVING = {**AT_INIT, "evolve": RigL(interval=1)}
CHANNELS = {**NORMED, "model.channels": (8,), "prune.structure": "channels", "prune.rates.conv": 0.5,
            "prune.rates.fc": None}  # fmt: skip
WEIGHTS = {"loss": CrossEntropy(class_weights=(1.0,) * 10)}

ROWS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (LANES, {"trials": 1}, {}),
    (START, {"seed": 4}, {}),
    (LANES, {"arms": {"ticket": 1, "reinit": 1}}, {}),
    (LANES, {"control_rounds": (1,)}, {"arms": {"ticket": 1, "reinit": 1}}),
    (TRAINING, {"data.name": "mirrored"}, {}),
    (TRAINING, {"data.validation": 101}, {}),
    (TRAINING, {"data.augment": "flip_crop"}, {}),
    (START, {"model.name": "normed"}, {}),
    (START, {"model.widths": (9,)}, {}),
    (START, {"model.channels": (3,)}, NORMED),
    (TRAINING, {"model.dropout": 0.5}, {}),
    (TRAINING, {"model.precision": "bfloat16"}, {}),
    (START, {"model.init": "he_normal"}, {}),
    (START, {"model.init_std": 0.3}, {}),
    (START, {"model.start": "given.safetensors"}, {}),
    (TRAINING, {"ticket": "given:1"}, {}),
    (TRAINING, {"train.batch": 31}, {}),
    (TRAINING, {"train.learning_rate": 0.01}, {}),
    (TRAINING, {"train.schedule.warmup": 3}, {}),
    (TRAINING, {"train.schedule": "cosine"}, {}),
    (TRAINING, {"train.schedule.floor": 0.5}, {"train.schedule": "cosine"}),
    (TRAINING, {"task": "upside_down"}, {}),
    (TRAINING, {"loss": "squared"}, {}),
    (TRAINING, {"loss.smoothing": 0.1}, WEIGHTS),
    (TRAINING, {"loss.class_weights": (2.0,) + 9 * (1.0,)}, WEIGHTS),
    (CURVES, {"metric": "top_k"}, {}),
    (CURVES, {"metric.k": 3}, {"metric": "top_k"}),
    (LANES, {"prune.rounds": 2}, {}),
    (PRUNING, {"prune.rates.conv": 0.3}, NORMED),
    (PRUNING, {"prune.rates.fc": 0.3}, {}),
    (PRUNING, {"prune.rates.output": 0.3}, {}),
    (PRUNING, {"prune.rates.attention": 0.3}, MIXED),
    (PRUNING, {"prune.rates.recurrent": 0.3}, MIXED),
    (PRUNING, {"prune.rates.embedding": 0.3}, MIXED),
    (PRUNING, {"prune.rates.shortcut": 0.3}, MIXED),
    (PRUNING, {"prune.rate_by_path": ("fc1/*=0.3",)}, {}),
    (PRUNING, {"prune.output": "fc1"}, {"prune.rates.fc": 0.3}),
    (PRUNING, {"prune.structure": "global"}, {}),
    (PRUNING, {"prune.criterion": "initial"}, {}),
    (PRUNING, {"prune.schedule": "continued"}, {"arms": {"ticket": 1, "continued": 1}}),
    (PRUNING, {"prune.schedule.fractions": (0.4,)}, {"prune.schedule": OneShot((0.3,))}),
    (PRUNING, {"prune.densities": "balanced"}, {}),
    (PRUNING, {"prune.densities.output": 0.6}, {"prune.densities": "smart_ratio"}),
    (PRUNING, {"prune.densities.steep": True}, {"prune.densities": "smart_ratio", "model.widths": (16, 9)}),
    (PRUNING, {"prune.schedule.densities": (0.4,)}, AT_INIT),
    (PRUNING, {"prune.schedule.steps": 2}, AT_INIT),
    (LANES, {"prune.schedule.dense": False}, AT_INIT),
    (PRUNING, {"prune.criterion.examples": 20}, {"prune.criterion": "snip"}),
    (PRUNING, {"prune.criterion.temperature": 0.01}, {"prune.criterion": "grasp"}),
    (PRUNING, {"prune.structure.n": (1,)}, {"prune.structure": "n_of_m"}),
    (PRUNING, {"prune.structure.m": 8}, {"prune.structure": "n_of_m"}),
    (PRUNING, {"prune.structure.by": "norm"}, CHANNELS),
    (PRUNING, {"evolve": Set(interval=1)}, MOVING),
    (PRUNING, {"evolve.interval": 2}, MOVING),
    (PRUNING, {"evolve.fraction": 0.5}, MOVING),
    (PRUNING, {"evolve.decay": "constant"}, MOVING),
    (PRUNING, {"evolve.end": 0.5}, MOVING),
    (PRUNING, {"evolve.start": 0.5}, {**AT_INIT, "evolve": Gradual(interval=1)}),
    (TRAINING, {"scheme": "supermask"}, AT_INIT),
    (TRAINING, {"scheme.rescale": True}, {**AT_INIT, "scheme": "supermask"}),
    (PRUNING, {"scheme.signed": True}, {**AT_INIT, "scheme": "edge_popup"}),
    (LATER, {"prune.rewind": "learning_rate"}, {}),
    (LATER, {"prune.rewind.zero": "shrunk"}, {"prune.rewind": "freeze_init"}),
    (LATER, {"prune.rewind.places": "reversed"}, {"prune.rewind": FreezeInit("shrunk")}),
    (LATER, {"prune.rewind.k": 3}, {"prune.rewind": "step"}),
    (LATER, {"prune.rewind.t": 2}, {"prune.rewind": "learning_rate"}),
    (TRAINING, {"train.repeat": ()}, {"arms": {"ticket": 2}}),
    (TRAINING, {"train.redraw": False}, {"arms": {"ticket": 1, "reinit": 2}}),
    (NOTHING, {"analyses": ("overlap",)}, {}),
    # what the next ones change each is in test_wiring_measures.py; here is that together they change no more
    (CURVES, {"train.evaluate_every": 2, "train.evaluate_batch": 100, "train.train_curve": "exact"}, {}),
    (NOTHING, {"name": "other", "data.dir": "elsewhere", "data.raw": "elsewhere", "compute.devices": 1,
               "compute.lanes": 1, "compute.memory": 4.0, "compute.snapshot_minutes": 0.5,
               "compute.keep": "masks", "numerics.convolution": "direct", "numerics.x64": False}, {}),
    (NOTHING, {"sweep": {"train.learning_rate": (0.05,)}}, {}),
    (ROUNDING, {"compute.data": 2, "compute.batching": "vmap", "compute.convolution": "loop"}, NORMED),
]  # fmt: skip
"""What settings change first, other values of them than the base's, and the base's own settings, if any."""

INITIALIZERS = {
    "glorot_normal": (2 / (64 + 16), 2.28), "glorot_uniform": (2 / (64 + 16), 3**0.5),
    "he_normal": (2 / 64, 2.28), "he_uniform": (2 / 64, 3**0.5), "lecun_normal": (1 / 64, 2.28),
}  # fmt: skip
"""Their variance in LeNet's first layer, and the largest weight in standard deviations."""

MUCH = {
    "model.init": "he_uniform",
    "train.schedule.warmup": 3,
    "train.learning_rate": 0.01,
    "prune.rates.fc": 0.3,
}
"""Values with which a run of its own is set beside the point of a sweep."""

BY_HAND = {"train.steps": 5, "train.optimizer": "sgd", "train.optimizer.momentum": 0.0,
           "train.weight_decay": 0.0, "train.schedule.drops": (), "train.schedule.warmup": 1,
           "train.learning_rate": 0.4}  # fmt: skip
"""Settings whose effect is recomputed by NumPy, with other values than that test's."""


def leaves(node: Any, prefix: str = "") -> dict[str, Any]:
    """Every setting of a configuration by its dotted name; dictionaries count as single settings."""
    return {name: each.value for name, each in settings_of(node, prefix).items()}


def changed(node: Any, settings: dict[str, Any]) -> Any:
    """A configuration with other values of some settings, by their dotted names."""
    for name, value in settings.items():
        node = replaced(node, name, value)
    return node


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """A function that gives the rounds of an experiment; each is run once."""
    kept: dict[str, list[Any]] = {}
    shapes = {"fc1": (64, 16), "output": (16, 10)}
    given = {name: {"kernel": np.full(shape, 0.1, np.float32), "bias": np.zeros(shape[1], np.float32)}
             for name, shape in shapes.items()}  # fmt: skip

    def run(experiment: Experiment) -> list[Any]:
        if repr(experiment) not in kept:
            kept[repr(experiment)] = list(find_tickets(experiment))
        return kept[repr(experiment)]

    with pytest.MonkeyPatch.context() as patch, called():
        patch.chdir(tmp_path_factory.mktemp("given"))
        patch.setitem(DATASETS, "mirrored", DATASETS["digits"]._replace(load=mirrored))
        patch.setitem(TASKS, "upside_down", upside_down)
        patch.setitem(LOSSES, "squared", lambda outputs, targets: CrossEntropy()(outputs, targets) ** 2)
        save_tensors(Path("given.safetensors"), given, {})
        finish(LENET, Path("given"))
        for experiment, rounds in swept(run).items():
            kept[experiment] = rounds
        yield run


def mirrored(data: Data) -> Dataset:
    """The digits upside down."""
    digits = DATASETS["digits"].load(data)
    return digits._replace(train_inputs=digits.train_inputs[:, ::-1])


def upside_down(experiment: Experiment) -> Task:
    """The task of the digits upside down."""
    return TASKS["classification"](replace(experiment, data=Data("mirrored")))


def swept(run: Callable[[Experiment], list[Any]]) -> dict[str, list[Any]]:
    """The rows of one program, and the base, run as the points of one sweep: their rounds by experiment."""
    fixed = {name for name, each in settings_of(LENET).items() if each.facts.fixed}
    rows = [change for _, change, own in ROWS if not own and not set(change) & fixed]
    others = [{"model.init": name} for name in INITIALIZERS if name not in (LENET.model.init, "he_normal")]
    apart = [{}, MUCH, *others, *filter(fits, rows)]
    names, base = {name: None for change in apart for name in change}, leaves(LENET)
    columns = {name: tuple(change.get(name, base[name]) for change in apart) for name in names}
    points: dict[str, list[Any]] = {}
    for found in run(replace(LENET, sweep=columns)):
        points.setdefault(found.point, []).append(found)
    return {
        repr(changed(LENET, change)): rounds for change, rounds in zip(apart, points.values(), strict=True)
    }


def fits(change: dict[str, Any]) -> bool:
    """Whether an experiment can train as lanes of the base's program."""
    return sweeps.program_key(changed(LENET, change)) == sweeps.program_key(LENET)


def facts(rounds: list[Any]) -> dict[str, dict[Any, Any]]:
    """What a run decides, in the order in which it does, by trial or by round and lane."""
    outcomes = {(each.index, lane): each.lane(lane) for each in rounds for lane in each.lanes}
    left = {at: (outcome.trained, outcome.collections) for at, outcome in outcomes.items()}
    curves = {(round, Lane(*lane)): rows[curves_columns(metric_in(each.summary))[4:]].to_numpy().tolist()
              for each in rounds for (*lane, round), rows in each.curves.groupby(LANE)}  # fmt: skip
    return {
        START: {trial: params for each in rounds for trial, params in each.theta0.items()},
        TRAINING: {at: value for at, value in left.items() if at[0] == 0},
        PRUNING: {at: outcome.mask for at, outcome in outcomes.items()},
        LATER: {at: value for at, value in left.items() if at[0] > 0},
        CURVES: curves,
    }  # fmt: skip


def same(one: Any, two: Any) -> bool:
    """Whether two trees are the same, bit for bit."""
    ours, theirs = jax.tree.leaves(one), jax.tree.leaves(two)
    return len(ours) == len(theirs) and all(map(np.array_equal, ours, theirs))


def difference(one: list[Any], two: list[Any]) -> str:
    """The first of what runs decide in which two runs differ, in the trials or lanes that both have."""
    ours, theirs = facts(one), facts(two)
    for what in ours:
        if not all(same(ours[what][at], theirs[what][at]) for at in ours[what].keys() & theirs[what].keys()):
            return what
    return LANES if ours[CURVES].keys() != theirs[CURVES].keys() else NOTHING


def assert_close(one: list[Any], two: list[Any]) -> None:
    """The same lanes, masks, steps and splits; numbers to float tolerance."""
    ours, theirs = facts(one), facts(two)
    assert same(ours[PRUNING], theirs[PRUNING])
    for mine, yours in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        if isinstance(mine, str):
            assert mine == yours
        else:
            np.testing.assert_allclose(mine, yours, rtol=1e-3, atol=1e-4)


def test_every_setting_is_in_one_of_the_tables():
    every = {name for _, change, _ in ROWS for name in change} | set(BY_HAND)
    parameters = {f"{setting}.{name}" for setting, choice in choices_of(Experiment()).items()
                  for entry in registry(choice.kind) for name in defaults(choice.kind, entry)}  # fmt: skip
    assert every == (set(leaves(Experiment())) | parameters) - {"numerics.random_numbers"}


HELD_ELSEWHERE = {
    "data.validation", "data.augment", "train.batch", "model.channels", "model.dropout", "model.precision",
    "model.widths", "prune.rewind.t", "train.repeat", "train.redraw", "evolve", "evolve.fraction",
    "evolve.decay", "evolve.end", "evolve.start", "scheme.rescale", "scheme.signed",
}  # fmt: skip
"""Settings whose rows are a long form: tests of data, models, training, rewinding, repeats, evolving masks
and schemes would fail, too; a choice's parameters arrive with it, as ``evolve.interval`` does."""


@pytest.mark.parametrize(
    ("what", "change", "own"),
    [pytest.param(*row, marks=pytest.mark.long if HELD_ELSEWHERE & set(row[1]) else ()) for row in ROWS],
    ids=lambda each: " ".join(each) if isinstance(each, dict) else None,
)
def test_a_setting_changes_what_it_is_for_and_nothing_that_is_decided_before(what, change, own, found):
    base = changed(LENET, own)
    assert all(leaves(base)[name] != value for name, value in change.items())
    before, after = found(base), found(changed(base, change))
    if what == ROUNDING:
        assert_close(before, after)
    else:
        assert difference(before, after) == what


def test_a_run_of_its_own_is_what_the_point_of_a_sweep_is(found):
    """With much that the first point has otherwise; the table's runs of one program are points of a sweep."""
    assert difference(found(changed(LENET, MUCH)), list(find_tickets(changed(LENET, MUCH)))) == NOTHING


COMPILED = {"train.steps": 5, "train.batch": 31, "train.optimizer": "sgd", "train.optimizer.momentum": 0.5,
            "train.weight_decay": 0.1, "train.schedule": Drops(drops=(2,)), "train.evaluate_every": 2,
            "model.dropout": 0.5, "data.augment": "flip_crop"}  # fmt: skip


@pytest.mark.parametrize("name", COMPILED)
def test_points_of_a_sweep_that_differ_in_what_is_compiled_do_not_share_a_program(name):
    assert not fits({name: COMPILED[name]})


def test_the_initial_weights_are_the_initializers_and_the_default_is_gaussian_glorot(found):
    for name, (variance, largest) in INITIALIZERS.items():
        theta0 = found(changed(LENET, {"model.init": name}))[0].theta0
        weights = np.stack([params["fc1"]["kernel"] for params in theta0.values()])
        assert weights.std() == pytest.approx(variance**0.5, rel=0.05), name
        assert 0.9 * largest < np.abs(weights).max() / variance**0.5 < 1.01 * largest, name
    assert LENET.model == Model(widths=(16,)) and Model().init == "glorot_normal"


def by_hand(params: Any, mask: Any, images: np.ndarray, labels: np.ndarray, train: Train) -> Any:
    """A softmax regression trained on all examples at every step, by NumPy in float64."""
    inputs, wanted = images.reshape(len(images), -1) / 255.0, np.eye(10)[labels]
    weights = {name: np.where(mask[name], params[name], 0).astype(float) for name in params}
    rates, moments = train.schedule.parameters, {"sgd": 0.0, "adam": 0.9, **train.optimizer.parameters}
    first, second = ({name: np.zeros_like(each) for name, each in weights.items()} for _ in range(2))
    for step in range(train.steps):
        rate = train.learning_rate * min((step + 1) / rates["warmup"], 1)
        rate /= 10 ** sum(step >= drop for drop in rates["drops"])
        logits = inputs @ weights["kernel"] + weights["bias"]
        likely = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        slopes = {
            "kernel": inputs.T @ (likely - wanted) / len(labels),
            "bias": (likely - wanted).mean(axis=0),
        }
        for name, each in weights.items():
            slope = (slopes[name] + train.weight_decay * each) * mask[name]
            moment = moments[train.optimizer.name]
            if train.optimizer.name == "adam":
                first[name] = 0.9 * first[name] + 0.1 * slope
                second[name] = 0.999 * second[name] + 0.001 * slope**2
                mean, spread = first[name] / (1 - 0.9 ** (step + 1)), second[name] / (1 - 0.999 ** (step + 1))
                each -= rate * mean / (np.sqrt(spread) + 1e-8)
            else:
                first[name] = moment * first[name] + slope
                each -= rate * first[name]
    return weights


@pytest.mark.parametrize(("optimizer", "rate"), [("sgd", 2.0), ("momentum", 0.5), ("adam", 0.02)])
def test_training_is_what_numpy_makes_of_its_settings_in_every_round(optimizer, rate, digits):
    """Rate, warm-up, drops, momentum and weight decay in their places; each round from θ₀ and no moments."""
    small = digits._replace(train_inputs=digits.train_inputs[:40], train_targets=digits.train_targets[:40])
    chosen = Momentum(0.7) if optimizer == "momentum" else optimizer
    train = Train(steps=6, batch=30, optimizer=chosen, learning_rate=rate, weight_decay=0.05,
                  schedule=Drops(3, (4, 5)), evaluate_every=6)  # fmt: skip
    experiment = replace(LENET, trials=1, data=Data(validation=10), model=Model(widths=()), train=train)
    seen = split(small, 10, LENET.seed).train
    for found in find_tickets(changed(experiment, {"prune.rates.output": 0.4}), dataset=small):
        mask, trained, _ = found.lane(Lane("ticket", 0))
        begun = (found.theta0[0]["output"], mask["output"], np.asarray(seen.inputs), np.asarray(seen.targets))
        expected = by_hand(*begun, train)
        assert apart(trained["output"], expected) < 1e-4
        for name, value in BY_HAND.items():
            if leaves(experiment).get(name, value) != value:
                other = by_hand(*begun, changed(experiment, {name: value}).train)
                assert apart(expected, other) > 1e-3, name


def apart(one: Any, two: Any) -> float:
    """How far two layers' params are from each other, at most, in units of the larger ones' size."""
    return max(float(np.abs(one[name] - two[name]).max() / np.abs(two[name]).max()) for name in one)
