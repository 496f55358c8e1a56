"""Losses and metrics, against PyTorch and NumPy, of whole and of padded batches."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ltjax.core.choices import chosen
from ltjax.core.errors import UserError
from ltjax.data import Examples
from ltjax.training.losses import LOSSES, CrossEntropy
from ltjax.training.metrics import METRICS, TopK, metric_of
from ltjax.training.step import Training
from ltjax.training.task import Task

from .conftest import TINY

torch = pytest.importorskip("torch")

COUNT, CLASSES, TOKENS = 23, 4, 5
RANDOM = np.random.default_rng(0)
LOGITS = RANDOM.normal(scale=3, size=(COUNT, CLASSES)).astype(np.float32)
LABELS = RANDOM.integers(0, CLASSES, COUNT)
SEQUENCES = RANDOM.normal(scale=2, size=(COUNT, TOKENS, CLASSES)).astype(np.float32)
WORDS = RANDOM.integers(-1, CLASSES, (COUNT, TOKENS))
NUMBERS = RANDOM.normal(size=(COUNT, 3)).astype(np.float32)
WANTED = (NUMBERS + RANDOM.normal(size=(COUNT, 3)) * [0.1, 0.5, 1] + [0, 1, 5]).astype(np.float32)
SCALAR = RANDOM.normal(size=(COUNT, 1)).astype(np.float32)
WEIGHTS = (0.5, 1.0, 3.0, 0.25)


def torch_cross_entropy(outputs, targets, **options):
    """PyTorch's mean over examples, or over all tokens that count."""
    outputs, targets = torch.tensor(outputs).reshape(-1, CLASSES), torch.tensor(targets).reshape(-1)
    if "weight" in options:
        options["weight"] = torch.tensor(options["weight"])
    return float(torch.nn.functional.cross_entropy(outputs, targets, ignore_index=-1, **options))


LOSS_CASES = {
    "cross-entropy": (CrossEntropy(), LOGITS, LABELS, torch_cross_entropy(LOGITS, LABELS)),
    "smoothed": (
        CrossEntropy(smoothing=0.1), LOGITS, LABELS,
        torch_cross_entropy(LOGITS, LABELS, label_smoothing=0.1),
    ),
    "weighted": (
        CrossEntropy(class_weights=WEIGHTS), LOGITS, LABELS,
        torch_cross_entropy(LOGITS, LABELS, weight=WEIGHTS),
    ),
    "weighted and smoothed": (
        CrossEntropy(0.2, WEIGHTS), LOGITS, LABELS,
        torch_cross_entropy(LOGITS, LABELS, weight=WEIGHTS, label_smoothing=0.2),
    ),
    "tokens": (
        LOSSES["token_cross_entropy"], SEQUENCES, WORDS, torch_cross_entropy(SEQUENCES, WORDS),
    ),
    "squared error": (LOSSES["squared_error"], NUMBERS, WANTED, np.mean((NUMBERS - WANTED) ** 2)),
    "squared error of one number": (
        LOSSES["squared_error"], SCALAR, WANTED[:, 0], np.mean((SCALAR[:, 0] - WANTED[:, 0]) ** 2),
    ),
}  # fmt: skip
"""Losses, what they are of, and their mean by PyTorch or NumPy."""


def top(k):
    """The share of examples whose class is among the k highest logits."""
    ranked = np.argsort(-LOGITS, axis=1)[:, :k]
    return np.mean((ranked == LABELS[:, None]).any(axis=1))


def explained(outputs, targets):
    """R² of each output, averaged."""
    errors = ((outputs - targets) ** 2).sum(axis=0)
    return np.mean(1 - errors / ((targets - targets.mean(axis=0)) ** 2).sum(axis=0))


METRIC_CASES = {
    "accuracy": ("accuracy", LOGITS, LABELS, np.mean(LOGITS.argmax(axis=1) == LABELS)),
    "accuracy of tokens": (
        "accuracy", SEQUENCES, WORDS, np.mean((SEQUENCES.argmax(axis=2) == WORDS)[WORDS >= 0]),
    ),
    "the highest": (TopK(1), LOGITS, LABELS, top(1)),
    "the two highest": (TopK(2), LOGITS, LABELS, top(2)),
    "more than there are": (TopK(5), LOGITS, LABELS, 1.0),
    "R²": ("r2", NUMBERS, WANTED, explained(NUMBERS, WANTED)),
    "R² of one number": ("r2", SCALAR, WANTED[:, 0], explained(SCALAR[:, 0], WANTED[:, 0])),
    "mean squared error": ("mean_squared_error", NUMBERS, WANTED, np.mean((NUMBERS - WANTED) ** 2)),
    "perplexity": ("perplexity", SEQUENCES, WORDS, np.exp(torch_cross_entropy(SEQUENCES, WORDS))),
}  # fmt: skip
"""Metrics, what they are of, and their value by PyTorch or NumPy."""


def tallied(cases, batch):
    """Each case's mean loss, or its metric, summed over batches of a size, the last of them padded."""

    def sums(case):
        loss, measured, outputs, targets = case
        training = Training(Task(None, None, loss, measured), TINY.train, COUNT)
        examples = Examples(jnp.asarray(outputs), jnp.asarray(targets), jnp.ones(COUNT, bool))
        tallies = jax.lax.map(lambda part: training.tally(loss, part.inputs, part), examples.batches(batch))
        return jax.tree.map(lambda each: each.sum(axis=0), tallies)

    return jax.device_get(jax.jit(lambda: [sums(case) for case in cases])())


def means(batch):
    """The mean of every loss, by case."""
    counted = metric_of(chosen("metric", "accuracy"))
    nothing = replace(counted, sums=lambda outputs, targets: ())
    found = tallied([(loss, nothing, *given) for loss, *given, _ in LOSS_CASES.values()], batch)
    return {name: float(each.loss / (COUNT if each.weight is None else each.weight))
            for name, each in zip(LOSS_CASES, found, strict=True)}  # fmt: skip


def values(batch):
    """The value of every metric, by case."""
    cases = [(metric_of(chosen("metric", metric)), *given) for metric, *given, _ in METRIC_CASES.values()]
    found = tallied([(lambda outputs, targets: jnp.zeros(len(targets)), *case) for case in cases], batch)
    return {name: float(case[0].value(each.metric, COUNT))
            for name, case, each in zip(METRIC_CASES, cases, found, strict=True)}  # fmt: skip


@pytest.fixture(scope="module")
def padded():
    """Of batches of eight: the last one is an example short, whose place is padded with zeros."""
    return means(8), values(8)


@pytest.mark.parametrize("name", LOSS_CASES)
def test_a_loss_is_pytorchs_or_numpys_mean(name, padded):
    assert padded[0][name] == pytest.approx(LOSS_CASES[name][-1], rel=1e-5)


@pytest.mark.parametrize("name", METRIC_CASES)
def test_a_metric_is_pytorchs_or_numpys(name, padded):
    assert padded[1][name] == pytest.approx(METRIC_CASES[name][-1], rel=1e-5)


EXACT = ("accuracy", "accuracy of tokens", "the highest", "the two highest", "more than there are")


@given(batch=st.integers(1, COUNT + 3))
@settings(max_examples=4)
def test_losses_and_metrics_do_not_depend_on_the_size_of_batches(batch, padded):
    """What is counted is the same to the bit."""
    for found, expected in zip((means(batch), values(batch)), padded, strict=True):
        assert found == pytest.approx(expected, rel=1e-5)
        assert all(found[name] == expected[name] for name in EXACT if name in found)


def test_every_loss_and_metric_is_in_a_table():
    losses = {chosen("loss", loss).name for loss, *_ in LOSS_CASES.values()}
    metrics = {chosen("metric", metric).name for metric, *_ in METRIC_CASES.values()}
    assert losses == set(LOSSES) - {"auto"} and metrics == set(METRICS) - {"auto"}


@pytest.mark.parametrize(
    ("loss", "classes", "targets", "told"),
    [
        (CrossEntropy(), 3, np.array([0, 3]), "3 outputs, and the targets go from 0 to 3"),
        (CrossEntropy(), 3, np.array([-2, 1]), "the targets go from -2 to 1"),
        (CrossEntropy(), 3, np.array([0.0, 1.0]), "needs classes, whole numbers, as targets, not float64"),
        (CrossEntropy(class_weights=(1, 2)), 3, np.array([0, 1]), "must be 3 numbers.*not 2"),
    ],
)
def test_targets_that_cross_entropy_cannot_have_are_told(loss, classes, targets, told):
    with pytest.raises(UserError, match=told):
        loss.check(jax.ShapeDtypeStruct((2, classes), np.float32), targets)


def test_r2_of_numbers_far_from_0_is_that_of_the_numbers_about_0():
    """Thirty spreads away; sums are float32, so that more digits are lost the farther they lie."""
    metric = metric_of(chosen("metric", "r2"))
    sums = jax.tree.map(lambda each: each.sum(axis=0), metric.sums(NUMBERS + 30, WANTED + 30))
    assert metric.value(jax.device_get(sums), COUNT) == pytest.approx(explained(NUMBERS, WANTED), abs=1e-2)


@pytest.mark.parametrize("kind", ["loss", "metric"])
def test_auto_stands_for_the_tasks_own_and_is_none_itself(kind):
    with pytest.raises(UserError, match="stands for the task's own"):
        chosen(kind, "auto").make()(None, None)
