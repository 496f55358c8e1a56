"""Configurations that are malformed by construction: as JSON, which a run's folder holds, and as programs."""

import json

import hypothesis.strategies as st

from ltjax import Experiment
from ltjax.settings.plain import flatten, plain

from .bad_lines import huge, letters, unfit

WHOLE = plain(Experiment(arms={"ticket": 1, "reinit": 2}))
TEXT = json.dumps(WHOLE)
FLAT = json.loads(json.dumps(flatten(Experiment())))
LEAVES = sorted(name for name in FLAT if name != "sweep")
GROUPS = ["data", "model", "train", "prune", "prune.rates", "compute", "arms"]

WRONG = {
    int: [True, 1.0, 1.5, "1", [1], {}, {"a": 1}],
    float: [True, "0.1", [0.1], {}, 10**400],
    str: [1, True, ["a"], {"a": "b"}, 0.5],
    bool: [1, "true"],
    list: [3, "3", {}, [None], [[1]], ["1"], [1.5, "x"], [True]],
    type(None): [True, {}, [{}], [["a"]]],
}
"""By the type that a setting has, values that it cannot have: of other types, at any depth."""


def replaced(name, value):
    """The whole configuration as JSON text, with another value for the setting or group of a dotted name."""
    tree = json.loads(TEXT)
    *folders, last = name.split(".")
    node = tree
    for folder in folders:
        node = node[folder]
    node[last] = value
    return json.dumps(tree)


wrong_leaf = st.sampled_from(LEAVES).flatmap(
    lambda name: st.sampled_from(WRONG[type(FLAT[name])]).map(
        lambda value: (replaced(name, value), name)
    )
)  # fmt: skip
wrong_group = st.builds(
    lambda name, value: (replaced(name, value), name),
    st.sampled_from([*GROUPS, "sweep"]), st.sampled_from([None, 3, "x", [], [{}], True, 0.5]),
)  # fmt: skip
numbers = [name for name in LEAVES if type(FLAT[name]) in (int, float)]
out_of_range = st.builds(
    lambda name, value: (replaced(name, value), name),
    st.sampled_from(numbers), st.one_of(huge.map(lambda each: -each), st.just(10**38 * 10)),
)  # fmt: skip
no_number = st.builds(
    lambda name, word: (replaced(name, "@").replace('"@"', word), word.strip("-")),
    st.sampled_from(numbers), st.sampled_from(["NaN", "Infinity", "-Infinity"]),
)  # fmt: skip
unknown_key = st.builds(
    lambda group, key: (replaced(f"{group}.{key}" if group else key, 1), key),
    st.sampled_from(["", "train.schedule", "prune.criterion", *(each for each in GROUPS if each != "arms")]),
    letters.map(lambda each: each + "ü"),
)  # fmt: skip
unknown_arm = letters.map(lambda key: (replaced(f"arms.{key}ü", 1), "arm"))
duplicate_key = st.sampled_from([*GROUPS[:3], "trials", "name"]).map(
    lambda key: (TEXT[:-1] + f', "{key}": {json.dumps(WHOLE[key])}}}', f"'{key}' is there twice")
)
unfit_text = st.builds(
    lambda name, text: (replaced(name, text), name),
    st.sampled_from(["name", "data.dir", "model.start", "model.name", "train.optimizer"]), unfit,
)  # fmt: skip
sweep = st.sampled_from([
    {"seed": 3}, {"seed": [[[1]]]}, {"seed": [{}]}, {"": [1]}, {"seed": []}, {"seed": [1], "trials": [1, 2]},
    {"seed": ["a\0"]}, {"name": ["a"]}, {"train": [{}]}, {"seed": [1, 1]}, {"model.widths": [[[1]], 3]},
]).map(lambda each: (replaced("sweep", each), ""))  # fmt: skip

cut = st.integers(0, len(TEXT) - 1).map(lambda at: TEXT[:at])
nested = st.builds(
    lambda opening, depth: '{"trials": ' + opening * depth, st.sampled_from(["[", '{"a":']),
    st.integers(1, 200_000),
)  # fmt: skip
closed = st.integers(1, 100_000).map(lambda depth: '{"sweep": {"seed": [' + "[" * depth + "]" * depth + "]}}")
other = st.sampled_from(
    [
        "",
        " ",
        "[]",
        "3",
        "null",
        '"x"',
        "{}{}",
        "[{}]",
        "{'a': 1}",
        "{,}",
        "\ufeff{}",
        "experiment = 3",
        '{"trials": 01}',
        '{"trials": .5}',
        '{"trials": 1,}',
        "\0",
        "{" * 10**6,
    ]
)
not_utf8 = st.builds(
    lambda at, byte: TEXT.encode()[:at] + bytes([byte]) + TEXT.encode()[at:],
    st.integers(0, len(TEXT)), st.integers(0x80, 0xFF),
)  # fmt: skip

JSON = {
    "types in JSON": st.one_of(wrong_leaf, wrong_group),
    "values in JSON": st.one_of(out_of_range, no_number, unfit_text, sweep),
    "keys in JSON": st.one_of(unknown_key, duplicate_key),
    "arms in JSON": unknown_arm,
    "no JSON": st.one_of(cut, nested, closed, other, not_utf8).map(lambda content: (content, "")),
}
"""Contents of a config.json, text or bytes, each with a word of the answer."""


def _changed(edits):
    content = bytearray(TEXT.encode())
    for place, byte in edits:
        if content:
            content[place % len(content) : place % len(content) + byte % 3] = bytes([byte] * (byte % 2))
    return bytes(content)


JUNK = st.lists(st.tuples(st.integers(0, len(TEXT)), st.integers(0, 255)), min_size=1, max_size=6).map(
    _changed
)
"""A configuration with bytes changed, put in and taken out, which may still be one."""

FROM = "from ltjax import *\nfrom dataclasses import *\n"
"""So that what follows in a line can be of ltjax."""

BODIES = [f"{FROM}{each}" for each in [
    "experiment = (", "1 / 0", "import sys; sys.exit()", "import sys; sys.exit(0)", "raise SystemExit('x')",
    "class E(BaseException): pass\nraise E", "raise GeneratorExit", "raise MemoryError", "def f(): f()\nf()",
    "class E(Exception):\n  def __str__(self): raise OSError\nraise E", "raise E", "x = 'a\0'", "\ud800",
    "experiment = 3", "experiment = Experiment", "experiment = None", "", "\0", "experiments = Experiment()",
    "import nowhere_to_be_found", "(" * 1000, "-" * 10**5 + "1", "exec('exit()')", "load_experiment('digit')",
    "raise UserError('no\\nway')", "raise OSError(28, 'full')", "import os; raise FileNotFoundError",
    "raise UnicodeDecodeError('a', b'b', 0, 1, 'c')", "assert False", "return",
    "experiment = Experiment(x=1)", "raise StopIteration", "async def f(): pass\nawait f()",
    "import ltjax.nowhere", "raise RecursionError",
]]  # fmt: skip
"""Programs that end otherwise than by defining an experiment."""

VALUES = [
    "trials='a'", "trials=True", "trials=10**5000", "trials=10**18", "trials=-1", "trials=None", "trials=1.0",
    "name=5", "name='../evil'", "name='a\\0b'", "name=''", "name='x' * 10**6", "arms=None", "arms={1: 1}",
    "arms={'ticket': 'x'}", "arms=['ticket']", "arms={'tickets': 1}", "arms={'ticket': 10**9}", "seed=2**32",
    "model=None", "model=Train()", "model=Model", "model=Model(widths=3)", "model=Model(widths=(1.5,))",
    "model=Model(widths=(10**30,))", "model=Model(widths=(3,) * 10**5)",
    "model=__import__('threading').Lock()", "model={'nam': 'lenet'}", "model=lambda: 0",
    "train=Train(steps=10**30)", "train=Train(learning_rate='x')",
    "train=Train(learning_rate=float('nan'))", "train=Train(learning_rate=10**400)", "train=[Train()]",
    "train=Train(schedule={'drops': ({},)})", "train=Train(optimizer=b'adam')", "data=Data(dir='\\ud800')",
    "data=Data(name=0)", "data=Data(dir='')", "data=Data(validation=2**70)", "prune=Prune(rates=0.2)",
    "prune=Prune(structure=['layer'])", "prune=Prune(rates=Rates(fc=1 + 2j))", "prune=Prune(rounds=10**9)",
    "sweep={'seed': object()}", "sweep=5", "sweep={'seed': ((((),),),)}", "sweep={1: (1,)}",
    "sweep={'seed': range(10**6)}", "sweep={'seed': 'ab'}", "sweep={'seed': tuple(range(10**5))}",
    "control_rounds=(-1,)", "control_rounds={0}", "control_rounds='0'",
    "compute=Compute(memory=float('inf'))", "compute=Compute(devices=0)", "compute=Compute(batching=None)",
    "name=type('Odd', (), {'__repr__': lambda self: 1 / 0})()",
    "trials=type('N', (), {'__index__': 3})()",
]  # fmt: skip
"""Experiments whose settings have wrong types or values."""

PROGRAMS = {
    "programs": st.sampled_from([(body, "mine.py") for body in BODIES]),
    "experiments in programs": st.sampled_from(
        [(f"{FROM}experiment = Experiment({each})", each.split("=")[0].rstrip("s")) for each in VALUES]
    ),
}
"""Contents of .py files, each with a word of the answer."""
