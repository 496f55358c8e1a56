"""Bad input: whatever is malformed is refused in one message with status 2, without a traceback or a hang.

``pytest -n 0 tests/test_bad_input.py`` tries some 150 inputs, always the same; the full form others every
time, as many as one says: ``LTJAX_EXAMPLES=2000 pytest -n 0 tests/test_bad_input.py``. The last lines count
each kind, and how many were answered wrongly.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from ltjax.cli import running

from .bad_files import FROM, JSON, JUNK, PROGRAMS, TEXT
from .bad_input import Answer, Tried, answer, flaw, loose_flaw
from .bad_lines import GOOD, LINES, REAL, SETTINGS, WHOLE
from .bad_runs import RUNS

KINDS = len(LINES) + len(RUNS) + len(JSON) + len(PROGRAMS) + 1
"""Each kind of input has an equal share."""

DOORS = [
    "run --config given/config.json", "run --dry-run --config given", "run --workdir given", "report given",
    "evaluate x.safetensors --config given/config.json", "evaluate given --round 1",
    "export given --round 1 --to new", "merge given --to new",
]  # fmt: skip
"""Where a configuration comes in: by its path, and as that of a run's folder."""

PROGRAM_DOORS = [
    "run --config given/mine.py", "run --dry-run --config given/mine.py", "report RUN --config given/mine.py",
    "evaluate RUN --round 1 --config given/mine.py", "evaluate x.safetensors --config given/mine.py",
    "export RUN --round 1 --to new --config given/mine.py",
]  # fmt: skip


@pytest.fixture
def work(tmp_path, monkeypatch):
    """An empty working folder, without data or network beside it; training fails the test."""
    folder = tmp_path / "work"
    (folder / "given").mkdir(parents=True)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "no-data"))
    monkeypatch.setattr(running, "train_rounds", lambda *_, **__: pytest.fail("it trained"))
    return folder


@pytest.fixture
def tried(request, work, finished, record_property, capfd):
    """Tries inputs in the working folder beside a finished run, and counts them for the last lines."""
    found = Tried(1 / KINDS, capfd.disabled, work, finished.folder)
    yield found
    record_property("bad input", [request.node.name, found.count, len(found.wrong)])


def asked(command, arguments, run, named):
    """The answer's flaw, RUN in the arguments being a finished run's folder and FILE a file of it."""
    put = [each.replace("RUN", str(run)).replace("FILE", str(run / "summary.csv")) for each in arguments]
    words = [each.replace("FILE", str(run / "summary.csv")) for each in named]
    return (command, *put), flaw(answer(command, put), words)


@pytest.mark.parametrize("kind", [*LINES, *RUNS])
def test_a_malformed_command_line_is_refused(kind, tried, finished):
    tried.every(
        {**LINES, **RUNS}[kind],
        lambda case: asked(case.command, case.arguments, finished.folder, case.named),
    )


def given_to(doors, name, finished, check):
    """Hand a file's content to one command line after the other."""
    turn = iter(range(10**9))

    def each(case):
        content, named = case
        data = content if isinstance(content, bytes) else content.encode(errors="surrogatepass")
        file = Path("given", name)
        file.write_bytes(data)
        command, *arguments = doors[next(turn) % len(doors)].split()
        tried, wrong = check(command, arguments, finished.folder, [named])
        file.unlink()
        return (*tried, content), wrong

    return each


@pytest.mark.parametrize("kind", JSON)
def test_a_malformed_config_json_is_refused(kind, tried, finished):
    doors = DOORS[:2] if kind == "arms in JSON" else DOORS  # a run's folder may hold arms of a user's own
    tried.every(JSON[kind], given_to(doors, "config.json", finished, asked))


@pytest.mark.parametrize("kind", PROGRAMS)
def test_a_program_that_defines_no_experiment_is_refused(kind, tried, finished):
    doors = PROGRAM_DOORS if kind == "programs" else PROGRAM_DOORS[:2]
    tried.every(PROGRAMS[kind], given_to(doors, "mine.py", finished, asked))


def test_a_configuration_with_changed_bytes_is_answered(tried, finished):
    """It may still be a configuration: a dry run then shows it, and nothing shows a traceback."""

    def check(command, arguments, run, named):
        return (command, *arguments), loose_flaw(answer(command, arguments))

    doors = [DOORS[1], *DOORS[3:-1]]  # none that would train or merge
    tried.every(JUNK.map(lambda each: (each, "")), given_to(doors, "config.json", finished, check))


def test_what_the_malformed_ones_are_made_of_is_well_formed(work):
    """So that each of them is refused for its own flaw."""
    Path("given/config.json").write_text(TEXT)
    Path("given/mine.py").write_text(FROM + "experiment = Experiment()")
    for arguments in [*GOOD, ("--config", "given"), ("--config", "given/mine.py")]:
        assert answer("run", [*arguments, "--dry-run"]).status == 0


def test_every_number_of_an_experiment_has_its_bounds_tried():
    numbers = {name for name, (kind, _) in SETTINGS.items()
               if {kind, *get_args(kind)} & {int, float}}  # fmt: skip
    assert numbers == {name for name in {*WHOLE, *REAL} if not name.startswith("--arms")} - {
        "--only",
        "--minutes",
    }


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("run --trails 3", "--trials"),
        *(
            pytest.param(*each, marks=pytest.mark.long)
            for each in (
                ("report nowhere", "no run of ltjax"),
                ("run --trials 1000000000000000000", "trials must be at most 10000"),
                ("run --name ../evil", "without slashes"),
                ("merge --to new", "at least one run"),
            )
        ),
    ],
)
def test_a_process_of_its_own_answers_the_same(line, named, work):
    done = subprocess.run(
        [sys.executable, "-m", "ltjax", *line.split()], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 2 and named in done.stderr and "Traceback" not in done.stderr
    assert list(work.parent.rglob("*")) == [work, work / "given"]


def test_a_configuration_that_is_a_pipe_is_refused_and_not_waited_for(work):
    os.mkfifo("given/config.json")
    for line in DOORS:
        command, *arguments = line.split()
        assert not flaw(answer(command, arguments), ["config.json"])


def test_a_hang_is_told():
    """Of the tests themselves: what does not end is interrupted and counts as wrong."""
    assert flaw(Answer("it hung", "", ""), [""]) == "it ended with it hung"
