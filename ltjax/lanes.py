"""Lanes: the training of one lane, carried over all lanes of a round and all devices.

The only module that knows a lane axis exists. Lanes are padded to a multiple of the devices and sharded
over them; each device takes its lanes one after the other (``map``) or together (``vmap``). On CPU ``map`` is
as fast (docs/performance.md), skips padding, and gives a lane the same bits whatever its neighbours and
however many devices there are: a vmapped matrix product's bits depend on the number of lanes.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from ltjax import convolution
from ltjax.config import Compute, Train
from ltjax.data import Splits
from ltjax.devices import choose_devices, over_lanes, spread
from ltjax.history import Observer, Recorder
from ltjax.models import Collections
from ltjax.snapshots import Snapshot, Snapshots, restored
from ltjax.tables import History
from ltjax.training import LaneStart, LaneState, Tally, Training
from ltjax.types import Params


class Trained(NamedTuple):
    """Params and collections after training, NumPy with a leading lane axis, and what was measured."""

    params: Params
    collections: Collections
    history: History

    def lanes(self, chosen: slice) -> "Trained":
        """Some of the lanes."""
        params, collections = jax.tree.map(lambda leaf: leaf[chosen], (self.params, self.collections))
        return Trained(params, collections, self.history.lanes(chosen))


class LaneProgram:
    """The compiled training of so many lanes at most; serves every round.

    Args:
        training: the functions of one lane.
        splits: the data; moved to every device.
        train: steps and evaluations.
        compute: devices, batching and convolution.
        lanes: how many lanes ``run`` will be given, at most.

    Raises:
        UserError: more devices are asked for than there are.
    """

    def __init__(
        self, training: Training, splits: Splits, train: Train, compute: Compute, lanes: int
    ) -> None:
        devices = spread(lanes, choose_devices(compute))
        self.mesh = Mesh(np.asarray(devices), ("lanes",))
        self.slots = math.ceil(lanes / len(devices)) * len(devices)
        self.train, self.training, self.compute = train, training, compute
        self.vmapped = compute.batching == "vmap" or (
            compute.batching == "auto" and devices[0].platform != "cpu"
        )
        self.splits = jax.device_put(splits, NamedSharding(self.mesh, P()))
        self.compiled: dict[tuple[str, int], Any] = {}
        self.functions = {
            "begin": self._over_lanes(lambda start: training.begin(start)),
            "inspect": self._over_lanes(self._inspect, shared=1),
            "interval": self._over_lanes(self._interval, shared=2, static="length", donate=1),
        }

    def run(
        self, starts: Sequence[LaneStart], observe: Observer | None = None,
        snapshots: Snapshots | None = None,
    ) -> Trained:  # fmt: skip
        """Train lanes from their starts, or from a snapshot of them, to the last step.

        Args:
            starts: one per lane.
            observe: told of every evaluation.
            snapshots: what to continue from, and where to keep what would continue this.
        """
        real, start = self._place(starts)
        recorder = Recorder(len(starts), self.splits, self.train, observe)
        state, step, tallies = self._call("begin", real, start), 0, None
        if snapshots and snapshots.begun:
            state, step = self._restore(state, snapshots.begun), snapshots.begun.step
            recorder.restore(snapshots.begun.seen)
        else:
            tallies = self._call("inspect", real, state, self.splits)
        every, last = self.train.evaluate_every, self.train.steps
        while step < last:
            if snapshots and tallies and snapshots.due():
                recorder.add(step, tallies)
                tallies = None
                snapshots.keep(Snapshot(step, self._leaves(state, len(starts)), recorder.seen()))
            length = min(every, last - step)
            state, upcoming = self._call(
                "interval", real, state, start, self.splits, np.int32(step), length=length
            )
            # recorded one interval late, so that the devices never wait for the host
            if tallies:
                recorder.add(step, tallies)
            step, tallies = step + length, upcoming
        if tallies:
            recorder.add(step, tallies)
        exact = self._call("inspect", real, state, self.splits)["train"]
        params, collections = jax.tree.map(
            lambda leaf: np.asarray(leaf)[: len(starts)], (state.params, state.collections)
        )
        return Trained(params, collections, recorder.history(exact))

    def bytes_needed(self, start: LaneStart) -> int:
        """What training holds on each device at its height, as the compiled programs say.

        Args:
            start: of any lane; only its shapes count.
        """
        real, placed = self._place([start])
        state = jax.eval_shape(self.functions["begin"], real, placed)
        length = min(self.train.evaluate_every, self.train.steps)
        programs = [
            self._program("interval", real, state, placed, self.splits, np.int32(0), length=length),
            self._program("inspect", real, state, self.splits),
        ]
        return max(_bytes(program.memory_analysis()) for program in programs)

    def _call(self, name: str, *arguments: Any, **static: int) -> Any:
        return self._program(name, *arguments, **static)(*arguments)

    def _program(self, name: str, *arguments: Any, **static: int) -> Any:
        """A compiled function; each is compiled once, ahead of its first call, so that it can be asked."""
        key = (name, static.get("length", 0))
        if key not in self.compiled:
            self.compiled[key] = self.functions[name].lower(*arguments, **static).compile()
        return self.compiled[key]

    def _interval(
        self, state: LaneState, start: LaneStart, splits: Splits, step: jax.Array, length: int
    ) -> tuple[LaneState, dict[str, Tally]]:
        state, running = self.training.advance(state, start, splits, step, length)
        if self.train.train_curve == "exact":
            running = self.training.measure(state, splits.train)
        return state, {"train": running, **self._held_out(state, splits)}

    def _inspect(self, state: LaneState, splits: Splits) -> dict[str, Tally]:
        train = self.training.measure(state, splits.train)
        return {"train": train, **self._held_out(state, splits)}

    def _held_out(self, state: LaneState, splits: Splits) -> dict[str, Tally]:
        return {name: self.training.measure(state, getattr(splits, name))
                for name in ("validation", "test")}  # fmt: skip

    def _over_lanes(
        self, function: Callable[..., Any], shared: int = 0, static: str = "", donate: int = 0
    ) -> Any:
        """``function`` over the lane axis of all but its last ``shared`` arguments, to be compiled."""

        def over_devices(real: jax.Array, *arguments: Any, **fixed: int) -> Any:
            split = len(arguments) - shared
            specs = (P("lanes"), *[P("lanes")] * split, *[P()] * shared)

            def of_device(real: jax.Array, *local: Any) -> Any:
                def of_lane(*lane: Any) -> Any:
                    return function(*lane, *local[split:], **fixed)

                with convolution.executed(self.compute.convolution):
                    return over_lanes(of_lane, real, local[:split], vmapped=self.vmapped)

            return jax.shard_map(
                of_device, mesh=self.mesh, in_specs=specs, out_specs=P("lanes"), check_vma=False
            )(real, *arguments)

        return jax.jit(
            over_devices,
            static_argnames=(static,) if static else (),
            donate_argnums=(donate,) if donate else (),
        )

    def _place(self, starts: Sequence[LaneStart]) -> tuple[jax.Array, LaneStart]:
        """Which slots hold real lanes [slots], and all starts stacked; padding repeats the first lane."""
        padded = [*starts, *[starts[0]] * (self.slots - len(starts))]
        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *padded)
        real = np.arange(self.slots) < len(starts)
        placed: tuple[jax.Array, LaneStart] = jax.device_put(
            (real, stacked), NamedSharding(self.mesh, P("lanes"))
        )
        return placed

    def _leaves(self, state: LaneState, lanes: int) -> list[np.ndarray]:
        return [np.asarray(leaf)[:lanes] for leaf in jax.tree.leaves(state)]

    def _restore(self, state: LaneState, begun: Snapshot) -> LaneState:
        """The state of a snapshot, in place of a fresh one; its padding stays that of the fresh one."""
        placed: LaneState = jax.device_put(
            restored(jax.device_get(state), begun), NamedSharding(self.mesh, P("lanes"))
        )
        return placed


def _bytes(stats: Any) -> int:
    """Arguments, results and what is held between, of one device; donated memory counts once."""
    return int(
        stats.argument_size_in_bytes
        + stats.output_size_in_bytes
        + stats.temp_size_in_bytes
        - stats.alias_size_in_bytes
    )
