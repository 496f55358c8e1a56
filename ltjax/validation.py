"""What an experiment must satisfy before anything is trained; each failure is one clear sentence."""

import jax

from ltjax import pruning, sweeps
from ltjax.arms import ARMS
from ltjax.augmentations import AUGMENTATIONS
from ltjax.config import Experiment
from ltjax.data import DATASETS, Source
from ltjax.errors import UserError
from ltjax.identity import checked
from ltjax.models import MODELS, make_network
from ltjax.optimizers import OPTIMIZERS
from ltjax.schedules import SCHEDULES
from ltjax.schedules import source as source_arm
from ltjax.scores import SCORES
from ltjax.tensors import load_start
from ltjax.types import Params


def validate(experiment: Experiment, source: Source | None = None) -> None:
    """Check a configuration, before its data is loaded.

    Args:
        experiment: the configuration.
        source: the data's sizes, where they are not those of the data set it names.

    Raises:
        UserError: the first thing that cannot be run, by its command-line name.
    """
    checked(experiment)
    for point in sweeps.points(experiment).values():
        _validate_point(point, source or DATASETS.find(experiment.data.name))


def _validate_point(experiment: Experiment, source: Source) -> None:
    _names(experiment)
    _sizes(experiment)
    _rates(experiment)
    _schedule(experiment)
    _examples(experiment, source.train)
    _kinds(experiment, _params(experiment, source))


def check_start(experiment: Experiment) -> None:
    """Check the files of ``model.start``, which a run needs only until it has kept its own copy.

    Raises:
        UserError: one is missing or does not fit the network.
    """
    source = DATASETS.find(experiment.data.name)
    for point in sweeps.points(experiment).values():
        for trial in range(point.trials if point.model.start else 0):
            load_start(str(point.model.start), trial, _params(point, source))


def _params(experiment: Experiment, source: Source) -> Params:
    """The params' shapes."""
    network = make_network(experiment.model, source.image, source.classes)
    return jax.eval_shape(network.init, jax.eval_shape(lambda: jax.random.key(0)))[0]


def _names(experiment: Experiment) -> None:
    for arm in experiment.arms:
        ARMS.find(arm)
    MODELS.find(experiment.model.name)
    OPTIMIZERS.find(experiment.train.optimizer)
    AUGMENTATIONS.find(experiment.data.augment)
    SCORES.find(experiment.prune.score)
    SCHEDULES.find(experiment.prune.schedule)


def _sizes(experiment: Experiment) -> None:
    train = experiment.train
    least = {
        "trials": (experiment.trials, 1),
        "train.steps": (train.steps, 1),
        "train.batch": (train.batch, 1),
        "train.evaluate_every": (train.evaluate_every, 1),
        "train.evaluate_batch": (train.evaluate_batch, 1),
        "train.warmup": (train.warmup, 0),
        "train.drops": (min(train.drops, default=1), 1),
        "data.validation": (experiment.data.validation, 1),
        "prune.rounds": (experiment.prune.rounds, 0),
        "compute.data": (experiment.compute.data, 1),
        "compute.lanes": (1 if experiment.compute.lanes is None else experiment.compute.lanes, 1),
        **{f"arms.{arm}": (repeats, 0) for arm, repeats in experiment.arms.items()},
    }
    for name, (value, minimum) in least.items():
        if value < minimum:
            raise UserError(f"{name} must be at least {minimum}, not {value}.")
    if train.batch % experiment.compute.data:
        raise UserError(
            f"train.batch must be a multiple of compute.data, {experiment.compute.data}, not {train.batch}."
        )
    if not experiment.arms.get("ticket"):
        raise UserError("arms.ticket cannot be 0: the tickets' training finds every arm's masks.")
    if not 0 <= experiment.seed < 2**32:
        raise UserError(f"seed must lie between 0 and {2**32 - 1}, not {experiment.seed}.")
    if not 0 < train.learning_rate < float("inf"):
        raise UserError(f"train.learning_rate must be positive, not {train.learning_rate}.")
    if not 0 <= train.weight_decay < float("inf"):
        raise UserError(f"train.weight_decay must be 0 or more, not {train.weight_decay}.")
    compute = experiment.compute
    for name, given in (("memory", compute.memory), ("snapshot_minutes", compute.snapshot_minutes)):
        if given is not None and not given > 0:
            raise UserError(f"compute.{name} must be positive, not {given}.")
    if not 0 <= train.momentum < 1:
        raise UserError(f"train.momentum must lie in [0, 1), not {train.momentum}.")


def _rates(experiment: Experiment) -> None:
    rates = vars(experiment.prune.rates)
    for kind, rate in rates.items():
        if rate is not None and not 0 < rate < 1:
            raise UserError(
                f"prune.rates.{kind} must lie between 0 and 1, both excluded, not {rate}; "
                "None leaves these layers unpruned."
            )
    for allowed, name, value in [
        (("layer", "global"), "prune.scope", experiment.prune.scope),
        (("running", "exact"), "train.train_curve", experiment.train.train_curve),
        (("float32", "bfloat16"), "model.precision", experiment.model.precision),
        (("auto", "map", "vmap"), "compute.batching", experiment.compute.batching),
        (
            ("auto", "grouped", "unrolled", "loop"),
            "compute.convolution",
            experiment.compute.convolution,
        ),
    ]:
        if value not in allowed:
            raise UserError(f"{name} must be one of {', '.join(allowed)}, not {value!r}.")


def _schedule(experiment: Experiment) -> None:
    prune = experiment.prune
    if prune.schedule != "oneshot" and prune.fractions:
        raise UserError(f"prune.fractions are for prune.schedule oneshot, not {prune.schedule}.")
    if prune.schedule == "oneshot" and prune.rounds > len(prune.fractions):
        raise UserError(
            f"prune.rounds {prune.rounds} needs as many prune.fractions, not {len(prune.fractions)}; "
            "three would be --prune.rounds 3 --prune.fractions 0.2 0.5 0.8."
        )
    if not experiment.arms.get(arm := source_arm(prune)):
        raise UserError(
            f"prune.schedule {prune.schedule} needs --arms.{arm} 1: its training finds the masks."
        )
    for fraction in prune.fractions:
        if not 0 < fraction < 1:
            raise UserError(f"prune.fractions must lie between 0 and 1, both excluded, not {fraction}.")
    controls = experiment.control_rounds
    if controls and not 0 <= min(controls) <= prune.rounds:
        raise UserError(f"control_rounds must be rounds from 0 to {prune.rounds}, not {min(controls)}.")


def _kinds(experiment: Experiment, params: Params) -> None:
    rates = pruning.rates_by_path(params, experiment.prune.rates)
    if not rates:
        raise UserError(f"prune.rates leave nothing to prune in '{experiment.model.name}'.")
    firsts = {rate: path for path, rate in reversed(rates.items())}
    if experiment.prune.scope == "global" and len(firsts) > 1:
        raise UserError(
            "prune.scope global ranks all layers together, so it needs one rate for every pruned layer, "
            f"not {' and '.join(f'{rate} for {path}' for rate, path in firsts.items())}."
        )


def _examples(experiment: Experiment, total: int) -> None:
    validation, batch = experiment.data.validation, experiment.train.batch
    if validation >= total:
        raise UserError(f"data.validation must be below {total}, all there is to train on, not {validation}.")
    if batch > total - validation:
        raise UserError(
            f"train.batch must be at most {total - validation}, the examples left to train on, not {batch}."
        )
