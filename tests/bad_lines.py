"""Command lines of python -m ltjax.run that are malformed by construction, by what is wrong with them."""

import types
import typing

import hypothesis.strategies as st

from ltjax import Experiment
from ltjax.settings.fields import settings_of

from .bad_input import Case

GOOD = [(), ("--dry-run",), ("--seed", "7"), ("--workdir", "elsewhere"), ("--model.init=he_normal",),
        ("--compute.batching", "map"), ("--dry-run", "--arms.reinit", "2")]  # fmt: skip
"""What may precede anything: fits the default experiment, and a later option of the same name prevails."""


def settings():
    """Every setting's option and type; of a choice, text."""
    for name, each in settings_of(Experiment()).items():
        hint = str if each.facts.kind else each.facts.type
        if typing.get_origin(hint) is not dict:
            inner = [each for each in typing.get_args(hint) if each is not types.NoneType]
            optional = typing.get_origin(hint) in (types.UnionType, typing.Union)
            yield "--" + name.replace("_", "-"), inner[0] if optional else hint, optional


SETTINGS = {option: (kind, optional) for option, kind, optional in settings()}
ONE_VALUE = [option for option, (kind, _) in SETTINGS.items() if typing.get_origin(kind) is not tuple]
OPTIONS = [*SETTINGS, "--config", "--workdir", "--list", "--dry-run", "--only", "--sweep", "--arms.ticket",
           "--minutes", "--arms.reinit", "--arms.noise-0.5", "--help"]  # fmt: skip

letters = st.text("abcdefghijklmnopqrstuvwxyzäß漢字", min_size=1, max_size=20)
printable = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=40)
huge = st.integers(10**12, 10**30)


def line(option, value, *named):
    """A line that ends with an option and its malformed value, as two arguments or as one."""
    shapes = st.sampled_from([lambda value: (option, value), lambda value: (f"{option}={value}",)])
    words = (option, option.strip("-").replace("-", "_"), *named)
    return st.builds(
        lambda good, shape, value: Case("run", (*good, *shape(str(value))), words),
        st.sampled_from(GOOD), shapes, value,
    )  # fmt: skip


def reads(kind, text):
    """Whether Python reads a text as a value of a type."""
    try:
        kind(text)
    except ValueError:
        return False
    return True


def of_wrong_type(option):
    """Text where something else is expected."""
    kind, optional = SETTINGS[option]
    kind = typing.get_args(kind)[0] if typing.get_origin(kind) is tuple else kind
    choices = typing.get_args(kind)
    bad = printable.filter(lambda text: not (optional and text == "None") and not text.startswith("-"))
    if choices:
        return line(option, bad.filter(lambda text: text not in choices))
    return line(option, bad.filter(lambda text: not reads(kind, text)))


def edited(option):
    """A misspelling by one character, which is no other option either."""
    known = {each.replace("_", "-") for each in OPTIONS}
    spelt = st.builds(
        lambda at, letter, end: option[: 2 + at] + letter + option[2 + at + end :],
        st.integers(0, len(option) - 2), st.sampled_from([*"abcxyz0.", ""]), st.integers(0, 1),
    )  # fmt: skip
    wrong = spelt.filter(lambda text: text.replace("_", "-") not in known and len(text) > 2)
    return wrong.flatmap(
        lambda text: st.sampled_from([(), ("3",)]).map(lambda rest: Case("run", (text, *rest), (text,)))
    )


WHOLE = {
    "--trials": (1, 10_000), "--seed": (0, 2**32 - 1), "--control-rounds": (0, 10), "--only": (0, 4),
    "--data.validation": (1, 2999), "--model.widths": (1, 10**6), "--model.channels": (1, 10**6),
    "--train.steps": (1, 10**9 - 1), "--train.batch": (1, 2000), "--train.schedule.warmup": (0, 10**9 - 1),
    "--train.evaluate-every": (1, 10**9 - 1),
    "--train.evaluate-batch": (1, 10**9), "--prune.rounds": (0, 999), "--compute.devices": (1, 10**6),
    "--compute.lanes": (1, 10**6), "--compute.data": (1, 10**6), "--arms.ticket": (1, 10_000),
    "--arms.random": (0, 10_000),
}  # fmt: skip
"""What whole numbers may be in the default experiment."""

ANY = ["nan", "inf", "-inf", "-0.1", "-1e30", "1e39", "1e400"]
BETWEEN = [*ANY, "0", "1", "1.5", "-0.0"]
REAL = {
    "--model.dropout": [*ANY, "1"], "--model.init-std": [*ANY, "0", "1e-50"],
    "--train.learning-rate": [*ANY, "0", "1e-50", "5e-324"],
    "--train.weight-decay": ANY, "--prune.rates.conv": BETWEEN, "--prune.rates.fc": BETWEEN,
    "--prune.rates.output": BETWEEN, "--prune.rates.attention": BETWEEN, "--prune.rates.recurrent": BETWEEN,
    "--prune.rates.embedding": BETWEEN, "--prune.rates.shortcut": BETWEEN, "--compute.memory": [*ANY, "0"],
    "--minutes": [*ANY, "0"],
    "--compute.snapshot-minutes": [*ANY, "0"],
}  # fmt: skip
"""What numbers may not be."""


def outside(option):
    """A whole number out of range, near it or far away."""
    least, most = WHOLE[option]
    return line(option, st.one_of(st.integers(most + 1, most + 3), huge, st.integers(-(10**30), least - 1)))


NAMES = {"--config": "experiment", "--data.name": "data set", "--data.augment": "augmentation",
         "--model.name": "model", "--model.init": "initializer", "--train.optimizer": "optimizer",
         "--prune.criterion": "criterion", "--prune.schedule": "schedule", "--prune.structure": "structure",
         "--prune.rewind": "rewinding", "--prune.densities": "densities", "--train.schedule": "rate schedule",
         "--task": "task", "--loss": "loss", "--metric": "metric"}  # fmt: skip
"""What is called by a name that must be known: letters of three alphabets spell none by chance."""

SWEEPS = [
    ("train.learning_rate", "SETTING=VALUE"), ("train.learning_rate=", "SETTING=VALUE"), ("=1", "setting"),
    ("train.learning_rate=1,x", "train.learning_rate"), ("train.learning_rate=0.1,-1", "learning_rate"),
    ("train.learning_rate=1e999", "learning_rate"), ("train.learning_rate=nan", "learning_rate"),
    ("train.learning_rate=((((1", "learning_rate"), ("train.steps=1.5", "train.steps"),
    ("train.steps=0,10", "train.steps"), (f"train.steps=1,{10**30}", "train.steps"),
    ("learning_rate=1", "learning_rate"), ("prune.rates=0.1", "prune.rates"), ("data=1", "data"),
    ("data.name=digits,mnist", "data.name"), ("name=a,b", "name"), ("sweep=1", "sweep"),
    ("arms.reinit=1,2", "arms.reinit"), ("model.widths=5,6", "model.widths"),
    ("model.widths=(5,(6,7)),(3,3)", "model.widths"), ("model.name=lenett,lenet", "lenett"),
    ("train.optimizer={1:2},[[[]]]", "train.optimizer"), ("seed=1,1", "seed=1"), ("seed=True", "seed"),
    ("train.learning_rate=0.1,None", "learning_rate"), ("seed=b'1'", "seed"), ("seed=1j", "seed"),
    ("seed=" + ",".join(map(str, range(1001))), "1000 points"), ("model.start=" + "x" * 300, "255 bytes"),
    ("seed=" + "-" * 3000 + "1", "seed"), ("seed=" + "9" * 4000, "seed"), ("trials=0,1", "trials"),
]  # fmt: skip
"""Malformed sweeps, and a word of the answer."""

CONTRADICTIONS = [
    ("--prune.schedule oneshot", "fractions"), ("--prune.schedule.fractions 0.5", "fractions"),
    ("--train.optimizer momentum --train.optimizer.momentum 1", "momentum"),
    ("--train.schedule drops --train.schedule.drops 0", "train.schedule.drops"),
    ("--prune.schedule oneshot --prune.rounds 3 --prune.schedule.fractions 0.5 0.8", "fractions"),
    ("--prune.schedule continued", "--arms.continued"), ("--prune.structure global", "one rate"),
    ("--prune.schedule at_init", "prune.schedule.densities"), ("--prune.schedule.densities 0.1", "at_init"),
    ("--prune.schedule at_init --prune.rounds 2 --prune.schedule.densities 0.1", "densities, not 1"),
    ("--prune.schedule at_init --prune.rounds 1 --prune.schedule.densities 1.5", "densities"),
    ("--prune.schedule at_init --prune.rounds 1 --prune.schedule.densities 0.001 --prune.rates.output None",
     "cannot be met"),
    ("--prune.schedule at_init --prune.rounds 1 --prune.schedule.densities 0.1 --prune.schedule.steps 0",
     "steps"), ("--prune.densities erk --prune.structure global --prune.rates.output 0.3", "no meaning"),
    ("--prune.structure n_of_m --prune.rounds 1 --prune.densities erk", "no meaning"),
    ("--prune.structure n_of_m --prune.rounds 1 --prune.structure.m 9", "groups of 9 inputs"),
    ("--prune.structure n_of_m --prune.rounds 2", "prune.structure.n"),
    ("--prune.structure n_of_m --prune.rounds 1 --prune.structure.m 2 --prune.structure.n 1 "
     "--prune.schedule at_init --prune.schedule.densities 0.2", "prune.structure n_of_m keeps"),
    ("--prune.structure n_of_m --prune.rounds 1 --prune.structure.n 4", "below m 4"),
    ("--prune.structure n_of_m --prune.rounds 2 --prune.structure.n 2 3", "from round to round"),
    ("--prune.structure global --prune.rates.fc 0.3 --prune.rates.output 0.2", "one rate"),
    ("--prune.structure channels --prune.structure.by norm", "there is none"),
    ("--prune.structure channels --prune.structure.by weight", "structure.by"),
    ("--prune.structure channels --prune.rates.fc None", "nothing to prune"),
    ("--prune.structure channels --prune.densities erk", "no meaning"),
    ("--prune.structure channels --prune.rounds 1 --prune.schedule at_init --prune.schedule.densities 0.5",
     "goes by rates"),
    ("--prune.rates.conv None --prune.rates.fc None --prune.rates.output None", "nothing to prune"),
    ("--prune.schedule oneshot --prune.rounds 1 --prune.schedule.fractions 0.5 --prune.rates.conv None "
     "--prune.rates.fc None --prune.rates.output None", "nothing to prune"),
    ("--data.validation 2980 --train.batch 60", "train.batch"), ("--prune.rounds 2 --control-rounds 3",
    "rounds"), ("--trials 2 --only 2", "--only"), ("--trials 2 --only 0 1 -1", "--only"),
    ("--arms.ticket 0", "arms.ticket"), ("--arms.ticket 0 --arms.reinit 2", "arms.ticket"),
    ("--sweep seed=1,2 train.steps=1", "as many values"), ("--sweep seed=1 seed=2", "seed"),
    ("--sweep seed=1,2 model.widths=(5,),(0,)", "model.widths"), ("--model.name conv2 --model.channels 3 4",
    "model.channels"), ("--model.name vgg19", "too small"), ("--model.name conv2 --model.channels",
    "model.channels"), ("--config", "--config"), ("--trials 10000 --arms.reinit 10000", "lanes"),
    ("--trials 10000 --prune.rounds 999", "lanes"), (f"--train.steps {10**9 - 1} --train.evaluate-every 1",
    "evaluations"), ("--model.widths 1000000 1000000", "weights"),
    ("--model.widths " + "3 " * 101, "model.widths"),
    ("--train.schedule drops --train.schedule.drops " + "3 " * 101, "train.schedule.drops"),
    ("--arms 3", "--arms"), ("--arms.reinit.x 3", "--arms.reinit.x"), ("--arms.reinti 3", "--arms.reinti"),
    ("--arms. 3", "--arms."), ("--train.steps.x 3", "--train.steps.x"), ("--only x", "--only"),
    ("--only 1.5", "--only"), ("--only", "--only"), ("--only --trials 2", "--only"), ("--log", "--log"),
    ("--sweep --dry-run", "--sweep"), ("--sweep seed=1,2 --sweep trials=1,2", "--sweep"),
    ("--sweep arms.reinit=0,1", "arms.reinit cannot be swept"), ("--sweep seed=1,x", "'x'"),
    ("lenet_iterative --dry-run", "lenet_iterative"),
    ("--dry-run=5", "5"), ("--only None", "--only"), ("digits", "digits"),
    ("--dry-run -- --trials", "--trials"), ("-", "-"), ("- - -", "-"), ("--=3", "--=3"), ("[/red]",
    "[/red]"), ("@file", "@file"), ("-x", "-x"),
]  # fmt: skip
"""Lines whose parts do not go together, or are nonsense, and a word of the answer."""

FILES = [
    ("--model.start nowhere.safetensors", "nowhere.safetensors"), ("--model.start . --trials 1", "'.'"),
    ("--model.start {trial}/x", "'0/x'"), ("--compute.devices 99", "compute.devices"), ("--workdir /", "'/'"),
    ("--workdir /dev/null", "/dev/null"), ("--config /", "/config.json"), ("--config ./x.py", "x.py"),
    ("--config .", "config.json"), ("--config x.json", "x.json"), ("--config /dev/null", "/dev/null"),
    ("--config " + "x/" * 1600, "3000 bytes"), ("--workdir " + "x" * 256, "255"),
    ("--data.dir " + "x" * 256, "255"), ("--data.name mnist --data.raw . --data.dir .", "expected are"),
]  # fmt: skip
"""Lines that name files and devices that are not there, and a word of the answer."""

slashed = st.tuples(letters, st.sampled_from(["/", "\\"]), letters).map("".join)
FOLDERS = st.one_of(
    slashed, st.sampled_from(["..", ".", "../evil", "/tmp/evil", "a/", "a/../../b", "x" * 256])
)
"""What no run can be called: results would lie elsewhere than in runs/NAME."""

unfit = st.builds(
    lambda before, bad, after: before + bad + after,
    letters, st.sampled_from(["\0", "\n", "\x1b[31m", "\x7f", "\ud800", "\udcff", "y" * 5000]), letters,
)  # fmt: skip
"""Text that no argument can be."""


def _any(options, make):
    return st.sampled_from(sorted(options)).flatmap(make)


def _said(pairs, good=GOOD):
    return st.builds(
        lambda good, pair: Case("run", (*good, *pair[0].split()), (pair[1],)),
        st.sampled_from(good), st.sampled_from(pairs),
    )  # fmt: skip


LINES = {
    "misspelt options": _any(OPTIONS, edited),
    "missing values": _any(ONE_VALUE, lambda each: st.just(Case("run", (each,), (each,)))),
    "empty values": _any(ONE_VALUE, lambda each: line(each, st.just(""), "empty")),
    "wrong types": _any([each for each in SETTINGS if SETTINGS[each][0] is not str], of_wrong_type),
    "whole numbers out of range": _any(WHOLE, outside),
    "numbers out of range": _any(REAL, lambda each: line(each, st.sampled_from(REAL[each]))),
    "unknown names": _any(NAMES, lambda each: line(each, letters, f"there is no {NAMES[each]}")),
    "malformed sweeps": _said([(f"--sweep {each}", named) for each, named in SWEEPS]),
    "contradictions and nonsense": _said(CONTRADICTIONS),
    "files that are not there": _said(FILES, [each for each in GOOD if "--dry-run" not in each][:2]),
    "names that leave runs/": line("--name", FOLDERS),
    "unfit characters": _any([*SETTINGS, "--workdir", "--config", "--sweep"],
                             lambda each: line(each, unfit, "argument")),
}  # fmt: skip
