"""Rewindings: where the survivors of a round are reset to, and from which step they train on.

A rewinding is a pure function ``(found) -> Ticket``, or a frozen dataclass with its parameters that is called
so. ``captures(steps)``, where it has that method, says after which steps of its ``steps`` the dense network
is to be kept: ``found.starts`` then has it. In round 0 ``found.trained`` is None: the dense network itself is
trained from θ₀, and controls beside it are given what the rewinding makes of ``found``. Adding one takes a
function and its ``@REWINDINGS.register`` line.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Annotated, Any, Literal, Protocol, TypeAlias

import jax
import numpy as np

from ltjax.core.found import Found
from ltjax.core.registry import Registry, registry
from ltjax.core.trees import keys_like, map_with_path
from ltjax.core.types import Key, Mask, Params, Start, Ticket
from ltjax.settings.bounds import EPOCHS, STEPS_OR_EPOCHS
from ltjax.sparsity import masks

Capture: TypeAlias = Callable[[Start], Start]
"""What is kept of the dense network at a step; ``as_it_is`` where a rewinding says nothing else."""

Captures: TypeAlias = Sequence[int] | Mapping[int, Capture]


class Rewinding(Protocol):
    """What a rewinding is; ``captures`` may be missing."""

    def __call__(self, found: Found) -> Ticket:
        """The ticket of a round."""


REWINDINGS: Registry[Any] = registry("rewinding")


def rewind(params: Params, mask: Mask) -> Params:
    """What a ticket starts from: the params' own bits where the mask is True, else 0 (paper, section 1)."""
    return masks.apply(mask, params)


def as_it_is(start: Start) -> Start:
    """The dense network as it is."""
    return start


@REWINDINGS.register("original")
def original(found: Found) -> Ticket:
    """To θ₀ itself, and the training begins anew (Frankle & Carbin 2019)."""
    return Ticket(found.theta0.params, found.mask, found.theta0.state)


@REWINDINGS.register("step")
@dataclass(frozen=True)
class Step:
    """To the dense network of step k, from which the training goes on (Frankle et al. 2020)."""

    k: Annotated[int | str, STEPS_OR_EPOCHS] = 0
    """Steps, or epochs as in 2ep."""

    def captures(self, steps: int) -> Sequence[int]:
        """Step k."""
        return (int(self.k),)

    def __call__(self, found: Found) -> Ticket:
        """θ_k, its state, and the position of step k."""
        start = found.starts[int(self.k)]
        return Ticket(start.params, found.mask, start.state, step=int(self.k))


@REWINDINGS.register("learning_rate")
@dataclass(frozen=True)
class LearningRate:
    """Weights stay as trained; the learning rate goes back, t steps or to the start (Renda et al. 2020)."""

    t: Annotated[int | str | None, STEPS_OR_EPOCHS] = None
    """The last steps of the schedule, or epochs as in 2ep; by default all."""

    def __call__(self, found: Found) -> Ticket:
        """The trained weights, t steps before the end."""
        return _trained(found, self.t)


@REWINDINGS.register("fine_tune")
@dataclass(frozen=True)
class FineTune:
    """Weights stay as trained, and train on for t steps at the schedule's last rate (Han et al. 2015)."""

    t: Annotated[int | str | None, STEPS_OR_EPOCHS] = None
    """Steps, or epochs as in 2ep; by default as many as a whole training has."""

    def __call__(self, found: Found) -> Ticket:
        """The trained weights, t steps before the end, the rate held."""
        return _trained(found, self.t)._replace(hold=found.trained is not None)


@REWINDINGS.register("freeze_init")
@dataclass(frozen=True)
class FreezeInit:
    """To θ₀, and pruned weights stay there, untrained, in place of 0 (Zhou et al. 2019)."""

    zero: Literal["none", "shrunk", "all"] = "none"
    """Which are 0 all the same: pruned ones that training brought nearer to 0, or kept ones too at first."""
    places: Literal["own", "shuffled", "reversed"] = "own"
    """Controls of zero: as many of each layer at random places, or those that did not come nearer to 0."""

    def __call__(self, found: Found) -> Ticket:
        """θ₀ under the mask, θ₀ or 0 elsewhere."""
        theta0, trained = found.theta0, found.trained if self.zero != "none" else None
        if trained is None:
            return original(found)._replace(pruned=theta0.params)
        kinds, keys = found.task.kinds, keys_like(found.key, theta0.params)

        def of_leaf(path: str, key: Key, first: np.ndarray, last: np.ndarray, mask: np.ndarray) -> np.ndarray:
            if path not in kinds:
                return first
            return np.where(self._zeroed(key, np.asarray(first), np.asarray(last), mask), 0, first)

        values = map_with_path(of_leaf, keys, theta0.params, trained.params, found.mask)
        kept = values if self.zero == "all" else theta0.params
        return original(found)._replace(params=kept, pruned=values)

    def _zeroed(self, key: Key, first: np.ndarray, last: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Which weights of a layer are 0; what earlier rounds decided stays so."""
        if self.places == "reversed":
            return (np.abs(last) > np.abs(first)) | (last == 0)
        zeroed: np.ndarray = np.abs(last) < np.abs(first)
        if self.places == "shuffled":
            for index, part in enumerate((mask, ~mask)):
                zeroed[part] = jax.random.permutation(jax.random.fold_in(key, index), zeroed[part])
        return zeroed


def _trained(found: Found, last: int | str | None) -> Ticket:
    """The trained weights, so many steps before the end; before anything was trained, θ₀."""
    start = found.trained
    if start is None:
        return original(found)
    step = 0 if last is None else found.steps - int(last)
    return Ticket(start.params, found.mask, start.state, step=step)


def in_steps(rewinding: Any, epoch_steps: int) -> Any:
    """A rewinding whose parameters in epochs, as ``2ep``, are steps.

    Example:
        >>> in_steps(Step("1.5ep"), epoch_steps=100)
        Step(k=150)
    """
    if not is_dataclass(rewinding) or isinstance(rewinding, type):
        return rewinding
    values = {each.name: getattr(rewinding, each.name) for each in fields(rewinding)}
    found = {name: EPOCHS.fullmatch(value) for name, value in values.items() if isinstance(value, str)}
    told = {name: round(float(match[1]) * epoch_steps) for name, match in found.items() if match}
    return replace(rewinding, **told) if told else rewinding


def captures_of(rewinding: Any, steps: int) -> dict[int, Capture]:
    """What a rewinding wants kept of the dense network: by step, which part of it; θ₀ is there anyway."""
    asked: Captures = rewinding.captures(steps) if hasattr(rewinding, "captures") else ()
    every = dict(asked) if isinstance(asked, Mapping) else dict.fromkeys(asked, as_it_is)
    return {step: capture for step, capture in every.items() if step or capture is not as_it_is}
