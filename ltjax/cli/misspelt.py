"""What an option that does not exist was meant to be: another tool's name, a short form, or a slip."""

import difflib
import re
from collections.abc import Sequence

from ltjax.core.errors import UserError, shown

FOREIGN = {
    "--train.steps": "epochs epoch num-epochs n-epochs max-epochs iterations iters num-steps max-steps",
    "--train.batch": "batch-size bs train-batch-size",
    "--train.learning-rate": "lr rate step-size",
    "--train.optimizer": "optim opt",
    "--train.weight-decay": "wd l2",
    "--train.evaluate-every": "eval-every eval-interval log-interval",
    "--data.name": "dataset data-set data",
    "--data.dir": "data-dir data-path data-root",
    "--data.augment": "augmentation augmentations",
    "--model.name": "model network net arch architecture",
    "--model.widths": "hidden hidden-size hidden-sizes layers units",
    "--prune.rounds": "rounds levels pruning-rounds prune-iterations",
    "--prune.rates.fc": "pruning-rate prune-rate prune-percent pruning-fraction sparsity",
    "--prune.criterion": "score prune.score pruning-method method",
    "--prune.structure": "scope prune.scope",
    "--train.schedule": "lr-schedule scheduler lr-scheduler",
    "--prune.schedule.fractions": "prune.fractions",
    "--train.optimizer.momentum": "train.momentum momentum",
    "--train.schedule.warmup": "train.warmup warmup",
    "--train.schedule.drops": "train.drops milestones",
    "--trials": "seeds num-seeds n-seeds replicates repeats num-trials n-trials runs",
    "--seed": "random-seed random-state",
    "--workdir": "output outdir out output-dir out-dir save-dir savedir logdir log-dir run-dir folder to",
    "--config": "experiment exp config-name cfg",
    "--minutes": "time time-limit timeout",
    "--log": "wandb tensorboard logger",
    "--compute.devices": "gpu gpus device num-devices n-devices num-gpus",
    "--arms.reinit": "reinit",
}  # fmt: skip
"""What other tools, and habit, call an option of ``ltjax run``; some are parameters of a choice."""

CLOSE = 0.7
"""How alike a slip and what was meant must be, by difflib's measure."""


def unknown_option(arguments: Sequence[str], program: str, options: Sequence[str]) -> UserError:
    """The error for arguments that a command does not take, with what the first of them may have meant.

    Args:
        arguments: those that were left over, the misspelt option with its values.
        program: how the command is started.
        options: what it takes, as ``--prune.rounds``.

    Example:
        >>> str(unknown_option(["--epochs", "3"], "ltjax run", ["--train.steps"]))
        'there is no --epochs; did you mean --train.steps?'
    """
    given = next((each for each in arguments if each.startswith("-")), arguments[0]).partition("=")[0]
    spelt = re.fullmatch(r"--?\w[\w.-]{,60}", given)
    meant = nearest(given, options) if spelt else []
    advice = f"did you mean {' or '.join(meant)}?" if meant else f"{program} --help shows all options."
    what = f"no {given}" if spelt else f"nothing that takes {shown(given)}"
    return UserError(f"there is {what}; {advice}")


def nearest(given: str, options: Sequence[str]) -> list[str]:
    """The options that a name may have meant, of which there are several where it is the end of several.

    Example:
        >>> options = ["--train.steps", "--trials"]
        >>> nearest("--steps", options), nearest("--trails", options)
        (['--train.steps'], ['--trials'])
    """
    name = given.lstrip("-").lower().replace("_", "-")
    by_end = {option: option.lstrip("-").rpartition(".")[2] for option in options}
    return (
        [
            option
            for option, names in FOREIGN.items()
            if {option, option.rpartition(".")[0]} & set(options) and name in names.split()
        ]
        or [option for option, end in by_end.items() if end == name]
        or [option for option in options if option.startswith(f"--{name.rstrip('.')}.")][:3]
        or _alike(f"--{name}", {option: option for option in options})
        or _alike(name, {end: option for option, end in by_end.items()})
    )


def _alike(name: str, options: dict[str, str]) -> list[str]:
    return [options[each] for each in difflib.get_close_matches(name, options, n=1, cutoff=CLOSE)]
