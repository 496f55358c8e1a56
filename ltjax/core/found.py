"""What is known of a trial when a round begins: what criteria, rewindings and arms are given."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from ltjax.core.trees import read_only
from ltjax.core.types import Key, Mask, Start, Ticket


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
    """

    theta0: Start
    mask: Mask
    key: Key
    round: int = 0
    steps: int = 0
    starts: Mapping[int, Start] = field(default_factory=dict)
    left: Start | Callable[[], Start] | None = None

    @property
    def trained(self) -> Start | None:
        """What training left: of the ticket of the round before, or of the lane that the schedule prunes.

        None in round 0. A run that does not keep all params keeps these where a rewinding or an arm reads
        them.

        Raises:
            UserError: a run that is continued did not keep them.
        """
        return self.left() if callable(self.left) else self.left

    def handed(self, key: Key) -> "Found":
        """The same for a function that is not to change anything, with a key of its own."""
        left = None if self.left is None else lambda: read_only(self.trained)
        theta0, mask, starts = read_only((self.theta0, self.mask, dict(self.starts)))
        return replace(self, theta0=theta0, mask=mask, key=key, starts=starts, left=left)


def handed(ticket: Ticket) -> Ticket:
    """A ticket for a function that is not to change it: fresh containers, arrays that cannot be written."""
    arrays = ("params", "mask", "state", "pruned")
    return ticket._replace(**{name: read_only(getattr(ticket, name)) for name in arrays})
