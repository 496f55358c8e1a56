"""Where this device's time goes, in so many minutes: most telling first, everything printed as it is known.

    python benchmarks/accelerator.py --minutes 8                         # whatever device there is
    python benchmarks/accelerator.py --minutes 4 --parts conv2 kernels   # some parts
    python benchmarks/accelerator.py --quick                             # all, tiny: some minutes on a CPU

Each part is measured by a process of its own with a time limit of its own, so one that hangs or dies costs no
other. ``parts.py`` says what the parts are. Two files hold the results, whole after each row: ``--out``.md,
which is what is printed, and ``--out``.json.
"""

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from parts import PARTS, Part, Row, measure_part

DIGITS = {"ms a step": "{:.3f}", "trial-steps/s": "{:,.0f}", "TFLOP/s": "{:.2f}", "% of peak": "{:.0f}",
          "x PyTorch": "{:.2f}", "compile (s)": "{:.1f}", "memory (GiB)": "{:.2f}", "TB/s": "{:.2f}",
          "us a step": "{:.1f}", "runs a step": "{:.1f}", "% of the step": "{:.1f}"}  # fmt: skip
"""How numbers are shown, by column."""


class Report:
    """The results so far, on standard output and in two files.

    Args:
        out: the files' path without its suffix; None writes none.
    """

    def __init__(self, out: Path | None) -> None:
        self.out, self.rows, self.text = out, list[Row](), list[str]()
        self.title, self.head = "", tuple[str, ...]()
        if out:
            out.parent.mkdir(parents=True, exist_ok=True)

    def say(self, line: str = "") -> None:
        """Print a line of Markdown, and keep it."""
        print(line, flush=True)
        self.text.append(line)
        if self.out:
            self.out.with_suffix(".md").write_text("\n".join(self.text) + "\n")
            self.out.with_suffix(".json").write_text(json.dumps(self.rows, indent=1) + "\n")

    def begin(self, part: Part) -> None:
        """Say what follows, unless it goes on with what is being said."""
        if part.title != self.title:
            self.title, self.head = part.title, ()
            self.say(f"\n### {part.title}")

    def add(self, row: Row) -> None:
        """Add a row to the part's table; its keys are the columns."""
        shown = {name: value for name, value in row.items() if name != "part"}
        self.rows.append(row)
        if tuple(shown) != self.head:
            self.head = tuple(shown)
            self.say("\n| " + " | ".join(self.head) + " |")
            self.say("| " + " | ".join("---" for _ in self.head) + " |")
        self.say("| " + " | ".join(cell(name, value) for name, value in shown.items()) + " |")


def cell(column: str, value: Any) -> str:
    """A value as its column shows it."""
    if value is None:
        return "–"
    return DIGITS.get(column, "{}").format(value)


def rows_of(part: Part, options: argparse.Namespace, known: Sequence[Row], limit: float) -> Iterator[Row]:
    """Measure a part in a process of its own, which has ``limit`` seconds; its rows as it prints them.

    Raises:
        subprocess.CalledProcessError: it failed, or was stopped at its limit.
    """
    command = [sys.executable, __file__, "--child", part.name, *(["--quick"] if options.quick else [])]
    environment = os.environ | {"XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} {part.flags}".strip()}
    if options.quick:  # a tiny part takes as long as its compilation
        environment["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"
        environment["OMP_NUM_THREADS"] = "1"  # PyTorch's threads wait for each other longer than they compute
    log = open(options.out.with_suffix(".log"), "a") if options.out else subprocess.DEVNULL  # noqa: SIM115, PTH123
    child = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, env=environment
    )
    timer = threading.Timer(min(part.seconds, limit), child.kill)
    timer.start()
    try:
        assert child.stdin and child.stdout
        with child.stdin as told:
            told.write(json.dumps(list(known)))
        for line in child.stdout:
            yield {"part": part.name, **json.loads(line)}
        if child.wait():
            raise subprocess.CalledProcessError(child.returncode, command)
    finally:
        timer.cancel()
        child.kill()
        child.wait()
        if not isinstance(log, int):
            log.close()


def every_row(part: Part, options: argparse.Namespace, known: Sequence[Row], limit: float) -> list[Row]:
    """The rows of a part, once it has ended."""
    return list(rows_of(part, options, known, limit))


def tell(part: Part, rows: Callable[[], Iterable[Row]], report: Report) -> bool:
    """Add a part's rows to the report as they come; whether it failed."""
    report.begin(part)
    started = time.monotonic()
    try:
        for row in rows():
            report.add(row)
    except subprocess.CalledProcessError as error:
        why = "stopped at its limit" if error.returncode == -9 else f"failed, status {error.returncode}"
        report.say(f"\n{part.name}: {why} after {time.monotonic() - started:.0f} s.")
        return True
    return False


def run(options: argparse.Namespace, report: Report) -> int:
    """Measure the parts in turn, as long as there is time; how many failed."""
    began, failed = time.monotonic(), 0
    early: dict[str, Future[list[Row]]] = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for name in options.parts:
            part, left = PARTS[name], 60 * options.minutes - (time.monotonic() - began)
            if left < part.least:
                report.say(f"\n{name}: left out, {max(left, 0):.0f} s are too few.")
                continue
            measured = (
                early[name].result if name in early else partial(rows_of, part, options, report.rows, left)
            )
            failed += tell(part, measured, report)
            if options.quick and not early:  # nothing is timed, so parts may run beside each other
                known = tuple(report.rows)
                early = {other: pool.submit(every_row, PARTS[other], options, known, left)
                         for other in options.parts if other != name}  # fmt: skip
    report.say(f"\n{time.monotonic() - began:.0f} s in all.")
    return failed


def child(name: str, quick: bool, told: TextIO) -> None:
    """What a part's process does: measure, and print each row as JSON."""
    results = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints is not a result
    for row in measure_part(name, json.load(told), quick):
        print(json.dumps(row), file=results, flush=True)


def parse() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--minutes", type=float, default=8, help="for all of it (default 8)")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART",
                        help=f"some parts only: {', '.join(PARTS)}")  # fmt: skip
    parser.add_argument("--out", type=Path, help="files of the results, without their suffix")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: whether it works, not how fast")
    parser.add_argument("--child", choices=PARTS, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> int:
    """Measure everything, or, in a part's own process, that part; 1 where a part failed."""
    options = parse()
    if options.child:
        child(options.child, options.quick, sys.stdin)
        return 0
    report = Report(options.out)
    if options.quick:
        report.say("**A quick run: these numbers only show that the benchmark works.**")
    return 1 if run(options, report) else 0


if __name__ == "__main__":
    sys.exit(main())
