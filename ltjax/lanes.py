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

from ltjax.config import Compute, Train
from ltjax.data import Splits
from ltjax.errors import UserError
from ltjax.history import Observer, Recorder
from ltjax.tables import History
from ltjax.training import LaneStart, LaneState, Tally, Training
from ltjax.types import Params


class Trained(NamedTuple):
    """Params after training, NumPy with a leading lane axis, and what was measured on the way."""

    params: Params
    history: History

    def lanes(self, chosen: slice) -> "Trained":
        """Some of the lanes."""
        return Trained(jax.tree.map(lambda leaf: leaf[chosen], self.params), self.history.lanes(chosen))


class LaneProgram:
    """The compiled training of a fixed number of lanes; serves every round.

    Args:
        training: the functions of one lane.
        splits: the data; moved to every device.
        train: steps and evaluations.
        compute: devices and batching.
        lanes: how many lanes ``run`` will be given.

    Raises:
        UserError: more devices are asked for than there are.
    """

    def __init__(
        self, training: Training, splits: Splits, train: Train, compute: Compute, lanes: int
    ) -> None:
        devices = spread(lanes, choose_devices(compute))
        self.mesh = Mesh(np.asarray(devices), ("lanes",))
        self.slots = math.ceil(lanes / len(devices)) * len(devices)
        self.train = train
        self.training = training
        self.vmapped = compute.batching == "vmap" or (
            compute.batching == "auto" and devices[0].platform != "cpu"
        )
        self.splits = jax.device_put(splits, NamedSharding(self.mesh, P()))
        self.begin = self._compile(lambda start: training.begin(start))
        self.inspect = self._compile(self._inspect, shared=1)
        self.interval = self._compile(self._interval, shared=2, static="length", donate=1)

    def run(self, starts: Sequence[LaneStart], observe: Observer | None = None) -> Trained:
        """Train lanes from their starts to the last step.

        Args:
            starts: one per lane.
            observe: told of every evaluation.
        """
        real, start = self._place(starts)
        state = self.begin(real, start)
        recorder = Recorder(len(starts), self.splits, self.train, observe)
        every, last = self.train.evaluate_every, self.train.steps
        step, tallies = 0, self.inspect(real, state, self.splits)
        while step < last:
            length = min(every, last - step)
            state, upcoming = self.interval(real, state, start, self.splits, np.int32(step), length=length)
            # recorded one interval late, so that the devices never wait for the host
            recorder.add(step, tallies)
            step, tallies = step + length, upcoming
        recorder.add(step, tallies)
        exact = self.inspect(real, state, self.splits)["train"]
        params = jax.tree.map(lambda leaf: np.asarray(leaf)[: len(starts)], state.params)
        return Trained(params, recorder.history(exact))

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

    def _compile(
        self, function: Callable[..., Any], shared: int = 0, static: str = "", donate: int = 0
    ) -> Callable[..., Any]:
        """``function`` over the lane axis of all but its last ``shared`` arguments, jitted."""

        def over_devices(real: jax.Array, *arguments: Any, **fixed: int) -> Any:
            split = len(arguments) - shared
            specs = (P("lanes"), *[P("lanes")] * split, *[P()] * shared)

            def of_device(real: jax.Array, *local: Any) -> Any:
                def of_lane(*lane: Any) -> Any:
                    return function(*lane, *local[split:], **fixed)

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


def over_lanes(
    function: Callable[..., Any], real: jax.Array, lanes: tuple[Any, ...], *, vmapped: bool
) -> Any:
    """``function`` of every lane of one device: all together, or in turn and padding skipped."""
    if vmapped:
        return jax.vmap(function)(*lanes)
    # leaf is a ShapeDtypeStruct: what the function would give for one lane
    shapes = jax.eval_shape(function, *jax.tree.map(lambda leaf: leaf[0], lanes))

    def nothing() -> Any:
        return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)

    return jax.lax.map(lambda item: jax.lax.cond(item[0], lambda: function(*item[1]), nothing), (real, lanes))


def choose_devices(compute: Compute) -> list[jax.Device]:
    """The local devices to use.

    Raises:
        UserError: more are asked for than there are.
    """
    devices = jax.local_devices()
    wanted = len(devices) if compute.devices is None else compute.devices
    if not 1 <= wanted <= len(devices):
        raise UserError(f"compute.devices must lie between 1 and {len(devices)}, not {wanted}.")
    return devices[:wanted]


def spread(lanes: int, devices: Sequence[jax.Device]) -> Sequence[jax.Device]:
    """As few of the devices as finish as early as all of them would: 5 lanes keep 3 of 4 devices."""
    turns = math.ceil(lanes / len(devices))
    return devices[: math.ceil(lanes / turns)]
