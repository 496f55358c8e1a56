"""Malformed command lines of report, evaluate, export and merge, beside a finished run."""

import hypothesis.strategies as st

from .bad_input import Case
from .bad_lines import huge, letters, unfit

VALID = {
    "report": ("RUN", "--to", "new"), "evaluate": ("RUN", "--round", "1"),
    "export": ("RUN", "--round", "1", "--to", "new"), "merge": ("RUN", "--to", "new"),
}  # fmt: skip
"""A line of each that would be answered; RUN stands for the finished run, FILE for a file of it."""

OPTIONS = {
    "report": ("--to", "--config"), "merge": ("--to",),
    "evaluate": ("--config", "--round", "--collections", "--arm", "--trial", "--repeat", "--split"),
    "export": ("--round", "--to", "--arm", "--trial", "--repeat", "--config"),
}  # fmt: skip

SAID = [
    ("report", "", "at least one run"), ("merge", "--to new", "at least one run"), ("merge", "RUN", "--to"),
    ("export", "", "--round"), ("export", "RUN --round 1", "--to"), ("export", "RUN --to new", "--round"),
    ("evaluate", "", "required"), ("evaluate", "RUN", "--round"), ("evaluate", "RUN --round", "--round"),
    ("evaluate", "RUN --round 1 --split tset", "--split"), ("evaluate", "RUN --round 1 --split", "--split"),
    ("evaluate", "RUN --round 1 --config digits", "--config"), ("evaluate", "RUN FILE --round 1", "FILE"),
    ("evaluate", "nowhere.safetensors", "--config"), ("evaluate", "RUN --round None", "--round"),
    ("evaluate", "nowhere.safetensors --config digits", "nowhere.safetensors"),
    ("evaluate", "FILE --config digits", "safetensors"), ("evaluate", "FILE --config digit", "digits"),
    ("evaluate", "FILE --config digits --round 1", "--round"), ("evaluate", "FILE --config FILE",
    "experiment"), ("export", "RUN --round 1 --to RUN", "holds more"), ("export", "RUN --round 1 --to FILE",
    "is a file"), ("export", "RUN --round 1 --to new --config digit", "digits"), ("merge", "RUN --to RUN",
    "--to"), ("merge", "RUN --to RUN/inside", "--to"), ("merge", "RUN RUN/checkpoints --to new", "no run"),
    ("merge", "RUN --to FILE", "--to"), ("report", "RUN --config digit", "digits"),
    ("report", "RUN --config nowhere.py", "nowhere.py"), ("report", "RUN/figures", "no run"),
]  # fmt: skip
"""Lines that lack something or name the wrong thing, and a word of the answer."""

nowhere = st.one_of(
    letters.map(lambda each: f"no-{each}"), st.sampled_from([".", "..", "/", "~", "RUN/checkpoints"]),
    st.sampled_from(["x" * 300, "x/" * 1600 + "x", "/dev/null", "[red]", "'", "*", "$(ls)", "%s", "{trial}"]),
)  # fmt: skip
commands = st.sampled_from(sorted(VALID))
lanes = st.sampled_from(["evaluate", "export"])


def _option(command):
    return st.sampled_from(OPTIONS[command]).map(lambda option: (command, option))


RUNS = {
    "lines of other commands": st.sampled_from(SAID).map(
        lambda said: Case(said[0], tuple(said[1].split()), (said[2],))
    ),
    "folders that are no run": st.builds(
        lambda command, path: Case(command, (path, *VALID[command][1:]), ("no run", "3000 bytes", "lies in")),
        commands, nowhere,
    ),
    "lanes that were not trained": st.builds(
        lambda command, option, value: Case(
            command, (*VALID[command], option, str(value)), ("it has rounds",)
        ),
        lanes, st.sampled_from(["--round", "--trial", "--repeat"]), st.one_of(huge, st.integers(-9, -1)),
    ),
    "arms that were not trained": st.builds(
        lambda command, arm: Case(command, (*VALID[command], "--arm", arm), (f"has no {arm}",)),
        lanes, letters,
    ),
    "options of other commands": commands.flatmap(_option).flatmap(lambda each: st.sampled_from([
        Case(each[0], (*VALID[each[0]], each[1]), (each[1],)),
        Case(each[0], (*VALID[each[0]], f"{each[1]}="), ("empty",)),
        Case(each[0], (*VALID[each[0]], f"{each[1]}x", "1"), (f"{each[1]}x",)),
        Case(each[0], (*VALID[each[0]], each[1], ""), ("empty",)),
    ])),
    "unfit arguments of other commands": st.builds(
        lambda each, text: Case(each[0], (*VALID[each[0]], each[1], text), ("argument",)),
        commands.flatmap(_option), unfit,
    ),
    "wrong types in other commands": st.builds(
        lambda command, option, text: Case(command, (*VALID[command], option, text), (option,)),
        lanes, st.sampled_from(["--round", "--trial", "--repeat"]), letters,
    ),
}  # fmt: skip
