"""What there is to choose from, by name, and what it is for: the registries, as help and lists show them."""

from collections.abc import Callable, Mapping
from inspect import getdoc
from typing import Any, Literal

import jax

from ltjax.analysis.analyses import ANALYSES
from ltjax.cli.loggers import LOGGERS
from ltjax.core.registry import registry
from ltjax.data import DATASETS, Source
from ltjax.lottery.arms import ARMS
from ltjax.lottery.rewinding import REWINDINGS
from ltjax.models import INITIALIZERS, MODELS
from ltjax.settings.fields import choices_of
from ltjax.settings.loading import experiments
from ltjax.settings.schema import Experiment
from ltjax.sparsity.criteria import CRITERIA
from ltjax.sparsity.densities import DENSITIES
from ltjax.sparsity.schedules import SCHEDULES
from ltjax.sparsity.structures import STRUCTURES
from ltjax.training.augmentations import AUGMENTATIONS
from ltjax.training.evolve import EVOLVES
from ltjax.training.losses import LOSSES
from ltjax.training.metrics import METRICS
from ltjax.training.optimizers import OPTIMIZERS
from ltjax.training.rates import RATE_SCHEDULES
from ltjax.training.schemes import SCHEMES
from ltjax.training.tasks import TASKS

Kind = Literal[
    "experiments", "tasks", "losses", "metrics", "models", "datasets", "arms", "criteria",
    "structures", "densities", "schedules", "rewindings", "evolves", "schemes",
    "optimizers", "rates", "augmentations", "analyses", "figures", "claims", "loggers",
]  # fmt: skip


def documented(entries: Mapping[str, Any]) -> dict[str, str]:
    """Functions by name, each with the first line of what it says of itself."""
    return {name: (getdoc(entry) or "").split("\n")[0] for name, entry in entries.items()}


def _data_set(source: Source) -> str:
    """What a data set says of itself, and its sizes."""
    purpose = (getdoc(source.load) or "").split("\n")[0].rstrip(".")
    inputs = " and ".join(" × ".join(map(str, leaf.shape)) for leaf in jax.tree.leaves(source.inputs))
    whole = jax.tree.leaves(source.targets)[0].dtype == "int32"
    sizes = (
        f"{source.train:,} training and {source.test:,} test examples of {inputs}, {source.classes} "
        f"{'classes' if whole else 'numbers'}"
    )
    return f"{purpose} ({sizes})." if purpose else f"{sizes}."


def _figures() -> dict[str, str]:
    from ltjax import studies  # brings matplotlib, which a run has no use for

    return {name: studies.FIGURES[name].title for name in studies.in_order()}


def _claims() -> dict[str, str]:
    from ltjax import studies

    return {name: claim.paper for name, claim in studies.CLAIMS.items()}


PURPOSES: dict[Kind, Callable[[], Mapping[str, str]]] = {
    "experiments": experiments,
    "tasks": lambda: documented(TASKS),
    "losses": lambda: documented(LOSSES),
    "metrics": lambda: documented(METRICS),
    "models": lambda: documented(MODELS),
    "datasets": lambda: {name: _data_set(source) for name, source in DATASETS.items()},
    "arms": lambda: documented(ARMS),
    "criteria": lambda: documented(CRITERIA),
    "structures": lambda: documented(STRUCTURES),
    "densities": lambda: documented(DENSITIES),
    "schedules": lambda: documented(SCHEDULES),
    "rewindings": lambda: documented(REWINDINGS),
    "evolves": lambda: documented(EVOLVES),
    "schemes": lambda: documented(SCHEMES),
    "optimizers": lambda: documented(OPTIMIZERS),
    "rates": lambda: documented(RATE_SCHEDULES),
    "augmentations": lambda: documented(AUGMENTATIONS),
    "analyses": lambda: documented(ANALYSES),
    "figures": _figures,
    "claims": _claims,
    "loggers": lambda: documented(LOGGERS),
}
"""What the entries of each kind are for, by name."""

OPTIONS: dict[str, Callable[[], Mapping[str, str]]] = {
    "--arms.NAME": PURPOSES["arms"],
    "--data.name": PURPOSES["datasets"],
    "--model.name": PURPOSES["models"],
    "--model.init": lambda: documented({name: getattr(jax.nn.initializers, name) for name in INITIALIZERS}),
    "--log": PURPOSES["loggers"],
    "--analyses": PURPOSES["analyses"],
} | {
    f"--{name}": lambda kind=choice.kind: documented(registry(kind))
    for name, choice in choices_of(Experiment()).items()
}
"""The options of ``ltjax run`` whose values are called by name, and these names with what they are for."""
