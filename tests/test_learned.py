"""What a run's folder tells of its task: the metric, the layers, and the FLOPs of a step, counted once."""

import json

import pytest

from ltjax.lottery.resolving import resolve
from ltjax.runs import learned, paths
from ltjax.settings.loading import load_experiment

RESOLVED = resolve(load_experiment("lenet_iterative"))
STEP = 60 * 2 * (2 * 784 * 300 + 3 * (300 * 100 + 100 * 10))
"""Forward pass and gradients of weights in all three layers, that of what comes in in the last two."""


def write(folder):
    learned.write(folder, RESOLVED.task, RESOLVED.experiment)
    return json.loads(paths.task(folder).read_text())


def counting(monkeypatch):
    """Where each counting of FLOPs leaves a mark."""
    marks, count = [], learned.flops_of

    def marked(*given):
        marks.append(given)
        return count(*given)

    monkeypatch.setattr(learned, "flops_of", marked)
    return marks


def test_a_folder_tells_metric_layers_and_the_flops_of_a_step(tmp_path):
    assert write(tmp_path)["step_flops"] == STEP
    found = learned.read(tmp_path)
    assert found.step_flops == STEP and found.metric == RESOLVED.task.measured.shown
    assert {each.path for each in found.layers} >= {"fc1/kernel", "fc2/kernel", "output/kernel"}


def test_flops_are_counted_once(tmp_path, monkeypatch):
    marks = counting(monkeypatch)
    first = write(tmp_path)
    paths.task(tmp_path).write_text(json.dumps(first))  # another program's spaces are the same facts
    assert write(tmp_path) == first and len(marks) == 1


@pytest.mark.parametrize(
    "change", [{"step_flops": "many"}, {"step_flops": True}, {"layers": []}], ids=lambda change: str(change)
)
def test_what_is_not_of_the_task_is_written_anew(tmp_path, change):
    right = write(tmp_path)
    paths.task(tmp_path).write_text(json.dumps({**right, **change}))
    assert write(tmp_path) == right


def test_a_folder_from_before_flops_were_kept_has_all_else_and_gets_them(tmp_path):
    right = write(tmp_path)
    older = {name: value for name, value in right.items() if name != "step_flops"}
    paths.task(tmp_path).write_text(json.dumps(older))
    found = learned.read(tmp_path)
    assert found.step_flops is None and found.layers
    assert write(tmp_path) == right


def test_what_cannot_be_counted_is_left_out_and_stops_nothing(tmp_path, monkeypatch):
    def failing(*_):
        raise ValueError("Reverse-mode differentiation does not work for lax.while_loop")

    monkeypatch.setattr(learned, "flops_of", failing)
    assert "step_flops" not in write(tmp_path)
    assert learned.read(tmp_path).step_flops is None
