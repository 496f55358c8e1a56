"""Eight devices, and lanes that share several: what a program of eight says of itself.

The devices of this process are two, so other processes with eight of them do the work.
"""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

PROGRAM = """
import json, sys
import jax, numpy as np
from ltjax import Compute, Model, Train
from ltjax.core.choices import Choice
from ltjax.core.keys import named_key
from ltjax.data import Dataset, source_of, split
from ltjax.lanes.program import LaneProgram
from ltjax.models import make_network
from ltjax.sparsity import masks
from ltjax.training.step import LaneStart, Training, course_of
from ltjax.training.task import Task

jax.config.update("jax_disable_most_optimizations", True)

def trained(model, size, batch, lanes, **compute):
    noise = np.random.default_rng(0)
    images = noise.integers(0, 256, (batch + 200, *size), np.uint8)
    labels = noise.integers(0, 10, batch + 200)
    network = make_network(model, size, 10)
    dataset = Dataset(images, labels, images[:100], labels[:100], 10)
    splits = split(dataset, 100, 0)
    task = Task(network, source_of(dataset), Choice("loss", "cross_entropy"), Choice("metric", "accuracy"))
    train = Train(steps=2, batch=batch, evaluate_every=2, evaluate_batch=60, learning_rate=1e-3)
    def start(lane):
        params, collections = network.init(named_key(0, lane))
        return LaneStart(params, collections, masks.dense(params), course_of(named_key(1, lane)))
    starts = [start(lane) for lane in range(lanes)]
    training = Training(task, train, splits.train.size)
    program = LaneProgram(training, splits, train, Compute(**compute), lanes)
    found = program.run(starts)
    return {
        "loss": found.history.loss["test"].tolist(),
        "sum": [float(np.abs(leaf).astype(float).sum()) for leaf in jax.tree.leaves(found.params)],
        "bytes": program.bytes_needed(starts[0]), "mesh": list(program.mesh.devices.shape),
    }

"""


LENET = """
lenet = Model(widths=(16, 12))
json.dump({
    "one": trained(lenet, (8, 8, 1), 32, 5, devices=1),
    "eight": trained(lenet, (8, 8, 1), 32, 5, devices=8),
}, sys.stdout)
"""

SHARED = """
lenet = Model(widths=(16, 12))
json.dump({
    "one": trained(lenet, (8, 8, 1), 32, 5, devices=1),
    "two by four": trained(lenet, (8, 8, 1), 32, 5, devices=8, data=4),
}, sys.stdout)
"""

VGG = """
vgg = Model(name="vgg19", channels=(4, 4, 4, 4, 4))
json.dump({
    "alone": trained(vgg, (32, 32, 3), 512, 1, devices=1),
    "shared": trained(vgg, (32, 32, 3), 512, 1, devices=8, data=8),
}, sys.stdout)
"""


def run(program):
    """What a process of eight devices says of these trainings."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM + program], capture_output=True, text=True, timeout=900,
        env={**os.environ, "JAX_NUM_CPU_DEVICES": "8"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_five_lanes_have_the_same_bits_on_eight_devices():
    told = run(LENET)
    assert told["eight"]["mesh"] == [5, 1], "three devices would only wait"
    for name in ("loss", "sum"):
        np.testing.assert_array_equal(told["eight"][name], told["one"][name])


@pytest.mark.long  # two devices to a lane are in test_wiring_settings.py
def test_lanes_of_four_devices_each_agree_to_float_tolerance():
    told = run(SHARED)
    assert told["two by four"]["mesh"] == [2, 4]
    for name in ("loss", "sum"):
        np.testing.assert_allclose(told["two by four"][name], told["one"][name], rtol=1e-5)


@pytest.mark.long
def test_a_large_batch_of_vgg_19_is_split_over_the_devices_of_its_lane():
    """BatchNorm's statistics are of the whole batch; what each device holds is a part of it."""
    told = run(VGG)
    shared, alone = told["shared"], told["alone"]
    assert shared["mesh"] == [1, 8]
    for name in ("loss", "sum"):
        np.testing.assert_allclose(shared[name], alone[name], rtol=1e-3, atol=1e-4)
    assert shared["bytes"] < alone["bytes"] / 6, "an eighth, but for the network"
