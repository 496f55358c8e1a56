"""Many params of one network measured at once: as lanes of one compiled program, over a process's devices."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from ltjax.core.keys import named_key
from ltjax.core.types import Start
from ltjax.data import Examples
from ltjax.lanes.placement import held, over_lanes, placed, spread
from ltjax.models import convolution
from ltjax.settings.schema import Compute, Train
from ltjax.sparsity import masks
from ltjax.training.step import LaneState, Tally, Training, course_of
from ltjax.training.task import Task

TOGETHER = 16
"""The most params that a device holds at once."""


class Measured:
    """Params and state of a task's network, measured on whole splits.

    On CPU a network has the same numbers whatever is measured beside it, and those of a training's tables.

    Args:
        task: whose loss and metric are measured.
        train: how many examples are evaluated at once, and how many are trained on.
        compute: the devices to use.
    """

    def __init__(self, task: Task, train: Train, compute: Compute) -> None:
        self.training, self.compute = Training(task, train, examples=0), compute
        self._functions: dict[tuple[str, int], Any] = {}

    def tallies(self, starts: Sequence[Start], examples: Examples) -> list[Tally]:
        """What is tallied of each network on all examples."""
        return self._over("tally", self._tally, starts, examples)

    def refreshed(self, starts: Sequence[Start], examples: Examples) -> list[Start]:
        """Each network with its state, such as BatchNorm's statistics, as training would leave it.

        The network runs once over the examples as in training, batch by batch in their order, beginning with
        the state that it is given; no param changes.
        """
        states = self._over("refresh", self._refresh, starts, examples)
        return [Start(start.params, state) for start, state in zip(starts, states, strict=True)]

    def _tally(self, start: Start, examples: Examples) -> Tally:
        course = course_of(named_key(0))
        # every weight is there: what was pruned is 0 in params
        mask = masks.dense(start.params)
        state = LaneState(start.params, start.state, mask, (), jnp.zeros(0, jnp.int32))
        return self.training.measure(state, course, examples)

    def _refresh(self, start: Start, examples: Examples) -> Any:
        network, batch = self.training.task.network, min(self.training.train.batch, examples.size)
        # padding would count as examples
        whole = examples.take(jnp.arange(examples.size // batch * batch))

        def over_batch(state: Any, item: tuple[Examples, jax.Array]) -> tuple[Any, None]:
            return network.apply(start.params, state, item[0].values(), True, item[1])[1], None

        batches = whole.batches(batch)
        keys = jax.random.split(named_key(0), len(batches.real))
        return jax.lax.scan(over_batch, start.state, (batches, keys))[0]

    def _over(
        self, name: str, function: Callable[[Start, Examples], Any], starts: Sequence[Start],
        examples: Examples,
    ) -> list[Any]:  # fmt: skip
        """A function of each network, so many at once as fill the devices, which share its program."""
        devices = np.asarray(jax.local_devices()[: self.compute.devices])
        turns = math.ceil(len(starts) / (TOGETHER * len(devices)))
        mesh = Mesh(spread(math.ceil(len(starts) / turns), devices), ("lanes",))
        size = math.ceil(len(starts) / turns / mesh.size) * mesh.size
        if (name, size) not in self._functions:
            self._functions[name, size] = self._compiled(function, mesh)
        data = placed(examples, NamedSharding(mesh, P()))
        found: list[Any] = []
        for first in range(0, len(starts), size):
            own = list(starts[first : first + size])
            padded = [*own, *own[:1] * (size - len(own))]
            stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *padded)
            real = np.arange(size) < len(own)
            own_rows = placed((real, stacked), NamedSharding(mesh, P("lanes")))
            answers = held(self._functions[name, size](*own_rows, data), size)
            found += [jax.tree.map(lambda leaf: leaf[at], answers) for at in range(len(own))]  # noqa: B023
        return found

    def _compiled(self, function: Callable[[Start, Examples], Any], mesh: Mesh) -> Any:
        on_cpu = mesh.devices.flat[0].platform == "cpu"

        def of_device(real: jax.Array, starts: Start, examples: Examples) -> Any:
            with convolution.executed(self.compute.convolution):
                return over_lanes(
                    lambda start: function(start, examples), real, (starts,), "map" if on_cpu else "vmap"
                )

        return jax.jit(jax.shard_map(
            of_device, mesh=mesh, in_specs=(P("lanes"), P("lanes"), P()), out_specs=P("lanes"),
            check_vma=False,
        ))  # fmt: skip
