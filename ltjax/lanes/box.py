"""A box: the minutes that a run may take before it stops in good order, and what fits into what is left.

What decides is pure: numbers in, yes or no out. ``Box`` measures, by a clock, and lets all processes of a job
decide by the first one's. Only what this process measured counts: the parts of a run's folder have their
seconds too, but perhaps from another machine, or of programs that were compiled already.
"""

import math
import time
from collections.abc import Callable, Hashable
from typing import NamedTuple

from ltjax.core.errors import Ending, UserError, shown
from ltjax.core.texts import duration
from ltjax.lanes import processes

LONGEST = 1_000_000
"""Minutes, at most: two years."""

LEAVING = 0.02
"""The share of a box that is kept for telling what came of it, and for ending the program."""

SNAPSHOT = 0.05
"""The share of a box that a snapshot is given while none has been measured."""


class Work(NamedTuple):
    """A part that is to be trained: ``steps`` more of each lane, evaluated after every ``every``.

    Its lanes start, or started before they were interrupted, at the step ``start``.
    """

    round: int
    lanes: int
    steps: int
    every: int
    compiled: bool = False
    start: int = 0


class Pace(NamedTuple):
    """Seconds, as measured: of a compilation, from there to the first step, of a lane's step with its share
    of evaluations (None: not yet known), from the last step until the part is saved, and of a snapshot.
    """

    compile: float = 0.0
    ready: float = 0.0
    step: float | None = None
    end: float | None = None
    snapshot: float = 0.0


class Ended(Ending):
    """The box has no room for more, and all that was trained is kept.

    ``step`` is where the snapshot of the part's lanes is, None where the part was not begun; ``seconds`` is
    what the part, or the rest of it, would take, None where that is not known.
    """

    def __init__(self, work: Work, step: int | None, seconds: float | None) -> None:
        super().__init__()
        self.work, self.step, self.seconds = work, step, seconds


def seconds(work: Work, pace: Pace) -> float | None:
    """What a part takes until it is saved.

    Example:
        >>> seconds(Work(0, lanes=3, steps=10, every=5), Pace(20.0, 1.0, 2.0, 4.0))
        85.0
    """
    if pace.step is None:
        return None
    training = work.steps * work.lanes * pace.step
    return (0 if work.compiled else pace.compile) + pace.ready + training + _end(pace)


def begins(work: Work, pace: Pace, left: float, whole: float) -> bool:
    """Whether to begin a part.

    It must end in what is left of the box. One that is longer than a whole box must be compiled there and
    come to its first snapshot; one of unknown pace, and so the first, must be compiled.

    Args:
        work: the part.
        pace: what was measured.
        left: seconds of this box.
        whole: seconds that a fresh box leaves to parts.
    """
    takes = seconds(work, pace)
    if takes is None:
        return left > (0 if work.compiled else pace.compile)
    if takes <= left:
        return True
    anew = seconds(work._replace(compiled=False), pace)
    first = seconds(work._replace(steps=min(work.every, work.steps)), pace._replace(end=pace.snapshot))
    return anew is not None and first is not None and anew > whole and first <= left


def goes_on(steps: int, lanes: int, pace: Pace, left: float, ends: bool = False) -> bool:
    """Whether lanes can be trained for so many steps more, and then be kept.

    Args:
        steps: until the next evaluation.
        lanes: that are trained.
        pace: what was measured; steps of unknown pace take no time.
        left: seconds of the box.
        ends: whether these are the last steps, after which the part is saved; else a snapshot is.
    """
    return steps * lanes * (pace.step or 0) + (_end(pace) if ends else pace.snapshot) <= left


def _end(pace: Pace) -> float:
    """Of a part that was saved, or as long as a snapshot takes."""
    return pace.snapshot if pace.end is None else pace.end


class Box:
    """The minutes that a run has, from now on; it measures what parts take, and says what still fits.

    Args:
        minutes: how many; None are without end.
        clock: seconds that pass.
        spent: seconds of the box that are over already.

    Raises:
        UserError: the minutes are not positive, or too many.
    """

    def __init__(
        self, minutes: float | None = None, clock: Callable[[], float] | None = None, spent: float = 0.0
    ) -> None:
        if minutes is not None and not 0 < minutes <= LONGEST:
            raise UserError(f"--minutes must be positive, and at most {LONGEST}, not {shown(minutes)}.")
        self.minutes, self.clock = minutes, clock
        self.length = math.inf if minutes is None else 60 * minutes
        self.began = self.now() - spent
        self.trained, self.training = 0, 0.0
        self.snapshot: float | None = None
        self._paces: dict[Hashable, Pace] = {}
        self._part: _Part | None = None
        self._starting = 0.0

    def now(self) -> float:
        """The clock."""
        return self.clock() if self.clock else time.monotonic()

    @property
    def endless(self) -> bool:
        """Whether there is no box."""
        return self.minutes is None

    @property
    def spent(self) -> float:
        """Seconds since it began."""
        return self.now() - self.began

    @property
    def left(self) -> float:
        """Seconds in which there may be training, and keeping what was trained."""
        return self._whole - self.spent

    @property
    def _whole(self) -> float:
        return self.length * (1 - LEAVING)

    def enter(self, work: Work, kind: Hashable = None) -> None:
        """A part is about to be trained, if there is time for it; what was trained before it is saved.

        Args:
            work: the part.
            kind: what parts have in common that train at the same pace.

        Raises:
            Ended: there is not.
            UserError: not even for the first.
        """
        self._leave()
        if self._part is None:
            self._starting = self.spent
        pace = self.pace(kind)
        if not processes.agreed(begins(work, pace, self.left, self._whole - self._starting)):
            raise self._over(work, None, seconds(work, pace))
        self._part = _Part(work, kind, self.now())

    def compiled(self) -> None:
        """The program of the part has just been compiled, if it was not yet."""
        if self._part and not self._part.work.compiled:
            part, now = self._part, self.now()
            self._learn(part.kind, compile=now - part.entered)
            part.entered = now

    def ready(self, step: int, lanes: int) -> None:
        """Lanes stand at a step and will be trained now, if there is time for any of it.

        Raises:
            Ended, UserError: as ``enter``.
        """
        part = self._part = self._part or _Part(Work(0, lanes, 0, 1), None, self.now())
        part.begin(step, lanes, self.now())
        self._learn(part.kind, ready=part.seen - part.entered)
        if not processes.agreed(self.goes_on(step + part.work.every)):
            raise self._over(part.work, step or None, seconds(part.work, self.pace(part.kind)))

    def passed(self, step: int) -> None:
        """The devices have trained the part's lanes up to a step."""
        part = self._part
        if part and step > part.done:
            now = self.now()
            self.trained += (step - part.done) * part.lanes
            self.training += now - part.seen
            part.advance(step, now)

    def kept(self, seconds: float) -> None:
        """A snapshot has been kept, and that took so long."""
        self.snapshot = seconds
        if self._part:
            self._part.seen = self.now()

    def goes_on(self, step: int, ends: bool = False) -> bool:
        """Whether there is time to train up to a step, and to keep it; ``ends`` with the part."""
        part = self._part
        if self.endless or part is None:
            return True
        pace = self.pace(part.kind)
        pace = pace._replace(step=part.slowest or pace.step)
        since = self.now() - part.seen  # of the steps that are on their way
        return goes_on(step - part.done, part.lanes, pace, self.left + since, ends)

    def intervals(self) -> int:
        """How many more evaluations there is time for, as it seems."""
        part = self._part
        if self.endless or part is None or not part.slowest:
            return 1 if not self.endless else 2**30
        pace = self.pace(part.kind)
        return max(0, int((self.left - pace.snapshot) / (part.work.every * part.lanes * part.slowest)))

    def over(self, step: int) -> Ended:
        """What to raise once the snapshot of a step is kept: there is no time for more."""
        assert self._part is not None
        work = self._part.work
        rest = work._replace(steps=work.steps - (step - self._part.first), compiled=True)
        pace = self.pace(self._part.kind)
        return Ended(work, step, seconds(rest, pace._replace(ready=0.0, step=self._part.pace or pace.step)))

    def pace(self, kind: Hashable) -> Pace:
        """What was measured of such parts; of others only how long they compiled, the longest."""
        longest = max((each.compile for each in self._paces.values()), default=0.0)
        allowed = 0.0 if self.endless else SNAPSHOT * self.length
        snapshot = allowed if self.snapshot is None else self.snapshot
        return self._paces.get(kind, Pace(compile=longest))._replace(snapshot=snapshot)

    def _leave(self) -> None:
        """The part before has been saved by now."""
        if self._part and self._part.pace:
            self._learn(self._part.kind, step=self._part.pace, end=self.now() - self._part.seen)

    def _learn(self, kind: Hashable, **measured: float) -> None:
        self._paces[kind] = self._paces.get(kind, Pace())._replace(**measured)

    def _over(self, work: Work, step: int | None, takes: float | None) -> Exception:
        if self.trained:
            return Ended(work, step, takes)
        share = 1 - LEAVING - (SNAPSHOT if self.snapshot is None else 0.0)
        return UserError(
            f"nothing was trained: {shown(self.minutes)} minutes leave no time for it after "
            f"{duration(self.spent)} of starting and compiling; give --minutes more than "
            f"{_up(self.spent / share / 60)}. Nothing that was trained before is lost."
        )


class _Part:
    """What was measured so far of the part that is being trained."""

    def __init__(self, work: Work, kind: Hashable, now: float) -> None:
        self.work, self.kind, self.entered = work, kind, now
        self.begin(0, work.lanes, now)

    def begin(self, step: int, lanes: int, now: float) -> None:
        self.first = self.done = step
        self.lanes, self.seen = lanes, now
        self.slowest = self.pace = 0.0
        self.usual, self.usual_seconds = 0, 0.0

    def advance(self, step: int, now: float) -> None:
        trained, took = step - self.done, now - self.seen
        if trained % self.work.every == 0 or not self.usual:  # a shorter last interval is compiled anew
            self.usual, self.usual_seconds = self.usual + trained * self.lanes, self.usual_seconds + took
            self.pace = self.usual_seconds / self.usual
            self.slowest = max(self.slowest, took / (trained * self.lanes))
        self.done, self.seen = step, now


def _up(minutes: float) -> str:
    """Minutes in two digits, rounded up.

    Example:
        >>> _up(1.21), _up(0.0501), _up(12.1)
        ('1.3', '0.051', '13')
    """
    unit = 10.0 ** (math.floor(math.log10(max(minutes, 1e-3))) - 1)
    return f"{math.ceil(minutes / unit - 1e-9) * unit:.2g}"
