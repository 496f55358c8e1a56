"""What is known of a trial when a round begins: what criteria, rewindings and arms are given."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from ltjax.core.errors import UserError
from ltjax.core.trees import read_only
from ltjax.core.types import Key, Mask, Params, Start, Ticket


class Derivatives(Protocol):
    """What differentiates the loss over training examples: ``lanes.derivatives`` has the real one."""

    def gradient(self, at: Start, mask: Mask, key: Key, options: "Options") -> Params:
        """Of the loss by all weights."""

    def hvp(self, at: Start, mask: Mask, vector: Params, key: Key, options: "Options") -> Params:
        """The Hessian's product with a vector."""


@dataclass(frozen=True)
class Options:
    """Over which examples, and how, the loss is differentiated.

    Args:
        examples: how many, drawn from the training split, of each class equally many where targets are
            classes; None for all.
        train: whether the network runs as in training: BatchNorm by the batch, dropout drawn.
        temperature: what outputs are divided by before the loss.
    """

    examples: int | None = None
    train: bool = False
    temperature: float = 1.0


@dataclass(frozen=True)
class Found:
    """What was found for a trial, as a criterion, a rewinding or an arm is given it.

    Whoever is ``handed`` it has containers of his own, and arrays that cannot be written.

    Args:
        theta0: how the trial began: θ₀, unmasked.
        mask: the round's; a criterion is given that of the weights it ranks.
        key: for what is drawn.
        round: the round that is about to be trained.
        steps: of a whole training.
        starts: the dense network by the steps at which it was kept; θ₀ is that of step 0.
        left: what training left in the lane that the mask is made from, or what reads it; None in round 0.
        task: what is learned: its network, the shapes of its data, its kinds of layers.
        derivatives: what ``gradient`` and ``hvp`` ask.
        reverse: makes the mask that keeps the lowest scores in place of the highest; None where round 0 is
            dense, and an error where its mask was given.
        shuffle: makes a mask at random of a mask, by the structure; None: each layer by itself.
    """

    theta0: Start
    mask: Mask
    key: Key
    round: int = 0
    steps: int = 0
    starts: Mapping[int, Start] = field(default_factory=dict)
    left: Start | Callable[[], Start] | None = None
    task: Any = None
    derivatives: Derivatives | None = None
    reverse: Callable[[], Mask] | None = None
    shuffle: Callable[[Key, Mask], Mask] | None = None

    @property
    def trained(self) -> Start | None:
        """What training left: of the ticket of the round before, or of the lane that the schedule prunes.

        None in round 0. A run that does not keep all params keeps these where a rewinding or an arm reads
        them.

        Raises:
            UserError: a run that is continued did not keep them.
        """
        return self.left() if callable(self.left) else self.left

    def gradient(
        self, at: Start, examples: int | None = None, *, train: bool = False, temperature: float = 1.0
    ) -> Params:  # fmt: skip
        """The gradient of the mean loss by all weights, pruned ones too, at the weights that the mask leaves.

        Args:
            at: params and state, such as ``theta0`` or ``trained``; pruned weights count as 0.
            examples: how many training examples, drawn by the key; None for all of them.
            train: whether the network runs as in training.
            temperature: what outputs are divided by before the loss.

        Returns:
            Float32 arrays like the params. In a job of several processes the first one computes them.

        Raises:
            UserError: there is no data to differentiate over.
        """
        options = Options(examples, train, temperature)
        return self._derivatives().gradient(at, self.mask, self.key, options)

    def hvp(
        self, at: Start, vector: Params, examples: int | None = None, *, train: bool = False,
        temperature: float = 1.0,
    ) -> Params:  # fmt: skip
        """The product of the mean loss's Hessian by all weights with a vector; else as ``gradient``.

        It is taken forward over reverse.
        """
        options = Options(examples, train, temperature)
        return self._derivatives().hvp(at, self.mask, vector, self.key, options)

    def _derivatives(self) -> Derivatives:
        if self.derivatives is None:
            raise UserError("there are no examples here over which a loss could be differentiated.")
        return self.derivatives

    def handed(self, key: Key) -> "Found":
        """The same for a function that is not to change anything, with a key of its own."""
        left = None if self.left is None else lambda: read_only(self.trained)
        theta0, mask, starts = read_only((self.theta0, self.mask, dict(self.starts)))
        return replace(self, theta0=theta0, mask=mask, key=key, starts=starts, left=left)


def handed(ticket: Ticket) -> Ticket:
    """A ticket for a function that is not to change it: fresh containers, arrays that cannot be written."""
    arrays = ("params", "mask", "state", "pruned")
    return ticket._replace(**{name: read_only(getattr(ticket, name)) for name in arrays})
