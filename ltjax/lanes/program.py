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
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from ltjax.core.keys import IMPLEMENTATION
from ltjax.core.types import Mask, Params
from ltjax.data import Examples, Splits
from ltjax.lanes import processes
from ltjax.lanes.box import Box
from ltjax.lanes.history import History, Observer, Recorder, wait
from ltjax.lanes.placement import Batching, held, holders, lane_mesh, over_lanes, placed
from ltjax.lanes.snapshots import Snapshot, Snapshots, leaves_of, restored, restored_captures
from ltjax.models import Collections, convolution
from ltjax.settings.schema import Compute, Train
from ltjax.training.step import Course, LaneStart, LaneState, Tally, Training


class Trained(NamedTuple):
    """Weights, collections and masks after training, NumPy with a leading lane axis, and what was measured.

    ``params`` are the effective weights. ``captured`` has params and collections by the step at which they
    were kept. ``holders`` says for each lane which process holds these: here are only this process's own
    lanes. Masks, and what was measured, are known of all lanes everywhere.
    """

    params: Params
    collections: Collections
    masks: Mask
    history: History
    holders: Sequence[int]
    captured: Mapping[int, tuple[Params, Collections]] = MappingProxyType({})

    def lanes(self, chosen: Sequence[int]) -> "Trained":
        """Some of the lanes, by their places; one may be there twice."""
        own = processes.index()
        held = [place for place, holder in enumerate(self.holders) if holder == own]
        here = [held.index(place) for place in chosen if place in held]
        own_trees = (self.params, self.collections)
        params, collections = jax.tree.map(lambda leaf: leaf[here], own_trees)
        masks = jax.tree.map(lambda leaf: leaf[list(chosen)], self.masks)
        captured = {step: jax.tree.map(lambda leaf: leaf[here], tree)
                    for step, tree in self.captured.items()}  # fmt: skip
        holders = [self.holders[place] for place in chosen]
        return Trained(params, collections, masks, self.history.lanes(chosen), holders, captured)


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
        self.compiled: dict[tuple[str, int, Any], Any] = {}
        self.functions = {
            "begin": self._over_lanes(self._begin, shared=1),
            "inspect": self._over_lanes(self._inspect, shared=1),
            "advance": self._over_lanes(self._advance, shared=2, static="length", donate=1),
            "interval": self._over_lanes(self._interval, shared=2, static="length", donate=1),
            "left": self._over_lanes(lambda state: (self.training.left(state), None)),
        }

    def run(
        self, starts: Sequence[LaneStart], observe: Observer | None = None,
        snapshots: Snapshots | None = None, first: int = 0, captures: Collection[int] = (),
    ) -> Trained:  # fmt: skip
        """Train lanes from their starts, or from a snapshot of them, to the last step.

        Args:
            starts: one per lane.
            observe: told of every evaluation.
            snapshots: what to continue from, and where to keep what would continue this.
            first: the step that the lanes start at.
            captures: steps whose params and collections are kept.

        Raises:
            Ended: the snapshots' box has no time for more; what would continue this is kept.
        """
        box, lanes = snapshots.box if snapshots else Box(), len(starts)
        real, start = self._place(starts)
        course = start.course
        recorder = self._recorder(lanes, observe)
        step, tallies, owners = first, None, holders(lanes, self.mesh)
        captured: dict[int, tuple[Params, Collections]] = {}

        def keep(at: int, state: LaneState) -> None:
            if at in captures:
                captured[at] = held((state.params, state.collections), lanes)

        def record(step: int, tallies: dict[str, Tally] | None) -> None:
            if tallies:
                recorder.add(step, tallies)
                box.passed(step)

        if snapshots and snapshots.begun:
            state, step = self._restore(real, start, snapshots.begun), snapshots.begun.step
            captured |= restored_captures(snapshots.begun, owners, state.params, state.collections)
            recorder.restore(snapshots.begun.seen)
        else:
            state, tallies = self._begun(real, start, step)
        del start  # the devices need not hold it twice
        box.ready(step, lanes)
        last = self.train.steps
        while step < last:
            goal = self._next_evaluation(step)
            if self.on_cpu and tallies:
                wait(tallies)  # the next call would, in XLA
                box.passed(step)
            if snapshots and tallies and snapshots.due(goal, goal == last):
                record(step, tallies)
                tallies = None
                leaves = held(jax.tree.leaves(state), lanes)
                snapshots.keep(Snapshot(step, leaves, recorder.seen(), owners, leaves_of(captured)))
            stops = [*sorted(at for at in captures if step < at < goal), goal]
            state, upcoming = self._through(stops, step, (real, state, course), keep)
            record(step, tallies)  # one interval late, so that the devices never wait for the host
            step, tallies = goal, upcoming
        record(step, tallies)
        exact = self._call("inspect", real, state, course, self.splits)[1]["train"]
        params, collections, own_masks = held(self._left(real, state), lanes)
        masks, history = processes.by_lane(own_masks, owners), recorder.history(exact)
        return Trained(params, collections, masks, history, owners, captured)

    def _recorder(self, lanes: int, observe: Observer | None) -> Recorder:
        """What keeps the evaluations of so many lanes."""
        metric, samples = self.training.task.measured, self.training.samples
        return Recorder(lanes, self.splits, self.train, observe, metric, samples)

    def _left(self, real: jax.Array, state: LaneState) -> tuple[Params, Collections, Mask]:
        """What training left of lanes: effective weights, collections and masks."""
        if state.learned is None:  # it is there already
            return self.training.left(state)
        found: tuple[Params, Collections, Mask] = self._call("left", real, state)[0]
        return found

    def _begun(self, real: jax.Array, start: LaneStart, step: int) -> tuple[LaneState, dict[str, Tally]]:
        """Lanes at the step that they start at, and their first evaluation."""
        state, _ = self._call("begin", real, start, np.int32(step))
        _, tallies = self._call("inspect", real, state, start.course, self.splits)
        wait(tallies)
        return state, tallies

    def _next_evaluation(self, step: int) -> int:
        """The step after this one at which lanes are evaluated: a multiple of the interval, or the last."""
        every = self.train.evaluate_every
        return min((step // every + 1) * every, self.train.steps)

    def _through(
        self, stops: Sequence[int], step: int, lanes: tuple[jax.Array, LaneState, Course],
        keep: Callable[[int, LaneState], None],
    ) -> tuple[LaneState, dict[str, Tally]]:  # fmt: skip
        """Train to one stop after another, at each of which ``keep`` is told; the last is an evaluation."""
        (real, state, course), running = lanes, []
        for at in stops[:-1]:
            arguments = (real, state, course, self.splits, np.int32(step))
            state, tally = self._call("advance", *arguments, length=at - step)
            running.append(tally)
            keep(at, state)
            step = at
        arguments = (real, state, course, self.splits, np.int32(step))
        state, tallies = self._call("interval", *arguments, length=stops[-1] - step)
        keep(stops[-1], state)
        if running and self.train.train_curve == "running":
            tallies["train"] = jax.tree.map(lambda *parts: sum(parts), tallies["train"], *running)
        return state, tallies

    def bytes_needed(self, start: LaneStart) -> int:
        """What training holds on each device at its height, as the compiled programs say.

        Args:
            start: of any lane; only its shapes count.
        """
        real, start = self._place([start])
        state, _ = jax.eval_shape(self.functions["begin"], real, start, np.int32(0))
        length = min(self.train.evaluate_every, self.train.steps)
        programs = [
            self._program("interval", real, state, start.course, self.splits, np.int32(0), length=length),
            self._program("inspect", real, state, start.course, self.splits),
        ]
        return max(_bytes(program.memory_analysis()) for program in programs)

    def _call(self, name: str, *arguments: Any, **static: int) -> Any:
        return self._program(name, *arguments, **static)(*arguments)

    def _program(self, name: str, *arguments: Any, **static: int) -> Any:
        """A compiled function; each is compiled once, ahead of its first call, so that it can be asked."""
        key = (name, static.get("length", 0), jax.tree.structure(arguments))
        if key not in self.compiled:
            lowered = self.functions[name].lower(*arguments, **static)
            with ThreadPoolExecutor(1) as thread:  # Python hears of Ctrl-C while it waits, in XLA it does not
                self.compiled[key] = thread.submit(lowered.compile).result()
        return self.compiled[key]

    def _begin(self, start: LaneStart, step: jax.Array) -> tuple[LaneState, None]:
        return self.training.begin(start._replace(course=_with_keys(start.course)), step), None

    def _advance(
        self, state: LaneState, course: Course, splits: Splits, step: jax.Array, length: int
    ) -> tuple[LaneState, Tally]:
        return self.training.advance(state, _with_keys(course), splits, step, length)

    def _interval(
        self, state: LaneState, course: Course, splits: Splits, step: jax.Array, length: int
    ) -> tuple[LaneState, dict[str, Tally]]:
        state, running = self._advance(state, course, splits, step, length)
        course = _with_keys(course)
        if self.train.train_curve == "exact":
            running = self.training.measure(state, course, splits.train)
        return state, {"train": running, **self._held_out(state, course, splits)}

    def _inspect(self, state: LaneState, course: Course, splits: Splits) -> tuple[None, dict[str, Tally]]:
        course = _with_keys(course)
        train = self.training.measure(state, course, splits.train)
        return None, {"train": train, **self._held_out(state, course, splits)}

    def _held_out(self, state: LaneState, course: Course, splits: Splits) -> dict[str, Tally]:
        return {name: self.training.measure(state, course, getattr(splits, name))
                for name in ("validation", "test")}  # fmt: skip

    def _over_lanes(
        self, function: Callable[..., Any], shared: int = 0, static: str = "", donate: int = 0
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

        def split(leaf: jax.Array) -> jax.Array:
            return jax.lax.with_sharding_constraint(leaf, P("data"))

        inputs, targets, real = jax.tree.map(split, (batch.inputs, batch.targets, batch.real))
        return batch._replace(inputs=inputs, targets=targets, real=real)

    def _place(self, starts: Sequence[LaneStart]) -> tuple[jax.Array, LaneStart]:
        """Which slots hold real lanes [slots], and all starts stacked; padding repeats the first lane."""
        plain = [start._replace(course=_plain(start.course)) for start in _alike(starts)]
        padded = [*plain, *plain[:1] * (self.slots - len(plain))]
        stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *padded)
        real = np.arange(self.slots) < len(starts)
        found: tuple[jax.Array, LaneStart] = placed((real, stacked), NamedSharding(self.mesh, P("lanes")))
        return found

    def _restore(self, real: jax.Array, start: LaneStart, begun: Snapshot) -> LaneState:
        """The state of a snapshot."""
        shapes, _ = jax.eval_shape(self.functions["begin"], real, start, np.int32(0))
        state: LaneState = placed(restored(shapes, begun), NamedSharding(self.mesh, P("lanes")))
        return state


def _plain(course: Course) -> Course:
    """A lane's course as plain numbers, which can be laid out on the devices."""
    return course._replace(hold=np.bool_(course.hold)).with_keys(jax.random.key_data)


def _with_keys(course: Course) -> Course:
    """A lane's course with its keys: the inverse of ``_plain``."""
    return course.with_keys(lambda data: jax.random.wrap_key_data(data, impl=IMPLEMENTATION))


def _alike(starts: Sequence[LaneStart]) -> Sequence[LaneStart]:
    """Starts of one structure: where one lane has values for pruned weights, the others have zeros."""
    if all(start.pruned is None for start in starts):
        return starts
    return [
        start._replace(pruned=jax.tree.map(np.zeros_like, start.params)) if start.pruned is None else start
        for start in starts
    ]


def _bytes(stats: Any) -> int:
    """Arguments, results and what is held between, of one device; donated memory counts once."""
    return int(
        stats.argument_size_in_bytes
        + stats.output_size_in_bytes
        + stats.temp_size_in_bytes
        - stats.alias_size_in_bytes
    )
