"""A rehearsal: the functions that choose masks and tickets, called once before anything is trained.

Criterion, rewinding, captures and arms are given θ₀ in place of what training leaves. So a mistake in one of
them is told at once, and it is known where each arm starts, what of the dense network is to be kept, and
whether trained weights are needed to continue a run.
"""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any, NoReturn

import jax
import numpy as np

from ltjax.core.choices import Choice
from ltjax.core.errors import UserError, shown
from ltjax.core.found import Found, Options, handed
from ltjax.core.keys import named_key
from ltjax.core.trees import leaves_by_path, read_only
from ltjax.core.types import Key, Mask, Params, Start, State, Ticket
from ltjax.data import Source, load_dataset
from ltjax.lanes.placement import on_cpu
from ltjax.lottery.arms import ARMS, Arm
from ltjax.lottery.leaving_out import check_wiring
from ltjax.lottery.rewinding import REWINDINGS, Capture, captures_of, in_steps
from ltjax.models import Network
from ltjax.settings.schema import Experiment
from ltjax.sparsity import masks
from ltjax.sparsity.counts import kept_of
from ltjax.sparsity.criteria import CRITERIA
from ltjax.sparsity.selection import Group
from ltjax.sparsity.structures import STRUCTURES, structure_of
from ltjax.training.evolve import steps_of
from ltjax.training.schemes import learns
from ltjax.training.task import Task

PACKAGE = __name__.partition(".")[0]


def _module(function: Any) -> str:
    """The module in which a function is defined, or the class of an object that is called like one."""
    return str(getattr(function, "__module__", type(function).__module__))


def _is_ours(function: Any) -> bool:
    return _module(function).startswith(f"{PACKAGE}.")


@dataclass(frozen=True)
class Functions:
    """The functions of an experiment that the host calls from round to round, each with the name it has.

    What one gives is checked, and an error inside it is told as the user's.
    """

    steps: int
    rewinding: tuple[str, Any]
    criterion: tuple[str, Any] = ("", None)
    structure: tuple[str, Any] = ("", None)
    arms: tuple[tuple[str, Arm], ...] = ()
    own_masks: bool = False

    @property
    def ours(self) -> bool:
        """Whether all of them are ltjax's own."""
        every = (self.rewinding, self.criterion, self.structure, *self.arms)
        return all(_is_ours(function) for _, function in every)

    def scores(self, found: Found, key: Key) -> Any:
        """What the criterion ranks weights by.

        Raises:
            UserError: it failed, its scores have another structure or shape than the params, or are not
                numbers where the params are.
        """
        name, criterion = self.criterion
        with on_cpu(), CRITERIA.guarded(name):
            scores = jax.device_get(criterion(found.handed(key)))
        _check_shapes(scores, found.theta0.params, f"the scores of the criterion {shown(name)}")
        start = found.trained or found.theta0
        _check_numbers(scores, start.params, found.mask, name)
        return scores

    @property
    def criterion_steps(self) -> int:
        """In how many steps the criterion would have a mask made, where a schedule leaves that to it."""
        return int(getattr(self.criterion[1], "steps", 1))

    def selected(self, scores: Any, mask: Mask, kept: Mapping[Group, int]) -> Mask:
        """The mask that the structure chooses by scores.

        Raises:
            UserError: the structure failed, or its mask is not one of these counts.
        """
        name, structure = self.structure
        with STRUCTURES.guarded(name):
            found = structure(read_only(scores), read_only(mask), dict(kept))
        masks.check(found, mask, f"the structure {shown(name)}")
        before, after = leaves_by_path(mask), leaves_by_path(found)
        for group, number in kept.items():
            left = sum(int(np.count_nonzero(after[path])) for path in group)
            if left != number or any(np.any(after[path] & ~before[path]) for path in group):
                raise UserError(
                    f"the structure {shown(name)} must keep {number} of the weights that are left in "
                    f"{' and '.join(group)}, and keeps {left}, or others."
                )
        return found

    def shuffled(self, key: Key, mask: Mask) -> Mask:
        """A mask at random, of the structure's pattern and as dense as one of it.

        Raises:
            UserError: the structure's own way failed, or gave what is not a mask of the network.
        """
        name, structure = self.structure
        with STRUCTURES.guarded(name):
            found = getattr(structure, "shuffle", masks.shuffle)(key, mask)
        masks.check(found, mask, f"the structure {shown(name)}, shuffled,")
        return found

    def rewound(self, found: Found, key: Key) -> Ticket:
        """The ticket that the rewinding makes.

        Raises:
            UserError: it failed, or what it gives is not a ticket of this network.
        """
        name, rewinding = self.rewinding
        with on_cpu(), REWINDINGS.guarded(name):
            ticket = rewinding(found.handed(key))
        return self._checked(ticket, found, f"the rewinding {shown(name)}")

    def drawn(
        self, arm: str, key: Key, found: Found, ticket: Ticket, init: Callable[[Key], Params]
    ) -> Ticket:
        """What an arm makes of the rewound ticket.

        Raises:
            UserError: it failed, or what it gives is not a ticket of this network.
        """
        with on_cpu(), ARMS.guarded(arm):
            own = dict(self.arms)[arm](key, found.handed(key), handed(ticket), init)
        return self._checked(own, found, f"the arm {shown(arm)}")

    def captured(self, step: int, start: Start) -> Start:
        """What is kept of the dense network at a step.

        Raises:
            UserError: the rewinding's own capture failed.
        """
        name, _ = self.rewinding
        with on_cpu(), REWINDINGS.guarded(name):
            kept = self.captures[step](read_only(start))
            return Start(*jax.tree.map(np.asarray, jax.device_get(tuple(kept))))

    @cached_property
    def captures(self) -> dict[int, Capture]:
        """What is to be kept of the dense network, by step.

        Raises:
            UserError: the rewinding does not say which, or a step lies beyond the training.
        """
        name, rewinding = self.rewinding
        with REWINDINGS.guarded(name):
            captures = captures_of(rewinding, self.steps)
            beyond = [step for step in captures if not 0 <= step < self.steps]
        if beyond:
            raise UserError(
                f"the rewinding {shown(name)} goes back to step {shown(beyond[0])}, from which a training of "
                f"{self.steps} steps has nothing left to train; choose a step below {self.steps}."
            )
        return captures

    def _checked(self, ticket: Any, found: Found, whose: str) -> Ticket:
        if not isinstance(ticket, Ticket):
            raise UserError(f"{whose} must return a Ticket, not {shown(ticket)}.")
        theta0 = found.theta0.params
        _check_shapes(ticket.params, theta0, f"the params of {whose}")
        masks.check(ticket.mask, theta0, whose)
        if ticket.state is not None:
            _check_shapes(ticket.state, found.theta0.state, f"the state of {whose}")
        if ticket.pruned is not None and self.own_masks:
            raise UserError(
                f"{whose} gives pruned weights values, which cannot be where masks evolve or are learned."
            )
        if ticket.pruned is not None:
            _check_shapes(ticket.pruned, theta0, f"the values that {whose} gives pruned weights")
        try:
            rate = None if ticket.rate is None else float(ticket.rate)
            ticket = ticket._replace(step=operator.index(ticket.step), hold=bool(ticket.hold), rate=rate)
        except (TypeError, ValueError) as error:
            raise UserError(f"{whose} must return a ticket whose step, hold and rate are numbers.") from error
        if not 0 <= ticket.step < self.steps:
            raise UserError(
                f"{whose} would start at step {shown(ticket.step)} of a training of {self.steps}; it can "
                f"start at step 0 to {self.steps - 1}."
            )
        return ticket


def functions_of(experiment: Experiment, task: Task) -> Functions:
    """The functions that an experiment names.

    Raises:
        UserError: there is none of a name.
    """
    prune = experiment.prune
    return replace(
        rewinding_of(experiment, task),
        criterion=(prune.criterion.name, prune.criterion.make()),
        structure=(prune.structure.name, structure_of(prune.structure, lambda: task.axes)),
        arms=tuple((arm, ARMS.find(arm)) for arm, repeats in sorted(experiment.arms.items()) if repeats),
        own_masks=learns(experiment.scheme) or bool(steps_of(experiment.evolve, experiment.train.steps)),
    )


def rewinding_of(experiment: Experiment, task: Task) -> Functions:
    """The rewinding of an experiment alone, its parameters in epochs made steps.

    Raises:
        UserError: there is none of its name.
    """
    train, chosen = experiment.train, experiment.prune.rewind
    epoch_steps = max(1, (task.data.train - experiment.data.validation) // train.batch)
    return Functions(train.steps, (chosen.name, in_steps(chosen.make(), epoch_steps)))


@dataclass(frozen=True)
class Rehearsal:
    """What calling the functions showed.

    ``first`` and ``later`` have the step at which each arm starts, in round 0 and in all others; what finds
    masks starts at step 0 in round 0. ``uses_trained`` says whether what training left is read by rewinding
    or arms, beside the criterion.
    """

    functions: Functions
    first: Mapping[str, int] = field(default_factory=dict)
    later: Mapping[str, int] = field(default_factory=dict)
    uses_trained: bool = False

    def step(self, round: int, arm: str) -> int:
        """Where an arm starts."""
        return (self.later if round else self.first).get(arm, 0)


def rehearse(experiment: Experiment, task: Task) -> Rehearsal:
    """Call every function of an experiment once, with θ₀ in place of what training leaves.

    Where all are ltjax's own, which hold for any network, a small one will do: drawing and shuffling the 20 M
    weights of VGG-19 takes most of a minute.

    Raises:
        UserError: one failed, or gave what cannot be used.
    """
    check_wiring(experiment, task)
    functions = functions_of(experiment, task)
    tried = SMALL if functions.ours else task
    controls = experiment.control_rounds
    reverse = unranked if experiment.ticket and (controls is None or 0 in controls) else None
    try:
        hash(functions)
    except TypeError:  # a user's object that cannot be a key: it is rehearsed each time
        found = _rehearsed.__wrapped__(functions, tried, experiment.seed, reverse)
    else:
        found = _rehearsed(functions, tried, experiment.seed, reverse)
    if experiment.prune.rounds and not _is_ours(functions.structure[1]):
        scores = jax.tree.map(lambda leaf: np.arange(leaf.size).reshape(leaf.shape), task.shapes[0])
        mask = masks.dense(scores)
        kept = kept_of(experiment.prune, 1, task.kinds, mask, structure=functions.structure[1])
        functions.selected(scores, mask, kept)
    return found


def unranked() -> NoReturn:
    """The reverse of the mask of round 0 that was another run's ticket's.

    Raises:
        UserError: always: its weights were ranked there.
    """
    raise UserError(
        "the masks of another run's tickets have no reverse, as their weights are not ranked here; leave "
        "arms that ask for one, such as invert, out of round 0 by --control-rounds."
    )


def _small(key: Key) -> tuple[Params, State]:
    """A layer of four weights."""
    return {"layer": {"kernel": jax.random.normal(key, (2, 2)), "bias": np.zeros(2, np.float32)}}, {}


SMALL = Task(
    Network(_small, lambda params, state, inputs, train, key: (inputs @ params["layer"]["kernel"], state)),
    Source(
        load_dataset, 8, 2, jax.ShapeDtypeStruct((2,), np.float32), jax.ShapeDtypeStruct((), np.int32), 2
    ),
    Choice("loss", "cross_entropy"), Choice("metric", "accuracy"),
)  # fmt: skip
"""A task as good as any to rehearse what holds for all."""


class Pretended:
    """Derivatives before there are data: as many numbers as there will be."""

    def gradient(self, at: Start, mask: Mask, key: Key, options: Options) -> Params:
        """Ones."""
        return jax.tree.map(lambda leaf: np.ones(np.shape(leaf), np.float32), at.params)

    def hvp(self, at: Start, mask: Mask, vector: Params, key: Key, options: Options) -> Params:
        """Ones, where the vector can be one."""
        _check_shapes(vector, at.params, "the vector that a Hessian is multiplied with")
        return self.gradient(at, mask, key, options)


@lru_cache(maxsize=8)
def _rehearsed(
    functions: Functions, task: Task, seed: int, reverse: Callable[[], Mask] | None
) -> Rehearsal:  # fmt: skip
    network = task.network
    with on_cpu():
        theta0 = Start(*jax.device_get(network.init(named_key(seed, "init", 0))))
    starts = {0: theta0, **{step: functions.captured(step, theta0) for step in functions.captures}}
    read: list[None] = []

    def left() -> Start:
        read.append(None)
        return theta0

    key = named_key(seed, "rehearsal")
    dense = Found(
        theta0, masks.dense(theta0.params), key, 0, functions.steps, starts, None, task, Pretended(),
        shuffle=None if task is SMALL else functions.shuffled,
    )  # fmt: skip
    later = replace(dense, round=1, left=left, reverse=lambda: masks.dense(left().params))
    functions.scores(later, key)
    read.clear()
    begun = replace(dense, reverse=reverse)
    first, after = (_steps(functions, found, network, key) for found in (begun, later))
    return Rehearsal(functions, first, after, bool(read))


def _steps(functions: Functions, found: Found, network: Network, key: Key) -> dict[str, int]:
    """Where each arm starts."""
    ticket = functions.rewound(found, key)

    def init(key: Key) -> Params:
        return network.init(key)[0]

    return {arm: functions.drawn(arm, key, found, ticket, init).step for arm, _ in functions.arms}


def _check_shapes(found: Any, needed: Any, what: str) -> None:
    own, wanted = leaves_by_path(found), leaves_by_path(needed)
    for path in (*wanted, *own):
        if path not in own or path not in wanted:
            raise UserError(f"{what} {'lack' if path in wanted else 'have'} a leaf {shown(path)}"
                            f"{'' if path in wanted else ', which the network has not'}.")  # fmt: skip
        if np.shape(own[path]) != np.shape(wanted[path]):
            raise UserError(
                f"{what} have a leaf {shown(path)} of shape {list(np.shape(own[path]))}, where the network "
                f"has {list(np.shape(wanted[path]))}."
            )


def _check_numbers(scores: Any, params: Params, mask: Mask, name: str) -> None:
    """Check that weights which are numbers have scores that are; of a lane that diverged nothing is asked."""
    alive, values = leaves_by_path(mask), leaves_by_path(params)
    for path, leaf in leaves_by_path(scores).items():
        if np.any(np.isnan(leaf) & alive[path] & np.isfinite(values[path])):
            raise UserError(
                f"the scores of the criterion {shown(name)} in {shown(path)} are not numbers (NaN)."
            )
