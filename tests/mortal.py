"""``ltjax run`` or ``keep`` as a mortal: it logs what it does to its folder, and dies at a chosen place.

    python -m tests.mortal LOG PLACE -- ARGUMENTS OF ltjax run …
    python -m tests.mortal LOG PLACE keep RUN …

LOG is a file that gets a line per event: ``open``, ``sync``, ``rename``, ``mkdir``, ``remove``, ``rmdir`` or
``rmtree`` and the path in the run's folder, told before it happens. PLACE is a ``Place`` as JSON.
"""

import json
import os
import re
import signal
import sys
import threading
from dataclasses import asdict, dataclass
from pathlib import Path

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


@dataclass(frozen=True)
class Place:
    """Where signals are sent: at the ``count``-th event that matches ``event``, after ``delay`` seconds.

    Events are counted once one has matched ``after``. ``half`` cuts the file that is being synced in
    half before, as if it had been written so far.
    """

    event: str = "never"
    count: int = 1
    delay: float = 0.0
    after: str = ""
    half: bool = False
    signals: tuple[str, ...] = ("SIGKILL",)

    def to_json(self) -> str:
        return json.dumps(asdict(self))


class Mortal:
    """Sees every change that Python makes to a folder, by the interpreter's audit events."""

    def __init__(self, folder: Path, log: Path, place: Place) -> None:
        self.folder, self.place = str(folder.absolute()), place
        self.counting, self.met = False, 0
        self.log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.sync, os.fsync = os.fsync, self.synced

    def audit(self, event: str, given: tuple) -> None:
        if event == "open" and isinstance(given[0], str) and given[2] & WRITES:
            self.saw("open", given[0])
        elif event == "os.rename":
            self.saw("rename", given[1] if self.inside(given[1]) else given[0])
        elif event in ("os.mkdir", "os.remove", "os.rmdir", "shutil.rmtree"):
            self.saw(event.split(".")[1], given[0])

    def synced(self, descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        self.saw("sync", path, descriptor)
        self.sync(descriptor)

    def inside(self, path: object) -> bool:
        return (
            os.fsdecode(path).startswith(self.folder)
            if isinstance(path, str | bytes | os.PathLike)
            else False
        )

    def saw(self, what: str, path: object, descriptor: int | None = None) -> None:
        if self.inside(path):
            self.tell(f"{what} {os.path.relpath(os.fsdecode(path), self.folder)}", descriptor)

    def tell(self, event: str, descriptor: int | None = None) -> None:
        os.write(self.log, f"{event}\n".encode())
        self.counting = self.counting or bool(re.match(self.place.after, event))
        if not self.counting or not re.match(self.place.event, event):
            return
        self.met += 1
        if self.met == self.place.count:
            if self.place.half and descriptor is not None:
                os.ftruncate(descriptor, os.fstat(descriptor).st_size // 2)
            threading.Timer(self.place.delay, self.send).start() if self.place.delay else self.send()

    def send(self) -> None:
        os.write(self.log, f"{' '.join(self.place.signals)}\n".encode())
        for name in self.place.signals:
            os.kill(os.getpid(), getattr(signal, name))


def main() -> None:
    """Run it; its exit status is ltjax's."""
    log, place, command, *arguments = sys.argv[1:]
    folder = Path(arguments[0] if command == "keep" else arguments[arguments.index("--workdir") + 1])
    told = json.loads(place)
    mortal = Mortal(folder, Path(log), Place(**{**told, "signals": tuple(told["signals"])}))
    sys.addaudithook(mortal.audit)
    mortal.tell("started")
    import jax

    from ltjax.cli.commands import keep, run

    mortal.tell("imported")
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, *_, **__: mortal.tell("compiled") if "backend_compile" in event else None
    )
    (keep if command == "keep" else run).main(arguments)
    mortal.tell("done")


if __name__ == "__main__":
    main()
