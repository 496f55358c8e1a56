"""Lanes: the training of one lane, carried over all lanes of a round and all devices.

The only module that knows a lane axis exists. Lanes are padded to a multiple of the mesh's rows and sharded
over them; each row takes its lanes one after the other (``map``, or ``unrolled`` without a loop) or together
(``vmap``). On CPU ``map`` is as fast (docs/performance.md), skips padding, and gives a lane the same bits
whatever its neighbours and however many devices there are: a vmapped matrix product's bits depend on the
number of lanes.

A row is one device, of any process, or ``compute.data`` of them: then XLA lays each lane's batches over
the row's devices, and the program says nothing of it but where they are split.
"""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from ltjax.core.keys import IMPLEMENTATION
from ltjax.core.types import Params
from ltjax.data import Examples, Splits
from ltjax.lanes import processes
from ltjax.lanes.box import Box
from ltjax.lanes.history import History, Observer, Recorder, wait
from ltjax.lanes.placement import Batching, held, holders, lane_mesh, over_lanes, placed
from ltjax.lanes.snapshots import Snapshot, Snapshots, restored
from ltjax.models import Collections, convolution
from ltjax.settings.schema import Compute, Train
from ltjax.training.step import LaneStart, LaneState, Tally, Training


class Trained(NamedTuple):
    """Params and collections after training, NumPy with a leading lane axis, and what was measured.

    ``holders`` says for each lane which process holds its params and collections: here are only this
    process's own. What was measured is known of all lanes everywhere.
    """

    params: Params
    collections: Collections
    history: History
    holders: Sequence[int]

    def lanes(self, chosen: slice) -> "Trained":
        """Some of the lanes."""
        own = processes.index()
        begin = list(self.holders[: chosen.start]).count(own)
        here = slice(begin, begin + list(self.holders[chosen]).count(own))
        params, collections = jax.tree.map(lambda leaf: leaf[here], (self.params, self.collections))
        return Trained(params, collections, self.history.lanes(chosen), self.holders[chosen])


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
        self.mesh = lane_mesh(lanes, compute)
        rows = len(self.mesh.devices)
        self.slots = math.ceil(lanes / rows) * rows
        self.training = replace(training, spread=self._spread, spread_over=compute.data)
        self.train, self.compute = train, compute
        self.on_cpu = self.mesh.devices.flat[0].platform == "cpu"
        self.batching: Batching = (
            ("map" if self.on_cpu else "vmap") if compute.batching == "auto" else compute.batching
        )
        self.splits = placed(splits, NamedSharding(self.mesh, P()))
        self.compiled: dict[tuple[str, int], Any] = {}
        self.functions = {
            "begin": self._over_lanes(self._begin, told=False),
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

        Raises:
            Ended: the snapshots' box has no time for more; what would continue this is kept.
        """
        box = snapshots.box if snapshots else Box()
        real, start = self._place(starts)
        recorder = Recorder(len(starts), self.splits, self.train, observe)
        step, tallies = 0, None
        if snapshots and snapshots.begun:
            state, step = self._restore(real, start, snapshots.begun), snapshots.begun.step
            recorder.restore(snapshots.begun.seen)
        else:
            state, _ = self._call("begin", real, start)
            _, tallies = self._call("inspect", real, state, self.splits)
            wait(tallies)
        box.ready(step, len(starts))
        every, last = self.train.evaluate_every, self.train.steps
        while step < last:
            length = min(every, last - step)
            if self.on_cpu and tallies:
                wait(tallies)  # the next call would, in XLA
                box.passed(step)
            if snapshots and tallies and snapshots.due(step + length, step + length == last):
                recorder.add(step, tallies)
                box.passed(step)
                tallies = None
                leaves = held(jax.tree.leaves(state), len(starts))
                snapshots.keep(Snapshot(step, leaves, recorder.seen(), holders(len(starts), self.mesh)))
            state, upcoming = self._call(
                "interval", real, state, start, self.splits, np.int32(step), length=length
            )
            # recorded one interval late, so that the devices never wait for the host
            if tallies:
                recorder.add(step, tallies)
                box.passed(step)
            step, tallies = step + length, upcoming
        if tallies:
            recorder.add(step, tallies)
            box.passed(step)
        exact = self._call("inspect", real, state, self.splits)[1]["train"]
        params, collections = held((state.params, state.collections), len(starts))
        return Trained(params, collections, recorder.history(exact), holders(len(starts), self.mesh))

    def bytes_needed(self, start: LaneStart) -> int:
        """What training holds on each device at its height, as the compiled programs say.

        Args:
            start: of any lane; only its shapes count.
        """
        real, start = self._place([start])
        state, _ = jax.eval_shape(self.functions["begin"], real, start)
        length = min(self.train.evaluate_every, self.train.steps)
        programs = [
            self._program("interval", real, state, start, self.splits, np.int32(0), length=length),
            self._program("inspect", real, state, self.splits),
        ]
        return max(_bytes(program.memory_analysis()) for program in programs)

    def _call(self, name: str, *arguments: Any, **static: int) -> Any:
        return self._program(name, *arguments, **static)(*arguments)

    def _program(self, name: str, *arguments: Any, **static: int) -> Any:
        """A compiled function; each is compiled once, ahead of its first call, so that it can be asked."""
        key = (name, static.get("length", 0))
        if key not in self.compiled:
            lowered = self.functions[name].lower(*arguments, **static)
            with ThreadPoolExecutor(1) as thread:  # Python hears of Ctrl-C while it waits, in XLA it does not
                self.compiled[key] = thread.submit(lowered.compile).result()
        return self.compiled[key]

    def _begin(self, start: LaneStart) -> tuple[LaneState, None]:
        return self.training.begin(_with_key(start)), None

    def _interval(
        self, state: LaneState, start: LaneStart, splits: Splits, step: jax.Array, length: int
    ) -> tuple[LaneState, dict[str, Tally]]:
        state, running = self.training.advance(state, _with_key(start), splits, step, length)
        if self.train.train_curve == "exact":
            running = self.training.measure(state, splits.train)
        return state, {"train": running, **self._held_out(state, splits)}

    def _inspect(self, state: LaneState, splits: Splits) -> tuple[None, dict[str, Tally]]:
        train = self.training.measure(state, splits.train)
        return None, {"train": train, **self._held_out(state, splits)}

    def _held_out(self, state: LaneState, splits: Splits) -> dict[str, Tally]:
        return {name: self.training.measure(state, getattr(splits, name))
                for name in ("validation", "test")}  # fmt: skip

    def _over_lanes(
        self, function: Callable[..., Any], shared: int = 0, static: str = "", donate: int = 0,
        told: bool = True,
    ) -> Any:  # fmt: skip
        """``function`` over the lane axis of all but its last ``shared`` arguments, to be compiled.

        It gives a state, which stays where its lane is, and tallies, which every device is told.
        """

        def over_devices(real: jax.Array, *arguments: Any, **fixed: int) -> Any:
            split = len(arguments) - shared
            specs = (P("lanes"), *[P("lanes")] * split, *[P()] * shared)

            def of_device(real: jax.Array, *local: Any) -> Any:
                def of_lane(*lane: Any) -> Any:
                    return function(*lane, *local[split:], **fixed)

                with convolution.executed(self.compute.convolution):
                    state, tallies = over_lanes(of_lane, real, local[:split], self.batching)
                return state, jax.tree.map(
                    lambda leaf: jax.lax.all_gather(leaf, "lanes", tiled=True), tallies
                )

            return jax.shard_map(
                of_device, mesh=self.mesh, in_specs=specs, out_specs=(P("lanes"), P()),
                axis_names={"lanes"} if self.compute.data > 1 else set(self.mesh.axis_names),
                check_vma=False,
            )(real, *arguments)  # fmt: skip

        return jax.jit(
            over_devices,
            static_argnames=(static,) if static else (),
            donate_argnums=(donate,) if donate else (),
            # a lane's state is whole on each of its devices, and so is what all are told
            out_shardings=(NamedSharding(self.mesh, P("lanes")), NamedSharding(self.mesh, P())),
        )

    def _spread(self, batch: Examples) -> Examples:
        """A batch, split over the devices of its lane."""
        if self.compute.data == 1:
            return batch
        images = jax.lax.with_sharding_constraint(batch.images, P("data"))
        labels = jax.lax.with_sharding_constraint(batch.labels, P("data"))
        return batch._replace(images=images, labels=labels)

    def _place(self, starts: Sequence[LaneStart]) -> tuple[jax.Array, LaneStart]:
        """Which slots hold real lanes [slots], and all starts stacked; padding repeats the first lane."""
        plain = [start._replace(key=jax.random.key_data(start.key)) for start in starts]
        padded = [*plain, *plain[:1] * (self.slots - len(plain))]
        stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *padded)
        real = np.arange(self.slots) < len(starts)
        found: tuple[jax.Array, LaneStart] = placed((real, stacked), NamedSharding(self.mesh, P("lanes")))
        return found

    def _restore(self, real: jax.Array, start: LaneStart, begun: Snapshot) -> LaneState:
        """The state of a snapshot."""
        shapes, _ = jax.eval_shape(self.functions["begin"], real, start)
        state: LaneState = placed(restored(shapes, begun), NamedSharding(self.mesh, P("lanes")))
        return state


def _with_key(start: LaneStart) -> LaneStart:
    """A lane's start with a typed key: it is laid out on the devices as plain numbers."""
    return start._replace(key=jax.random.wrap_key_data(start.key, impl=IMPLEMENTATION))


def _bytes(stats: Any) -> int:
    """Arguments, results and what is held between, of one device; donated memory counts once."""
    return int(
        stats.argument_size_in_bytes
        + stats.output_size_in_bytes
        + stats.temp_size_in_bytes
        - stats.alias_size_in_bytes
    )
