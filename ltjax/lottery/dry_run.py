"""What a run would do, without doing it: rounds, lanes, P_m schedule, weights, FLOPs and memory."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from ltjax.core.flops import flops
from ltjax.core.keys import named_key
from ltjax.lottery.layers import Layer, kept, layers
from ltjax.lottery.own_masks import layers_pruned
from ltjax.lottery.resolving import Resolved
from ltjax.models import Network, convolution
from ltjax.settings.schema import Experiment
from ltjax.sparsity.counts import surviving
from ltjax.sparsity.structures import structure_of
from ltjax.training.evolve import steps_of
from ltjax.training.schemes import begun, learns, samples
from ltjax.training.step import LaneStart, Training, course_of
from ltjax.training.task import Task, batched

SHOWN = 6
"""Rounds of which a layer's line tells the surviving weights; where there are more, the last among them."""


@dataclass(frozen=True)
class Plan:
    """A run in numbers.

    ``weights`` are those of the whole network, ``schedule`` those that survive in rounds 0, 1, …, of the
    first trial where round 0 is given another run's masks; ``lanes`` what is trained in each;
    ``step_flops`` the forward and backward pass of a lane's step; ``lane_bytes`` what training a lane holds
    at least; ``data_bytes`` the data. ``layers`` are all leaves of the params, and ``kept`` the surviving
    weights of those that count, by path and round; of layers that are ranked together in round 0 alone.
    """

    weights: int
    schedule: list[int]
    lanes: list[int]
    trial_steps: int
    step_flops: int
    lane_bytes: int
    data_bytes: int
    layers: list[Layer]
    kept: Mapping[str, Sequence[int]]


def plan(resolved: Resolved, point: str = "") -> Plan:
    """The plan of a point of an experiment; loads no data, trains nothing.

    Raises:
        UserError: the masks of another run cannot be read, or cannot be those of round 0.
    """
    experiment, task = resolved.points[point], resolved.tasks[point]
    data, key = task.data, jax.eval_shape(lambda: named_key(0))
    params, collections = task.shapes
    first = next(iter(resolved.given(point).values()), None)
    structure = structure_of(experiment.prune.structure, lambda: task.axes)
    counts = surviving(params, experiment.prune, task.kinds, structure, first)
    mask = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, bool), params)
    learned = jax.eval_shape(partial(begun, experiment.scheme, layers=layers_pruned(experiment, task)),
                             params, mask, key=key)  # fmt: skip
    start = LaneStart(params, collections, mask, course_of(key), learned=learned)
    training = Training(task, experiment.train, data.train - experiment.data.validation)
    lanes = [resolved.lanes(point, round) for round in range(len(counts))]
    every = layers(task, experiment.prune)
    steps = (experiment.train.steps - resolved.step(point, round, lane)
             for round, each in enumerate(lanes) for lane in each)  # fmt: skip
    return Plan(
        weights=sum(each.weights for each in every if each.kind is not None),
        schedule=counts,
        lanes=[len(each) for each in lanes],
        trial_steps=sum(steps),
        step_flops=flops_of(task, experiment.train.batch),
        lane_bytes=_bytes((jax.eval_shape(training.begin, start), start.params, start.mask)),
        layers=every,
        kept=kept(task, experiment.prune, first),
        data_bytes=(data.train + data.test) * _bytes((data.inputs, data.targets)),
    )


def flops_of(task: Task, batch: int) -> int:
    """FLOPs of the forward and backward pass of a lane's step, over so many examples; from shapes alone.

    Masks save none of them: pruned weights are multiplied as the others are.
    """
    params, collections = task.shapes
    course = course_of(jax.eval_shape(lambda: named_key(0)))
    with task.guard():
        return step_flops(
            task.network, LaneStart(params, collections, {}, course), batched(task.data.seen, batch)
        )


def step_flops(network: Network, start: LaneStart, batch: Any) -> int:
    """FLOPs of one forward and backward pass of a network over a batch of these shapes."""

    def loss(params: Any, collections: Any, batch: Any, key: jax.Array) -> jax.Array:
        outputs, _ = network.apply(params, collections, batch, True, key)
        real = [leaf for leaf in jax.tree.leaves(outputs) if jnp.issubdtype(leaf.dtype, jnp.floating)]
        return sum((leaf.sum().astype(float) for leaf in real), jnp.zeros(()))

    with convolution.automatic():  # written out, a gradient multiplies the zeros that a stride leaves
        return flops(jax.value_and_grad(loss), start.params, start.collections, batch, start.course.key)


def describe(experiment: Experiment, planned: Plan) -> str:
    """A plan as text, a line for each figure."""
    arms = ", ".join(f"{repeats} {arm}" for arm, repeats in experiment.arms.items() if repeats)
    every = experiment.train.evaluate_every
    rows = {
        experiment.name: experiment.subject,
        "rounds": f"0 to {experiment.prune.rounds}",
        "lanes": f"{_range(planned.lanes)} a round ({arms} for each of {experiment.trials} trials)",
        "steps": f"{experiment.train.steps:,} a lane, evaluated every {every:,}; "
        f"{planned.trial_steps:,} trial-steps in all",
        "weights": f"{planned.weights:,}",
        "FLOPs": f"{planned.step_flops / 1e6:,.1f} M a trial-step, "
        f"{planned.step_flops * planned.trial_steps / 1e12:,.1f} T in all, evaluations not counted",
        **own_masks(experiment),
        "memory": f"at least {planned.lane_bytes / 2**20:,.1f} MiB a lane, and "
        f"{planned.data_bytes / 2**20:,.1f} MiB of data on every device",
        "P_m": "round: weights remaining, per cent",
    }
    lines = [f"{name:15} {value}" for name, value in rows.items()]
    return "\n".join(
        lines
        + [f"{round:>15}: {count:>10,}  {100 * count / planned.weights:6.2f}"
           for round, count in enumerate(planned.schedule)]
        + ["", *layer_table(planned)]
    )  # fmt: skip


def own_masks(experiment: Experiment) -> dict[str, str]:
    """How masks change, or are learned, while lanes train, as a line; none where they are not."""
    steps, scheme = steps_of(experiment.evolve, experiment.train.steps), experiment.scheme
    if learns(scheme):
        drawn = f", each evaluation is over {samples(scheme)} draws" * (samples(scheme) > 1)
        return {"scheme": f"{scheme}, masks are learned{drawn}; they save none of the FLOPs of training"}
    if not steps:
        return {}
    told = (
        f"{experiment.evolve}, masks change at {len(steps):,} of the steps, the first {steps[0]:,}, the last "
        f"{steps[-1]:,}; masks save none of the FLOPs of training"
    )
    return {"evolve": told}


def layer_table(planned: Plan) -> list[str]:
    """A line for each layer that counts, and one for what does not count."""
    counted = [each for each in planned.layers if each.kind is not None]
    shapes = {each: " × ".join(map(str, each.shape)) for each in planned.layers}
    wide = max(len(each.path) for each in counted)
    broad = max(len(shapes[each]) for each in counted)
    head = f"{'layer':{wide}}  {'shape':>{broad}}  {'kind':9}  {'rate':>5}  kept in rounds 0, 1, …"
    lines = [
        f"{each.path:{wide}}  {shapes[each]:>{broad}}  {each.kind:9}  "
        f"{'whole' if each.rate is None else f'{each.rate:g}':>5}  {_kept(each, planned)}"
        for each in counted
    ]
    return [head, *lines, *_whole([each for each in planned.layers if each.kind is None])]


def _whole(layers: Sequence[Layer]) -> list[str]:
    """A line for what does not count: by path, but for biases, scales and the like."""
    if not layers:
        return []
    named = [each.path for each in layers if len(each.shape) > 1]
    last = Counter(each.path.rpartition("/")[2] for each in layers if len(each.shape) < 2)
    named += [f"{count} called {name}" for name, count in last.items()]
    numbers = sum(each.weights for each in layers)
    return [f"not pruned by themselves, and not counted: {', '.join(named)} ({numbers:,} numbers)"]


def _kept(layer: Layer, planned: Plan) -> str:
    """The surviving weights of a layer in some rounds, the first and the last among them."""
    numbers = [f"{each:,}" for each in planned.kept[layer.path]]
    if len(numbers) < len(planned.schedule):
        return f"{numbers[0]}, then as it ranks among the others"
    if len(set(numbers)) == 1:
        return numbers[0]
    return " ".join(numbers if len(numbers) <= SHOWN else [*numbers[: SHOWN - 2], "…", numbers[-1]])


def _range(numbers: list[int]) -> str:
    least, most = min(numbers), max(numbers)
    return f"{least}" if least == most else f"{least} to {most}"


def _bytes(tree: Any) -> int:
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))
