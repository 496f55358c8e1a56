"""Conv-2 on the real CIFAR-10, end to end, short: the data, the network and the command line together."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ltjax import load_ticket
from ltjax.cli.commands.run import main
from ltjax.data import load_dataset
from ltjax.settings.schema import Data
from ltjax.sparsity import masks

DATA = Path(os.environ.get("TFDS_DATA_DIR", "/nowhere"))
real = pytest.mark.skipif(
    not (DATA / "cifar10").is_dir(), reason="real CIFAR-10 is not prepared in $TFDS_DATA_DIR"
)


@pytest.mark.long
@real
def test_real_cifar10_is_whole_and_standardised():
    dataset = load_dataset(Data(name="cifar10"))
    assert np.bincount(dataset.train_targets).tolist() == [5000] * 10
    assert np.bincount(dataset.test_targets).tolist() == [1000] * 10
    pixels = dataset.train_inputs.reshape(-1, 3) / 255
    np.testing.assert_allclose(pixels.mean(axis=0), dataset.mean, atol=1e-3)
    np.testing.assert_allclose(pixels.std(axis=0), dataset.std, atol=1e-3)


@pytest.mark.long
@real
def test_conv2_learns_cifar10_and_finds_tickets(tmp_path, monkeypatch):
    """Channels and examples fewer than the paper's, so that it takes a minute; all else is the paper's."""
    monkeypatch.setattr("ltjax.cli.running.load_dataset", lambda data: part_of(load_dataset(data)))
    line = (
        f"--config conv2_iterative --trials 2 --prune.rounds 1 --model.channels 8 --train.steps 300 "
        f"--train.evaluate-every 100 --train.learning-rate 1e-3 --workdir {tmp_path / 'run'}"
    )
    main(line.split())
    rows = pd.read_csv(tmp_path / "run" / "summary.csv")
    assert rows["round"].tolist() == [0, 0, 1, 1] and not rows["diverged"].any()
    assert (rows["initial_test_accuracy"].iloc[:2] < 0.2).all()
    # ten classes: three times chance, after 300 steps on a tenth of the images
    assert (rows["final_test_accuracy"] > 0.3).all()
    ticket = load_ticket(tmp_path / "run", trial=0, round=1)
    by_layer = {path: 1 - density for path, density in masks.densities(ticket.mask).items()}
    expected = {"conv1/kernel": 0.1, "conv2/kernel": 0.1, "fc1/kernel": 0.2, "fc2/kernel": 0.2,
                "output/kernel": 0.1}  # fmt: skip
    assert by_layer == pytest.approx(expected, abs=0.003)


def part_of(dataset):
    """Its first tenth; the sizes of the splits are checked elsewhere."""
    return dataset._replace(
        train_inputs=dataset.train_inputs[:10_000], train_targets=dataset.train_targets[:10_000],
        test_inputs=dataset.test_inputs[:1_000], test_targets=dataset.test_targets[:1_000],
    )  # fmt: skip
