"""``ltjax list``: what there is to choose from, by name."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import getdoc
from typing import Annotated, Any, Literal

import tyro
from rich.console import Console

from ltjax import studies
from ltjax.cli.command import exit_codes
from ltjax.cli.display import show
from ltjax.cli.loggers import LOGGERS
from ltjax.cli.parsing import read
from ltjax.data import DATASETS
from ltjax.lanes import backend
from ltjax.lottery.arms import ARMS
from ltjax.models import MODELS
from ltjax.settings.loading import experiments, load_experiment
from ltjax.sparsity.schedules import SCHEDULES
from ltjax.sparsity.scores import SCORES
from ltjax.training.augmentations import AUGMENTATIONS
from ltjax.training.optimizers import OPTIMIZERS

PROGRAM = "ltjax list"

Kind = Literal[
    "experiments", "models", "datasets", "arms", "scores", "schedules", "optimizers", "augmentations",
    "figures", "claims", "loggers",
]  # fmt: skip


def _documented(entries: Mapping[str, Any]) -> dict[str, str]:
    """Functions by name, each with the first line of what it says of itself."""
    return {name: (getdoc(entry) or "").split("\n")[0] for name, entry in entries.items()}


PURPOSES: dict[Kind, Callable[[], Mapping[str, str]]] = {
    "experiments": experiments,
    "models": lambda: _documented(MODELS),
    "datasets": lambda: {name: _sizes(source) for name, source in DATASETS.items()},
    "arms": lambda: _documented(ARMS),
    "scores": lambda: _documented(SCORES),
    "schedules": lambda: _documented(SCHEDULES),
    "optimizers": lambda: _documented(OPTIMIZERS),
    "augmentations": lambda: _documented(AUGMENTATIONS),
    "figures": lambda: {name: studies.FIGURES[name].title for name in studies.in_order()},
    "claims": lambda: {name: claim.paper for name, claim in studies.CLAIMS.items()},
    "loggers": lambda: _documented(LOGGERS),
}
"""What the entries of each kind are for, by name."""


@dataclass(frozen=True)
class Options:
    """Show what there is to choose from: experiments, or what their settings may name."""

    kind: Annotated[Kind, tyro.conf.Positional] = "experiments"
    """What to show."""
    config: str | None = None
    """A .py file of your own, whose entries are shown too; it is run."""


def main(arguments: list[str] | None = None, program: str = PROGRAM) -> None:
    """The command line; exits with 0, 1 (input or output failed), 2 (unusable), 130 (interrupted) or 143."""
    arguments = sys.argv[1:] if arguments is None else arguments
    backend.set_up()
    with exit_codes(program, arguments):
        options = read(Options, arguments, program)
        if options.config:
            load_experiment(options.config)
        show(PURPOSES[options.kind](), Console())


def _sizes(source: Any) -> str:
    image = " × ".join(map(str, source.image))
    return f"{source.train:,} training and {source.test:,} test examples of {image}, {source.classes} classes"
