"""Roles: what a field says of itself is all that resuming, sweeps, merging, the page and the dry run know.

A made-up rate schedule, as a user's own file has it, has a parameter of every role.
"""

import json
from dataclasses import dataclass, replace
from typing import Annotated

import jax
import pytest

from ltjax import RATE_SCHEDULES, Choice, UserError, load_experiment
from ltjax.analysis.results import varying
from ltjax.cli.commands import run
from ltjax.lottery.resolving import resolve
from ltjax.report.facts import _portable
from ltjax.runs.merging import _one_experiment
from ltjax.settings import compatible, sweeps
from ltjax.settings.bounds import whole
from ltjax.settings.fields import COMPUTE, GREATER, NUMERICS, PLACE, VALUE
from ltjax.settings.plain import flatten
from ltjax.settings.roles import lane_values, with_values

from .conftest import TINY, with_train
from .test_cli import command

ROLES = ("value", "shape", "extent", "place", "compute", "numerics")
NAME = "train.schedule."


@dataclass(frozen=True)
class MadeUp:
    """A rate schedule with a parameter of every role."""

    value: Annotated[float, VALUE] = 0.5
    """Of a lane."""
    shape: Annotated[int, whole(1, 9)] = 1
    extent: Annotated[int, GREATER] = 1
    place: Annotated[str, PLACE] = "here"
    compute: Annotated[int, COMPUTE] = 1
    numerics: Annotated[int, NUMERICS] = 1

    def __call__(self, rate, step, steps):
        return rate * self.value


OTHER = {"value": 0.25, "shape": 2, "extent": 3, "place": "there", "compute": 2, "numerics": 2}


@pytest.fixture
def base(monkeypatch):
    monkeypatch.setitem(RATE_SCHEDULES, "made_up", MadeUp)
    return with_train(TINY, schedule=MadeUp())


@pytest.fixture
def other(base):
    """The base with another value of the parameter of a role."""
    return lambda role: with_values(base, {NAME + role: OTHER[role]})


@pytest.mark.parametrize("role", ROLES)
def test_a_run_is_resumed_and_merged_by_role(role, base, other, tmp_path):
    asked, refused = other(role), role in ("value", "shape")
    assert bool(compatible.differences(base, asked)) == refused
    folders = [tmp_path / name for name in ("one", "two")]
    for folder, experiment in zip(folders, (base, asked), strict=True):
        folder.mkdir()
        (folder / "config.json").write_text(compatible.to_json(experiment))
    if refused:
        with pytest.raises(UserError, match=f"different experiments.*{NAME}{role}"):
            _one_experiment(folders)
        return
    grown = asked if role == "extent" else base
    assert _one_experiment(folders) == compatible.extended(base, asked) == grown
    assert compatible.extended(grown, base) == grown


@pytest.mark.parametrize("role", ROLES)
def test_points_of_a_sweep_share_a_program_by_role_and_a_place_cannot_vary(role, base, other):
    swept = replace(base, sweep={NAME + role: (getattr(MadeUp(), role), OTHER[role])})
    if role == "place":
        with pytest.raises(UserError, match="cannot be swept"):
            sweeps.points(swept)
        return
    one, two = sweeps.points(swept).values()
    assert (one, two) == (base, other(role))
    assert len(resolve(swept).programs()) == (1 if role == "value" else 2)


@pytest.mark.parametrize("role", ROLES)
def test_the_page_tells_every_role_but_a_place(role, base, other):
    runs = [type("Run", (), {"experiment": each}) for each in (base, other(role))]
    assert list(varying(runs)) == [NAME + role] * (role != "place")
    assert bool(varying(runs, ("value", "shape"))) == (role in ("value", "shape"))
    line = ["--seed", "1", f"--{NAME}{role}", str(OTHER[role])]
    assert _portable(line, base) == (line[:2] if role == "place" else line)


@pytest.mark.parametrize(("role", "programs"), [("value", 1), ("shape", 2)])
def test_a_dry_run_tells_how_many_programs_the_points_are(role, programs, base, capsys, tmp_path):
    file = tmp_path / "config.json"
    file.write_text(compatible.to_json(base))
    point = f"{NAME}{role}={getattr(MadeUp(), role)},{OTHER[role]}"
    command("--config", str(file), "--dry-run", "--sweep", point)
    assert f"{programs} for 2 points" in " ".join(capsys.readouterr().out.split())


def test_only_numbers_that_are_values_are_a_lanes_arguments_and_may_be_traced(base):
    assert lane_values(base) == {"train.learning_rate": base.train.learning_rate, f"{NAME}value": 0.5}
    rate = jax.jit(
        lambda value: with_values(base, {f"{NAME}value": value}).train.schedule.make()(1.0, 0, 1)
    )  # fmt: skip
    assert rate(0.25) == 0.25


OWN = '''
from dataclasses import dataclass
from ltjax import REWINDINGS, Experiment

@REWINDINGS.register("own")
@dataclass(frozen=True)
class Own:
    """A rewinding of one's own."""

    back: int | str = 500
    """Where training begins again."""

    def __call__(self, found):
        return found

experiment = Experiment()
'''


@pytest.fixture
def mine(tmp_path, monkeypatch):
    from ltjax import REWINDINGS

    path = tmp_path / "mine.py"
    path.write_text(OWN)
    yield str(path)
    REWINDINGS.pop("own", None)


def test_what_a_users_file_registers_is_at_once_an_option_with_its_help(mine, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    for line in ("--prune.rewind own --prune.rewind.back 2ep", "--prune.rewind=own --prune.rewind.back=2ep"):
        parsed = run.parse(["--config", mine, *line.split()]).experiment
        assert parsed.prune.rewind == Choice("rewinding", "own", {"back": "2ep"})
    assert run.parse(["--config", mine, "--prune.rewind", "own"]).experiment.prune.rewind.parameters == {
        "back": 500
    }
    with pytest.raises(SystemExit):
        run.parse(["--config", mine, "--prune.rewind", "own", "--help"])
    out = capsys.readouterr().out
    assert "--prune.rewind.back" in out and "Where training begins again." in out
    assert (
        "--prune.rewind {original,step,learning_rate,fine_tune,freeze_init,own}" in out
        and "A rewinding of one's own." in out
    )


def test_what_a_users_file_registers_is_a_sweep_axis_and_in_the_configuration(mine):
    line = ["--config", mine, "--sweep", "prune.rewind=original,own,own", "prune.rewind.back=None,0,100"]
    asked = run.parse(line).experiment
    points = sweeps.points(asked)
    assert list(points) == ["rewind=original,back=None", "rewind=own,back=0", "rewind=own,back=100"]
    own = points["rewind=own,back=100"]
    assert json.loads(compatible.to_json(own))["prune"]["rewind"] == {"name": "own", "back": 100}
    assert flatten(own)["prune.rewind"] == "own" and flatten(own)["prune.rewind.back"] == 100
    assert compatible.from_json(compatible.to_json(own)) == own
    assert sweeps.program_key(own) == sweeps.program_key(points["rewind=original,back=None"])


def test_a_configuration_is_read_without_the_users_code_and_refused_where_it_is_resolved(mine):
    from ltjax import REWINDINGS

    own = run.parse(["--config", mine, "--prune.rewind", "own"]).experiment
    text = compatible.to_json(own)
    del REWINDINGS["own"]
    read = compatible.from_json(text)
    assert read.prune.rewind.parameters == {"back": 500} and compatible.to_json(read) == text
    with pytest.raises(UserError, match="there is no rewinding 'own'"):
        resolve(read)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "--prune.rewind.back 3",
            "--prune.rewind.back is for --prune.rewind own, not original; say --prune.rewind own",
        ),
        (
            "--sweep prune.rewind.back=0,100",
            "prune.rewind original has no parameter 'back'; choose prune.rewind own",
        ),
        ("--prune.rewind ovn", "there is no rewinding 'ovn'; did you mean 'own'?"),
        ("--prune.rewind own --prune.rewind.l 3", "there is no --prune.rewind.l"),
    ],
)
def test_a_choice_that_cannot_be_is_one_sentence(line, message, mine):
    with pytest.raises(UserError) as told:
        sweeps.points(run.parse(["--config", mine, *line.split()]).experiment)
    assert message in str(told.value)


def test_a_configuration_from_before_is_refused_with_the_new_names():
    with pytest.raises(UserError) as told:
        compatible.from_json('{"prune": {"score": "magnitude"}, "train": {"optimizer": "adam", "drops": []}}')
    assert str(told.value).endswith(
        "prune.score is now prune.criterion, train.drops is now train.schedule.drops."
    )


def test_an_instance_a_name_and_a_choice_are_one_from_python():
    from ltjax.training.rates import Cosine

    base = load_experiment("digits")
    one, two, three = (
        with_train(base, schedule=each)
        for each in ("cosine", Cosine(), Choice("rate schedule", "cosine", {"floor": 0.0}))
    )
    assert one == two == three and flatten(one)["train.schedule.floor"] == 0.0
