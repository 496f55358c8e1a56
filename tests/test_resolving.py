"""An experiment is resolved once: validated, spread into points, given networks; the rest is handed down."""

import ast
from dataclasses import replace
from pathlib import Path

import pytest

from ltjax.cli.commands import run
from ltjax.core.errors import UserError
from ltjax.core.types import Lane
from ltjax.lottery import resolving
from ltjax.lottery.resolving import resolve
from ltjax.settings import sweeps

from .conftest import TINY, with_prune

PACKAGE = Path(__file__).parent.parent / "ltjax"

SWEPT = """--config digits --trials 1 --arms.reinit 0 --arms.random 0 --prune.rounds 1 --model.widths 3 2
    --quiet --train.steps 2 --train.evaluate-every 2 --sweep train.learning_rate=0.1,0.01""".split()

FOLDERS = {
    "cli.running",
    "runs.identity",
    "runs.opening",
    "runs.state",
    "runs.merging",
    "runs.packing",
    "analysis.evaluation",
    "analysis.results",
}
"""What asks for the points of experiments that folders hold, which may be others than the one asked for."""

ASKED_BY = {
    ("lottery.validation", "validate"): {"lottery.resolving"},
    ("settings.sweeps", "points"): {"lottery.resolving", "runs.tickets", *FOLDERS},
    ("settings.sweeps", "program_key"): {"lottery.resolving"},
    ("lottery.search", "lanes_of"): {"lottery.resolving"},
    ("lottery.resolving", "resolve"): {"lottery.loop", "cli.running", "cli.commands.run"},
    ("models", "make_network"): {"training.tasks", "export.variants"},
}
"""By function, the modules that call it; its own left out."""


@pytest.fixture
def asked(monkeypatch):
    """How often the parts of resolving were asked for, by name."""
    times = dict.fromkeys(("points", "validate"), 0)

    def count(module, name):
        function = getattr(module, name)

        def counted(*arguments):
            times[name] += 1
            return function(*arguments)

        monkeypatch.setattr(module, name, counted)

    count(sweeps, "points")
    count(resolving, "validate")
    return times


def test_a_command_validates_and_makes_points_once_where_it_runs_plans_or_continues(tmp_path, asked):
    for more in (["--dry-run"], [], []):
        run.main([*SWEPT, "--workdir", str(tmp_path / "run"), *more])
        assert asked == {"points": 1, "validate": 1}, more
        asked |= dict.fromkeys(asked, 0)
    assert (tmp_path / "run" / "learning_rate=0.01" / "summary.csv").exists()


def callers(module, name):
    """The modules that call a function of another module, by the name that they imported it under."""
    return {
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        for path in PACKAGE.rglob("*.py")
        if calls(ast.parse(path.read_text()), module, name)
    }


def calls(tree, module, name):
    """Whether a module's source calls ``name``, by itself or as an attribute of its module."""
    last = module.rpartition(".")[2]
    said = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    return f"{last}.{name}" in said or (name in said and imported(tree, module, name))


def imported(tree, module, name):
    """Whether a source imports a name from a module, or from its package's own list."""
    return any(
        name in {alias.name for alias in node.names}
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith(f"ltjax.{module}.")
    )


@pytest.mark.parametrize(("module", "name"), ASKED_BY)
def test_what_is_resolved_is_made_in_one_place(module, name):
    assert callers(module, name) == ASKED_BY[module, name]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("from ltjax.settings import sweeps\nsweeps.points(1)", True),
        ("from ltjax.settings.sweeps import points\npoints(1)", True),
        ("from ltjax.plots.metrics import points\npoints(1)", False),
        ("resolved.points(1)", False),
        ("sweeps.points", False),
    ],
)
def test_a_call_is_seen_however_it_is_imported(source, found):
    assert calls(ast.parse(source), "settings.sweeps", "points") == found


def test_points_that_differ_only_in_values_share_a_program():
    sweep = {"train.learning_rate": (0.1, 0.2, 0.1), "model.widths": ((5,), (5,), (6,))}
    resolved = resolve(replace(TINY, sweep=sweep))
    one, two, other = resolved.points
    assert resolved.programs() == [[one, two], [other]]
    assert resolved.tasks[one] is resolved.tasks[two] is not resolved.tasks[other]


def test_lanes_are_of_the_points_own_rounds_and_of_the_trials_asked_for():
    resolved = resolve(replace(TINY, sweep={"prune.rounds": (1, 3)}), only=[1])
    assert resolved.rounds == 3
    lanes = [Lane("reinit", 1), Lane("ticket", 1)]
    assert [resolved.lanes("rounds=1", round) for round in (0, 1, 2)] == [lanes, lanes, []]
    assert resolved.lanes("rounds=3", 3) == lanes


@pytest.mark.parametrize(
    ("experiment", "only", "message"),
    [
        (TINY, [2], "trials from 0 to 1, not 2"),
        (TINY, [-1], "trials from 0 to 1, not -1"),
        (with_prune(TINY, rounds=-1), None, "prune.rounds must be at least 0"),
        (replace(TINY, sweep={"prune.rounds": (1, -1)}), None, "prune.rounds must be at least 0"),
    ],
)
def test_what_cannot_be_run_is_told(experiment, only, message):
    with pytest.raises(UserError, match=message):
        resolve(experiment, only=only)
