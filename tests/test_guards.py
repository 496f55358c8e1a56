"""What a user's own function does wrong is told as his: one sentence, with the file and the line."""

import runpy

import jax
import pytest

import ltjax
from ltjax.cli.command import exit_codes
from ltjax.core.errors import UserError
from ltjax.core.guards import guarded
from ltjax.core.interrupts import Interrupted
from ltjax.core.registry import Registry
from ltjax.lanes.box import Ended, Work
from ltjax.lottery import arms

FILE = """
import dataclasses, json, ltjax, {helper}
arms = ltjax.ARMS

@dataclasses.dataclass(frozen=True)
class Late:
    k: int = 3
    def captures(self, steps):
        return steps[self.k]
    def __call__(self, x):
        return json.loads(x)

@arms.register("own")
def own(x):
    return 1 / x

@arms.register("called")
def called(x):
    return {helper}.half(x)

@arms.register("traced")
def traced(x):
    if x > 0:
        return x

arms.register("late")(Late())
arms.register("elsewhere")({helper}.half)
arms.register("noise_far")(ltjax.lottery.arms.Noise(2.0))
experiment = ltjax.Experiment()
"""
"""A user's file that registers functions and an object, with the lines that the table below names."""


@pytest.fixture
def users(tmp_path, monkeypatch):
    """Arms of a user's own, his file, and a module of his beside it."""
    registry = Registry("arm")
    monkeypatch.setattr(ltjax, "ARMS", registry)
    monkeypatch.syspath_prepend(tmp_path)
    helper = f"beside_{tmp_path.name}"
    (tmp_path / f"{helper}.py").write_text("def half(x):\n    return x.half()\n")
    path = tmp_path / "mine.py"
    path.write_text(FILE.format(helper=helper))
    runpy.run_path(str(path))
    return registry, path, tmp_path / f"{helper}.py"


CASES = {
    "a function": ("own", lambda own: own(0), "ZeroDivisionError", 0, 15, "division"),
    "a function whose callee fails": ("called", lambda called: called("x"), "AttributeError", 0, 19, "'str'"),
    "an object": ("late", lambda late: late("{"), "JSONDecodeError", 0, 11, "Expecting property name"),
    "another method of an object": ("late", lambda late: late.captures(()), "IndexError", 0, 9, "tuple"),
    "a function from a module beside": ("elsewhere", lambda half: half(2), "AttributeError", 1, 2, "'int'"),
    "a function that is traced": (
        "traced", lambda traced: jax.jit(traced)(1.0), "TracerBoolConversionError", 0, 23, "Attempted",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_an_error_is_one_sentence_with_the_entry_the_file_and_the_line(case, users):
    registry, *files = users
    name, call, error, file, line, text = CASES[case]
    with pytest.raises(UserError) as told, registry.guarded(name):
        call(registry.find(name))
    said = str(told.value)
    assert said.startswith(f"the arm '{name}' raised {error} at {files[file]}, line {line}: {text}")
    assert "\n" not in said and said[-1] in ".?!"
    assert type(told.value.__cause__).__name__ == error


def test_what_ltjax_makes_for_a_user_is_told_as_his_where_he_registered_it(users):
    registry, *_ = users
    with pytest.raises(
        UserError, match=rf"the arm 'noise_far' raised AttributeError at {arms.__file__}, line"
    ):
        registry.guarded("noise_far")(registry["noise_far"])(None, None, None, None)


def test_a_mistake_of_ltjaxs_own_keeps_its_traceback_and_one_in_what_it_was_given_is_the_users():
    shuffle = ltjax.ARMS.guarded("reinit")(ltjax.ARMS["reinit"])
    with pytest.raises(AttributeError):
        shuffle(jax.random.key(0), None, None, lambda key: None)
    with pytest.raises(UserError, match=f"the arm 'reinit' raised ZeroDivisionError at {__file__}, line"):
        shuffle(jax.random.key(0), None, None, lambda key: 1 / 0)


@pytest.mark.parametrize(
    "error",
    [
        UserError("mine."),
        KeyboardInterrupt(),
        Interrupted(2),
        SystemExit(3),
        Ended(Work(0, 1, 1, 1), None, None),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_ends_a_program_in_good_order_passes(error):
    with pytest.raises(type(error)) as told, guarded("the arm 'mine'", __file__):
        raise error
    assert told.value is error


class Unsaid(Exception):
    """An error that cannot be shown."""

    def __str__(self):
        raise RuntimeError


@pytest.mark.parametrize(
    ("error", "end"),
    [
        (ValueError(), ", line %d."),
        (Unsaid(), ", line %d."),
        (ValueError("one\ntwo"), ", line %d: one."),
        (ValueError("red\x1b[31m"), r", line %d: red\x1b[31m."),
        (ValueError("x" * 999), f", line %d: {'x' * 300}…."),
        (KeyError("k"), ", line %d: 'k'."),
    ],
    ids=["nothing", "unsaid", "lines", "controls", "long", "key"],
)
def test_whatever_an_error_says_is_shown_in_one_short_line(error, end):
    @guarded("the observer")
    def call():
        raise error

    with pytest.raises(UserError) as told:
        call()
    assert str(told.value).endswith(end % (call.__wrapped__.__code__.co_firstlineno + 2))


def test_a_cells_line_is_told_although_its_file_does_not_exist():
    registry = Registry("arm")
    cell = "import json\n@registry.register('own')\ndef own(x):\n    return json.loads(x)"
    exec(compile(cell, "/tmp/ipykernel_1/1.py", "exec"), {"registry": registry, "__name__": "__main__"})
    with pytest.raises(UserError, match="at /tmp/ipykernel_1/1.py, line 4: "), registry.guarded("own"):
        registry["own"](None)


def test_the_command_line_prints_the_sentence_and_ends_with_2(capsys):
    with pytest.raises(SystemExit) as left, exit_codes("ltjax run", []), guarded("the arm 'mine'"):
        raise ZeroDivisionError
    assert left.value.code == 2
    said = "".join(capsys.readouterr())
    assert said.startswith(f"ltjax: the arm 'mine' raised ZeroDivisionError at {__file__}, line ")
    assert said.count("\n") == 1
