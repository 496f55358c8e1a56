"""ltjax: the lottery-ticket laboratory.

Importing it sets JAX up as the command line does, where the user has not: a CPU device per core, kept
compilations. JAX's own settings and environment variables (``JAX_NUM_CPU_DEVICES``,
``JAX_COMPILATION_CACHE_DIR``) choose otherwise; random numbers follow from an experiment's seed alone.
"""

from ltjax.analysis import (  # noqa: F401  # they register analyses
    connectivity,
    curvature,
    effective,
    moved,
    overlap,
    weight_statistics,
)  # fmt: skip
from ltjax.analysis.analyses import ANALYSES, analyse
from ltjax.analysis.evaluation import Evaluation, evaluate
from ltjax.cli.running import run_experiment
from ltjax.core.choices import Choice
from ltjax.core.errors import UserError
from ltjax.core.types import Lane, Ticket
from ltjax.core.version import __version__
from ltjax.data import DATASETS, Dataset
from ltjax.lanes.backend import set_up
from ltjax.lottery.arms import ARMS
from ltjax.lottery.loop import Round, find_tickets
from ltjax.lottery.rewinding import REWINDINGS, rewind
from ltjax.models import MODELS, WIRINGS, Wiring
from ltjax.runs.tickets import load_collections, load_ticket, load_trained
from ltjax.settings.loading import load_experiment
from ltjax.settings.schema import Compute, Data, Experiment, Model, Numerics, Prune, Rates, Train
from ltjax.sparsity import channels, saliency, two_weights  # noqa: F401  # they register what they have
from ltjax.sparsity.criteria import CRITERIA
from ltjax.sparsity.densities import DENSITIES
from ltjax.sparsity.schedules import SCHEDULES
from ltjax.sparsity.structures import STRUCTURES
from ltjax.training.augmentations import AUGMENTATIONS
from ltjax.training.evolve import EVOLVES
from ltjax.training.losses import LOSSES
from ltjax.training.metrics import METRICS
from ltjax.training.optimizers import OPTIMIZERS
from ltjax.training.own import classification, regression, task
from ltjax.training.rates import RATE_SCHEDULES
from ltjax.training.schemes import SCHEMES
from ltjax.training.task import Task
from ltjax.training.tasks import TASKS
from ltjax.training.tasks import TASKS as tasks

__all__ = [
    "ANALYSES", "ARMS", "AUGMENTATIONS", "CRITERIA", "DATASETS", "DENSITIES", "EVOLVES", "LOSSES", "METRICS",
    "MODELS", "OPTIMIZERS", "RATE_SCHEDULES", "REWINDINGS", "SCHEDULES", "SCHEMES", "STRUCTURES", "TASKS",
    "WIRINGS", "Choice", "Compute", "Data", "Dataset", "Evaluation", "Experiment", "Lane", "Model",
    "Numerics", "Prune", "Rates", "Round", "Task", "Ticket", "Train", "UserError", "Wiring", "__version__",
    "analyse", "classification", "evaluate", "find_tickets", "load_collections", "load_experiment",
    "load_ticket", "load_trained", "regression", "rewind", "run_experiment", "task", "tasks",
]  # fmt: skip

set_up()
