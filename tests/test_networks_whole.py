"""Every network of the list trains, is pruned, rewound, continued and exported as the paper's are."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import jax
import numpy as np
import pytest

import ltjax
from ltjax.core.safetensors import load_tensors
from ltjax.core.trees import leaves_by_path
from ltjax.core.types import Lane
from ltjax.export.card import make_card
from ltjax.export.files import export
from ltjax.runs.folder import Run
from ltjax.settings.schema import Compute, Data, Experiment, Prune, Rates, Train

from .networks import NETWORKS, OUTPUTS, WORDS
from .test_command import answer

SIZES = {"train": 48, "test": 16}
RATES = Rates(0.3, 0.3, 0.3, 0.3, 0.3, 0.3, None)


def arrays(inputs: object, tokens: bool) -> ltjax.Dataset:
    """Made-up arrays for a network: inputs of these shapes, and classes of examples or of tokens."""
    random = np.random.default_rng(0)

    def split(count: int) -> tuple[object, np.ndarray]:
        def drawn(leaf: jax.ShapeDtypeStruct) -> np.ndarray:
            shape = (count, *leaf.shape)
            whole = np.issubdtype(leaf.dtype, np.integer)
            return random.integers(0, WORDS, shape) if whole else random.normal(size=shape)

        classes = random.integers(0, WORDS, (count, 6)) if tokens else random.integers(0, OUTPUTS, count)
        return jax.tree.map(drawn, inputs), classes

    return ltjax.Dataset(*split(SIZES["train"]), *split(SIZES["test"]))


QUICK = ("weight norm", "nnx mlp")
"""Of which the whole is tried every time; of the others behind the marker ``long``."""


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=() if name in QUICK else pytest.mark.long) for name in NETWORKS],
)
def whole(request, tmp_path_factory) -> Iterator[tuple[Experiment, Run, Mapping[str, str]]]:
    """A network's run, begun with one round and continued to two."""
    module, inputs, kinds = NETWORKS[request.param]
    tokens = any(leaf.shape == (6,) for leaf in jax.tree.leaves(inputs)) and not isinstance(inputs, dict)
    other = {"loss": "token_cross_entropy"} if tokens else {}
    task = ltjax.classification(module, arrays(inputs, tokens), **other)
    experiment = Experiment(
        name="whole", trials=2, arms={"ticket": 1, "reinit": 1}, task=task, data=Data(validation=16),
        train=Train(steps=4, batch=8, evaluate_every=2), prune=Prune(rounds=1, rates=RATES),
        compute=Compute(keep="all", devices=1),
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("whole")
    ltjax.run_experiment(experiment, folder, quiet=True)
    experiment = replace(experiment, prune=replace(experiment.prune, rounds=2))
    ltjax.run_experiment(experiment, folder, quiet=True)
    yield experiment, Run(folder), kinds
    ltjax.TASKS.pop(experiment.task.name)


def test_masks_are_those_of_the_lowest_weights_and_tickets_begin_with_theta0(whole):
    _, run, kinds = whole
    for trial in range(2):
        theta0 = leaves_by_path(run.theta0(trial))
        for round in range(2):
            before = run.outcome(round, Lane("ticket", trial))
            mask, trained = leaves_by_path(before.mask), leaves_by_path(before.trained)
            after = leaves_by_path(run.mask(round + 1, Lane("ticket", trial)))
            ticket = leaves_by_path(ltjax.load_ticket(run.folder, trial=trial, round=round + 1).params)
            for path, kept in after.items():
                expected = mask[path]
                if kinds.get(path, "shortcut") != "shortcut":
                    expected = lowest(np.asarray(trained[path], np.float32), mask[path])
                np.testing.assert_array_equal(kept, expected, err_msg=path)
                np.testing.assert_array_equal(ticket[path], np.where(kept, theta0[path], 0), err_msg=path)


def lowest(weights: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """``mask`` without three tenths of its weights, those nearest to 0, the first of equal ones."""
    alive = np.flatnonzero(mask)
    order = alive[np.argsort(np.abs(weights).ravel()[alive], kind="stable")]
    kept = mask.copy()
    kept.ravel()[order[: round(0.3 * len(alive))]] = False
    return kept


def test_the_table_counts_what_has_a_kind(whole):
    _, run, kinds = whole
    rows = run.summary()
    sizes = {path: leaf.size for path, leaf in leaves_by_path(run.theta0(0)).items() if path in kinds}
    assert set(rows["weights_total"]) == {sum(sizes.values())} and len(rows) == 2 * 2 * 3
    left = {path: int(leaf.sum()) for path, leaf in leaves_by_path(run.mask(2, Lane("ticket", 0))).items()}
    assert rows.iloc[-1]["weights_remaining"] == sum(left[path] for path in sizes)
    assert rows.notna().all(axis=None) and not rows["diverged"].any()


def test_a_lane_is_exported_and_evaluated_as_its_row_says(whole, tmp_path):
    experiment, run, _ = whole
    lane = Lane("ticket", 1)
    found = export(run, 2, lane, tmp_path)
    card = make_card(run, 2, lane, tmp_path, found, measure=False)
    assert card["weights"]["remaining"] < card["weights"]["total"]
    trained = leaves_by_path(run.outcome(2, lane).trained)
    if "bfloat16" not in str(next(iter(trained.values())).dtype):
        written = leaves_by_path(load_tensors(tmp_path / "final.safetensors"))
        assert all(np.array_equal(written[path], leaf) for path, leaf in trained.items())
    outcome = run.outcome(2, lane)
    value = ltjax.evaluate(outcome.trained, experiment, collections=outcome.collections)
    row = run.summary().query("round == 2 and arm == 'ticket' and trial == 1").iloc[0]
    assert value.value == row["final_test_accuracy"]


def test_a_run_that_starts_with_what_was_exported_starts_as_that_ended(whole, tmp_path):
    """With its statistics too, which lie beside the params."""
    experiment, run, _ = whole
    export(run, 0, Lane("ticket", 0), tmp_path)
    later = replace(
        experiment, trials=1, arms={"ticket": 1}, prune=replace(experiment.prune, rounds=0),
        model=replace(experiment.model, start=str(tmp_path / "final.safetensors")),
    )  # fmt: skip
    (found,) = ltjax.find_tickets(later)
    row = run.summary().query("round == 0 and arm == 'ticket' and trial == 0").iloc[0]
    assert found.summary["initial_test_accuracy"].item() == row["final_test_accuracy"]


@pytest.mark.long  # a page takes some seconds
def test_the_page_of_a_run_has_its_layers(whole, tmp_path, capsys):
    _, run, kinds = whole
    status, _, err = answer(capsys, "report", str(run.folder), "--to", str(tmp_path))
    page = (tmp_path / "report.html").read_text()
    assert status == 0 and [path for path in kinds if path not in page] == [], err
