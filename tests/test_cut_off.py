"""Networks that pruning has cut off are told, by layer, round and arm; others are not."""

import flax.linen as nn
import numpy as np
import pytest

import ltjax
from ltjax.analysis.cut_off import cut_off, told
from ltjax.analysis.results import Results
from ltjax.core.keys import named_key
from ltjax.core.types import Lane
from ltjax.lottery.layers import layers
from ltjax.report.layers import layers as table
from ltjax.runs.folder import Run
from ltjax.runs.learned import Learned
from ltjax.settings.loading import load_experiment
from ltjax.sparsity import masks

from .made_up import made_up_folder

NUMBERS = np.random.default_rng(0)
X, Y = NUMBERS.normal(size=(40, 3)).astype(np.float32), NUMBERS.normal(size=(40, 1)).astype(np.float32)


class Plain(nn.Module):
    """Three inputs, four hidden units, one output."""

    around: bool = False

    @nn.compact
    def __call__(self, x):
        """``around``: a way around the hidden units."""
        hidden = nn.relu(nn.Dense(4, name="first")(x))
        return nn.Dense(1, name="last")(hidden) + (x.sum(axis=-1, keepdims=True) if self.around else 0)


ARRAYS = (X[:30], Y[:30], X[30:], Y[30:])
PLAIN, AROUND = (ltjax.regression(Plain(around), ARRAYS, output="last/kernel") for around in (False, True))


def mask(first=(0, 1, 2, 3), last=(0, 1, 2, 3)):
    """Weights into some hidden units, and out of some."""
    whole = masks.dense(PLAIN.network.init(named_key(0))[0])
    into, out = np.zeros((3, 4), bool), np.zeros((4, 1), bool)
    into[:, list(first)], out[list(last)] = True, True
    return {"first": {**whole["first"], "kernel": into}, "last": {**whole["last"], "kernel": out}}


def folder(path, task, *rounds):
    """A run's folder with one trial's tickets under these masks."""
    theta0 = task.network.init(named_key(0))[0]
    by_round = {round: [each] for round, each in enumerate(rounds)}
    return made_up_folder(path, load_experiment("mnist_5k"), [theta0], by_round, [theta0])


def said(path, task, *rounds, known=True):
    run = Run(folder(path, task, *rounds))
    return told(cut_off(run, layers(task, ltjax.Prune()), task if known else None))


APART = mask(first=(0, 1), last=(2, 3))


CLOSED = "no way leads from input to output in {} (ticket), and the answer is the same to every input"


@pytest.mark.parametrize(
    ("rounds", "expected"),
    [
        ([mask(), mask()], ""),
        ([mask(), mask(first=(0,), last=(0, 1))], ""),
        ([mask(), APART], CLOSED.format("round 1")),
        ([mask(), APART, mask(first=(), last=(2,))],
         f"nothing is left of first/kernel in round 2 (ticket); {CLOSED.format('rounds 1–2')}"),
    ],
)  # fmt: skip
def test_a_network_that_is_cut_off_is_told_with_round_arm_and_layer(rounds, expected, tmp_path):
    assert said(tmp_path, PLAIN, *rounds) == f"Pruning has cut networks off: {expected}." * bool(expected)


def test_without_the_users_code_only_emptied_layers_are_told(tmp_path):
    assert said(tmp_path / "apart", PLAIN, mask(), APART, known=False) == ""
    emptied = said(tmp_path / "emptied", PLAIN, mask(), mask(last=()), known=False)
    assert emptied == "Pruning has cut networks off: nothing is left of last/kernel in round 1 (ticket)."


def test_an_emptied_layer_with_a_way_around_it_closes_nothing(tmp_path):
    found = said(tmp_path, AROUND, mask(), mask(first=()))
    assert "first/kernel in round 1" in found and "no way" not in found


def test_the_pages_table_has_the_weights_that_tickets_keep_of_each_layer(tmp_path):
    own = PLAIN
    home = folder(tmp_path, own, mask(), mask(first=(0,)), mask(first=(0,), last=(0, 1)))
    run = Results(home, load_experiment("mnist_5k"), None)
    run.__dict__["learned"] = Learned(layers=tuple(layers(own, ltjax.Prune())))
    found = table(run)
    assert found.rounds == [0, 1, 2]
    assert [tuple(row) for row in found.rows] == [
        ("first/kernel", "3 × 4", "fc", "0.2", ["12", "3", "3"]),
        ("last/kernel", "4 × 1", "output", "0.1", ["4", "4", "2"]),
    ]
    assert found.never == "5 numbers in first/bias, last/bias"
    assert Run(home).lanes(2) == {Lane("ticket", 0)}


def test_a_run_that_does_not_tell_its_layers_has_no_table(tmp_path):
    run = Results(folder(tmp_path, PLAIN, mask()), load_experiment("mnist_5k"), None)
    run.__dict__["learned"] = Learned()
    assert table(run) is None
