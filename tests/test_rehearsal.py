"""What is called before anything trains, and how a user's mistake in it is told."""

import textwrap
from dataclasses import replace
from pathlib import Path

import pytest

from ltjax import ARMS, CRITERIA, REWINDINGS, Experiment
from ltjax.cli.commands import run
from ltjax.lottery.rehearsal import rehearse
from ltjax.models import Network

from .conftest import classifying

HEAD = """
import jax
import numpy as np
import ltjax
from dataclasses import dataclass

experiment = ltjax.Experiment(
    name="mine", trials=1, arms={"ticket": 1},
    data=ltjax.Data(validation=100), model=ltjax.Model(widths=(6,)),
    train=ltjax.Train(steps=20, batch=30, evaluate_every=20), prune=ltjax.Prune(rounds=1),
)
"""


@pytest.fixture
def answer(tmp_path, monkeypatch, capsys):
    """What a command says of a user's own file, and the status it ends with."""
    monkeypatch.chdir(tmp_path)

    def answer(code: str, *options: str) -> tuple[int, str]:
        Path("mine.py").write_text(HEAD + textwrap.dedent(code))
        status = 0
        try:
            run.main(["--config", "mine.py", "--workdir", "run", *options])
        except SystemExit as left:
            status = left.code or 0
        return status, capsys.readouterr().err

    yield answer
    for entries in (ARMS, CRITERIA, REWINDINGS):
        entries.pop("mine", None)


CRITERION = "@ltjax.CRITERIA.register('mine')\ndef own(found):\n    "
ARM = "@ltjax.ARMS.register('mine')\ndef own(key, found, ticket, init):\n    "
REWIND = "@ltjax.REWINDINGS.register('mine')\ndef own(found):\n    "
CAPTURES = """
@ltjax.REWINDINGS.register('mine')
@dataclass(frozen=True)
class Own:
    k: int = 5
    def captures(self, steps):
        return {captures}
    def __call__(self, found):
        return ltjax.Ticket(found.starts[self.k].params, found.mask, step=self.k)
"""
BY = {"criterion": "--prune.criterion mine", "arm": "--arms.mine 1", "rewinding": "--prune.rewind mine"}


@pytest.mark.parametrize(
    ("code", "options", "told"),
    [
        (CRITERION + "return found.trained['fc1']", BY["criterion"], "the criterion 'mine' raised TypeError"),
        (ARM + "1 / 0", BY["arm"], "the arm 'mine' raised ZeroDivisionError"),
        (REWIND + "raise RuntimeError('lost')", BY["rewinding"], "the rewinding 'mine' raised RuntimeError"),
        (CAPTURES.replace("{captures}", "{5: lambda start: start[7]}"), BY["rewinding"],
         "the rewinding 'mine' raised IndexError"),
        (CAPTURES.replace("{captures}", "steps.all"), BY["rewinding"], "'mine' raised AttributeError"),
    ],
)  # fmt: skip
def test_an_error_in_a_users_function_is_a_sentence_with_its_file_and_line(code, options, told, answer):
    status, said = answer(code, *options.split())
    assert status == 2 and said.count("\n") == 1, said
    assert told in said and "mine.py, line " in said and "Traceback" not in said
    line = int(said.partition("mine.py, line ")[2].partition(":")[0])
    assert line > HEAD.count("\n"), "the line in which it was raised"
    assert not Path("run/checkpoints").exists()


@pytest.mark.parametrize(
    ("code", "options", "told"),
    [
        (CRITERION + "return found.trained.params['fc1']", BY["criterion"],
         "the scores of the criterion 'mine' lack a leaf 'fc1/bias'"),
        (REWIND + "return found.theta0", BY["rewinding"], "the rewinding 'mine' must return a Ticket"),
        (REWIND + "return ltjax.Ticket(jax.tree.map(np.ravel, found.theta0.params), found.mask)",
         BY["rewinding"], "the params of the rewinding 'mine' have a leaf 'fc1/kernel' of shape [384]"),
        (REWIND + "return ltjax.Ticket(found.theta0.params, found.mask, step=20)", BY["rewinding"],
         "would start at step 20 of a training of 20"),
        (ARM + "return ticket._replace(mask=jax.tree.map(lambda m: 0.5 * m, ticket.mask))", BY["arm"],
         "the mask of the arm 'mine' must be bool"),
        (ARM + "return ticket._replace(mask=jax.tree.map(lambda m: m * -1, ticket.mask))", BY["arm"],
         "the mask of the arm 'mine' must be bool"),
        ("", "--prune.rewind step --prune.rewind.k 20",
         "goes back to step 20, from which a training of 20 steps has nothing left"),
        ("", "--prune.rewind step --prune.rewind.k 2ep", "goes back to step"),
        ("", "--prune.rewind fine_tune --prune.rewind.t 21", "would start at step -1 of a training of 20"),
        ("", "--prune.rewind.k 5", "step"),
        ("", "--sweep prune.rewind.k=0,5", "step"),
        ("", "--prune.rewind stepp", "did you mean 'step'"),
        ("", "--prune.rewind step --prune.rewind.k 2epochs", "epochs as in 2ep"),
        ("", "--prune.rewind step --prune.rewind.k -1", "must lie between 0 and"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_told_before_anything_trains(code, options, told, answer):
    status, said = answer(code, *options.split())
    assert status == 2 and told in " ".join(said.split()), said
    assert "Traceback" not in said and not Path("run/checkpoints").exists()


def test_an_arm_whose_start_depends_on_weights_is_told(answer):
    """Where lanes start is known from the rehearsal."""
    arm = ARM + "at = 5 if found.trained and (found.trained.params['fc1']['kernel'] == 0).any() else 0\n"
    status, said = answer(
        arm + "    return ticket._replace(step=at)", "--arms.mine", "1", "--prune.rounds", "2"
    )
    assert status == 2 and "where an arm starts must not depend on weights" in said
    assert Path("run/summary.csv").exists(), "what was trained before stands"


def test_a_dry_run_calls_them_too(answer):
    status, said = answer(ARM + "1 / 0", "--arms.mine", "1", "--dry-run")
    assert status == 2 and "the arm 'mine' raised ZeroDivisionError" in said


def test_a_network_is_drawn_only_for_functions_of_a_users_own(monkeypatch):
    """Ltjax's own hold for any network: a dry run of VGG-19 need not draw 20 M weights."""

    def init(key):
        raise AssertionError("drawn")

    every = replace(Experiment(), arms=dict.fromkeys(ARMS, 1))
    task = classifying(Network(init, lambda *given: given))
    own = rehearse(every, task)
    assert own.uses_trained and set(own.later.values()) == {0}, "the arm continued reads them"
    monkeypatch.setitem(ARMS, "mine", lambda key, found, ticket, init: ticket)
    with pytest.raises(AssertionError, match="drawn"):
        rehearse(replace(every, arms={"ticket": 1, "mine": 1}), task)
