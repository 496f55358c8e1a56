"""ltjax: the lottery-ticket laboratory."""

# first: importing the others takes seconds, in which Ctrl-C should be one sentence too
from ltjax import interrupts as interrupts

# isort: split
from ltjax.arms import ARMS, rewind
from ltjax.catalogue import load_experiment
from ltjax.config import Compute, Data, Experiment, Model, Prune, Rates, Train
from ltjax.data import DATASETS, Dataset
from ltjax.errors import UserError
from ltjax.evaluation import Evaluation, evaluate
from ltjax.lottery import Round, find_tickets
from ltjax.models import MODELS, WIRINGS, Wiring
from ltjax.optimizers import OPTIMIZERS
from ltjax.running import run_experiment
from ltjax.runs import load_collections, load_ticket, load_trained
from ltjax.schedules import SCHEDULES
from ltjax.scores import SCORES
from ltjax.types import Lane, Ticket
from ltjax.version import __version__

__all__ = [
    "ARMS", "DATASETS", "MODELS", "OPTIMIZERS", "SCHEDULES", "SCORES", "WIRINGS",
    "Compute", "Data", "Dataset", "Evaluation", "Experiment", "Lane", "Model", "Prune", "Rates", "Round",
    "Ticket", "Train", "UserError", "Wiring", "__version__",
    "evaluate", "find_tickets", "load_collections", "load_experiment", "load_ticket", "load_trained",
    "rewind", "run_experiment",
]  # fmt: skip
