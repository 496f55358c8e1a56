"""The runs of ``tests.same_bits``: which they are, and the program that makes them with one revision.

    PYTHONPATH=TREE python -P tests/same_bits_runs.py ORDER

ORDER is an ``Order`` as JSON. The program is started once for each revision, so it may use nothing of ltjax
but what stays: settings, ``ltjax.run_experiment``, ``ltjax.load_experiment``, ``ltjax.data.data_set`` and the
names of the registries.
"""

import dataclasses
import importlib.util
import itertools
import json
import shutil
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np

Settings: TypeAlias = Mapping[str, Any]
"""Settings by dotted name, as JSON has them; the revision's defaults are all others."""

Names: TypeAlias = Mapping[str, list[str]]
"""Entries of the registries by the registries' own names."""

REGISTRIES = {
    "ARMS": "", "AUGMENTATIONS": "", "CRITERIA": "SCORES", "DENSITIES": "", "EVOLVES": "", "INITIALIZERS": "",
    "MODELS": "", "OPTIMIZERS": "",
    "RATE_SCHEDULES": "", "REWINDINGS": "", "SCHEDULES": "", "SCHEMES": "", "STRUCTURES": "",
}  # fmt: skip
"""Registries, and what revisions before called them; one that a revision lacks is empty."""

CHOICES = ("task", "loss", "metric", "data.augment", "prune.criterion", "prune.rewind", "prune.schedule",
           "prune.structure", "prune.densities", "train.optimizer", "train.schedule", "evolve",
           "scheme")  # fmt: skip
"""Settings that are a name and parameters; revisions before had the name alone."""

LENET = {
    "trials": 1, "data.validation": 137, "model.widths": [8, 6], "prune.rounds": 1, "train.steps": 12,
    "train.batch": 250, "train.evaluate_every": 6, "train.evaluate_batch": 500,
}  # fmt: skip
"""LeNet on digits; an epoch has five steps. A batch of a power of two would hide how a mean is rounded."""

CONV = {
    "trials": 1, "data.name": "colours", "data.validation": 20, "model.widths": [6], "prune.rounds": 1,
    "train.steps": 8, "train.batch": 20, "train.evaluate_every": 4, "train.evaluate_batch": 40,
    "train.optimizer": "sgd", "train.learning_rate": 0.05,
}  # fmt: skip
"""A network on ``colours``, by the optimizer that hides least; another epoch begins at the sixth step."""

CHANNELS = {"conv2": [2], "conv4": [2, 3], "conv6": [2, 3, 4], "resnet18": [2, 3, 4],
            "vgg19": [2, 3, 2, 3, 2]}  # fmt: skip
"""Few channels for each stage; a network that is not here has its own."""

BEFORE = {"numerics.convolution": "direct"}
"""What revisions without a numerics setting did: said where only the second revision has the setting."""

ALWAYS = {"compute.keep": "all"}
"""What every revision is told that has the setting: all params are compared."""

START = "start_{trial}.safetensors"

SOURCE = "source"
"""The run whose tickets the case ``given masks`` begins with."""

WHOLLY = ("arms", "optimizer", "weight decay, warmup, drops")
"""Beginnings of the cases that are compiled as they are for users; the others without XLA's dearest passes.

Compiling a network takes a minute, its few steps a moment.
"""


def cases(names: Names, settings: Collection[str]) -> dict[str, list[Settings]]:
    """Every case by name: the settings of a run, or of its beginning and of how it is continued.

    Args:
        names: what registries have.
        settings: those that there are, by dotted name.
    """
    both = dict.fromkeys(("ticket", "reinit"), 1)
    found: dict[str, list[Settings]] = {
        "arms": [{**LENET, "trials": 2, "prune.rounds": 2, "arms": dict.fromkeys(names["ARMS"], 2)}],
        "given params": [{
            **LENET, "trials": 2, "seed": 7, "model.start": START, "control_rounds": [1], "arms": both,
        }],
        "weight decay, warmup, drops": [{
            **LENET, "train.optimizer": "momentum", "train.optimizer.momentum": 0.8,
            "train.learning_rate": 0.1, "train.weight_decay": 0.01, "train.schedule": "drops",
            "train.schedule.warmup": 3, "train.schedule.drops": [6, 9],
        }],
        "dropout, exact curves": [{
            **LENET, "model.dropout": 0.3, "train.train_curve": "exact", "train.evaluate_every": 5,
        }],
        "bfloat16": [{**LENET, "model.precision": "bfloat16"}],
        "initialisers": [{**LENET, "prune.rounds": 0, "sweep": {
            "model.init": [*names["INITIALIZERS"], names["INITIALIZERS"][0]],
            "model.init_std": [None] * len(names["INITIALIZERS"]) + [0.2],
        }}],
        "sweep as lanes": [{**LENET, "train.optimizer": "sgd", "train.schedule": "drops",
                            "train.schedule.drops": [7], "sweep": {
            "train.learning_rate": [0.1, 0.01, 0.1], "train.schedule.warmup": [0, 0, 3],
        }}],
        "sweep as programs": [{**LENET, "sweep": {
            "model.widths": [[8, 6], [7]], "train.batch": [250, 200], "seed": [0, 1],
        }}],
        "diverged": [{**LENET, "prune.rounds": 0, "train.optimizer": "sgd", "train.learning_rate": 1e30}],
        "devices": [{**CONV, "model.name": "conv2", "model.channels": [2], "trials": 2, "sweep": {
            "compute.batching": ["vmap", "vmap", "vmap", "map", "auto"],
            "compute.convolution": ["grouped", "unrolled", "loop", "auto", "auto"],
            "compute.data": [1, 1, 1, 1, 2], "compute.lanes": [None, None, None, 1, None],
            "compute.devices": [None, 1, None, None, None],
        }}],
        "begun before": [
            {**LENET, "train.optimizer": "momentum"},
            {**LENET, "train.optimizer": "momentum", "trials": 2, "prune.rounds": 2, "arms": both},
        ],
        "sweep begun before": [
            {**LENET, "sweep": {"train.learning_rate": [0.1]}},
            {**LENET, "prune.rounds": 2, "sweep": {"train.learning_rate": [0.1, 0.01]}},
        ],
    }  # fmt: skip
    if "ticket" in settings:
        found["given masks"] = [{**LENET, "seed": 7, "ticket": f"{SOURCE}:1", "arms": both}]
    if "train.redraw" in settings:
        found["copies"] = [{**LENET, "train.redraw": False, "train.repeat": ["order"],
                            "arms": {"ticket": 2, "reinit": 2}}]  # fmt: skip
    for schedule in names["SCHEDULES"]:
        found[f"schedule {schedule}"] = [_pruning(schedule, names)]
    for densities in names["DENSITIES"]:
        found[f"densities {densities}"] = [{**LENET, "prune.densities": densities}]
    if "n_of_m" in names["STRUCTURES"]:
        found["n of m"] = [
            {**LENET, "prune.structure": "n_of_m", "prune.structure.n": [1], "prune.structure.m": 2}
        ]
    if "channels" in names["STRUCTURES"]:
        arms = dict.fromkeys(("ticket", "random", "shuffle", "invert"), 1)
        found["channels"] = [{**LENET, "prune.structure": "channels", "arms": arms}]
    for evolve in names["EVOLVES"]:
        found[f"evolve {evolve}"] = [
            {
                **LENET,
                "prune.schedule": "at_init",
                "prune.schedule.densities": [0.4],
                "evolve": evolve,
                **({} if evolve == "none" else {"evolve.interval": 3}),
                "train.optimizer": "momentum",
                "arms": both,
            }
        ]
    for scheme in names["SCHEMES"]:
        found[f"scheme {scheme}"] = [{**LENET, "prune.schedule": "at_init", "prune.schedule.densities": [0.4],
                                      "scheme": scheme, "arms": both}]  # fmt: skip
    for rates in names["RATE_SCHEDULES"]:
        found[f"rates {rates}"] = [{**LENET, "train.schedule": rates}]
    for rewinding in names["REWINDINGS"]:
        found[f"rewinding {rewinding}"] = [{**LENET, "prune.rewind": rewinding}]
    for optimizer in names["OPTIMIZERS"]:
        found[f"optimizer {optimizer}"] = [{**LENET, "train.optimizer": optimizer}]
    for augmentation in names["AUGMENTATIONS"]:
        found[f"augmentation {augmentation}"] = [{**LENET, "data.augment": augmentation}]
    for model in names["MODELS"]:
        found[f"network {model}"] = [{
            **CONV, "model.name": model, "model.channels": CHANNELS.get(model), "arms": both,
            "sweep": {
                "prune.structure": ["layer", "global"], "prune.rates.conv": [0.15, 0.25],
                "prune.rates.fc": [0.2, 0.25], "prune.rates.output": [None, 0.25],
            },
        }]  # fmt: skip
    return found


def _pruning(schedule: str, names: Names) -> Settings:
    """A schedule with every criterion by layer and globally, as one sweep."""
    points = list(itertools.product(names["CRITERIA"], ("layer", "global")))
    criteria, structures = zip(*points, strict=True)
    own: Settings = {
        "oneshot": {"prune.schedule.fractions": [0.3, 0.6]},
        "at_init": {"prune.schedule.densities": [0.4, 0.2], "prune.schedule.steps": 1},
    }.get(schedule, {})
    rates = dict.fromkeys(("prune.rates.conv", "prune.rates.fc", "prune.rates.output"), 0.3)
    return {
        **LENET, **rates, **own, "prune.rounds": 2, "prune.schedule": schedule,
        "arms": {"ticket": 1, "continued": 1},
        "sweep": {"prune.criterion": criteria, "prune.structure": structures},
    }  # fmt: skip


class Order(NamedTuple):
    """What one revision is to do.

    Args:
        tree: the revision's files.
        home: a new folder for its runs.
        before: the home of the revision that went before, whose cases these are and whose runs are continued;
            empty for the first.
        called: what revisions before call a setting, by its present name; empty where they have none.
        experiments: what the revision calls a named experiment, by what the first one calls it.
        only: the cases to run; none are all.
        whole: whether all cases are compiled as they are for users.
    """

    tree: str
    home: str
    before: str
    called: Mapping[str, str]
    experiments: Mapping[str, str]
    only: list[str]
    whole: bool = False


def renamed(name: str, table: Mapping[str, str]) -> str:
    """A dotted name where it, or a beginning of it, is in a table; a sweep's settings too."""
    if name.startswith("sweep."):
        return f"sweep.{renamed(name.removeprefix('sweep.'), table)}"
    for one, other in table.items():
        if name == one or name.startswith(f"{one}."):
            return other + name.removeprefix(one)
    return name


def nested(settings: Settings, called: Mapping[str, str]) -> dict[str, Any]:
    """Settings as a ``config.json`` has them, under the names of a revision."""
    tree: dict[str, Any] = {}
    named = {renamed(name, called): value for name, value in settings.items()}
    for name, value in named.items():
        if not name:
            continue
        *folders, last = name.split(".")
        node = tree
        for folder in folders:
            node = node.setdefault(folder, {})
        if name in CHOICES and any(each.startswith(f"{name}.") for each in named):
            node, last = node.setdefault(last, {}), "name"
        node[last] = {renamed(key, called): each for key, each in value.items()} if name == "sweep" else value
    return tree


def own_experiments(tree: Path) -> None:
    """Make ``ltjax.experiments`` the tree's own, where an editable install would give another's."""
    file = tree / "experiments" / "__init__.py"
    spec = importlib.util.spec_from_file_location(
        "ltjax.experiments", file, submodule_search_locations=[str(file.parent)]
    )
    if file.exists() and spec:
        sys.modules["ltjax.experiments"] = importlib.util.module_from_spec(spec)


def registries() -> Names:
    """The entries of the registries, wherever ltjax keeps them."""
    modules = [vars(module) for name, module in sorted(sys.modules.items()) if name.startswith("ltjax")]
    return {
        each: list(next((names[name] for names in modules for name in (each, before) if name in names), ()))
        for each, before in REGISTRIES.items()
    }  # fmt: skip


def colours() -> None:
    """Enter a data set: images of 16 × 16 pixels in three colours, each class's own pattern under noise."""
    import ltjax
    from ltjax.data import data_set

    @data_set("colours", train=120, test=80, image=(16, 16, 3), classes=10)
    def load(data: Any) -> Any:
        random = np.random.default_rng(0)
        patterns, labels = random.integers(0, 128, (10, 16, 16, 3)), random.integers(0, 10, 200)
        images = (patterns[labels] + random.integers(0, 128, (200, 16, 16, 3))).astype(np.uint8)
        splits = images[:120], labels[:120], images[120:], labels[120:]
        return ltjax.Dataset(*splits, 10, mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3))


def write_starts(folder: Path) -> None:
    """Write the params that the case ``given params`` begins with."""
    from safetensors.numpy import save_file

    random, sizes = np.random.default_rng(1), (64, *LENET["model.widths"], 10)
    for trial in range(2):
        tensors = {}
        for name, shape in zip(("fc1", "fc2", "output"), itertools.pairwise(sizes), strict=True):
            tensors[f"{name}/kernel"] = random.normal(0, 0.2, shape).astype(np.float32)
            tensors[f"{name}/bias"] = random.normal(0, 0.2, shape[1:]).astype(np.float32)
        save_file(tensors, folder / START.format(trial=trial))


def write_source(whole: bool) -> None:
    """Make the run whose tickets the case ``given masks`` begins with, compiled as that case is."""
    import jax

    import ltjax

    jax.config.update("jax_disable_most_optimizations", not whole)
    config = Path(f"{SOURCE}.json")
    config.write_text(json.dumps(nested({"name": SOURCE, **LENET}, {})))
    ltjax.run_experiment(ltjax.load_experiment(config), SOURCE, quiet=True)
    # what draws initial params is compiled once in a process, and the second revision makes no source
    jax.clear_caches()


def known() -> list[str]:
    """Every setting of this revision by its dotted name."""
    import ltjax

    return list(flat(plain(ltjax.Experiment())))


def plain(node: Any) -> Any:
    """A configuration as dictionaries; a choice is its name and parameters."""
    if not dataclasses.is_dataclass(node):
        return node
    if hasattr(node, "parameters"):
        return {"name": node.name, **node.parameters}
    return {each.name: plain(getattr(node, each.name)) for each in dataclasses.fields(node)}


def flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Settings by dotted name, of a configuration as dictionaries; a sweep is one."""
    found: dict[str, Any] = {}
    for key, value in tree.items():
        name = prefix + key
        if name in CHOICES and isinstance(value, dict):
            found[name] = value["name"]
            value = {parameter: each for parameter, each in value.items() if parameter != "name"}
        inner = isinstance(value, dict) and name != "sweep"
        found |= flat(value, f"{name}.") if inner else {name: value}
    return found


def translate(folder: Path, called: Settings) -> None:
    """Write a run's configurations by the present names, where a revision before wrote them."""
    for path in folder.rglob("config.json"):
        settings = flat(json.loads(path.read_text()))
        before = {old: new for new, old in called.items() if old in settings}
        if before:
            del settings["crc32"]
            now = {renamed(name, before): value for name, value in settings.items()}
            if (
                now.setdefault("train.schedule", "drops" if now["train.schedule.drops"] else "constant")
                == "constant"
            ):
                del now["train.schedule.drops"]
            if now["train.optimizer"] != "momentum":
                del now["train.optimizer.momentum"]
            if now["prune.schedule"] != "oneshot":
                del now["prune.schedule.fractions"]
            if "sweep" in now:
                now["sweep"] = {renamed(name, before): values for name, values in now["sweep"].items()}
            path.write_text(json.dumps(nested(now, {})))


def run(name: str, stages: Sequence[Settings], order: Order, fixed: Settings) -> None:
    """Make the run of a case, with settings that are fixed; what began before another began it, a copy."""
    import jax

    import ltjax

    home, last, own = Path(order.home), len(stages) - 1, known()
    called = {name: before for name, before in order.called.items()
              if before in own or (not before and name not in own)}  # fmt: skip
    folder, begun = home / name, f"{name} (begun)"
    jax.config.update("jax_disable_most_optimizations", not (order.whole or name.startswith(WHOLLY)))
    for number, settings in enumerate(stages):
        if number < last and order.before:
            shutil.copytree(Path(order.before) / begun, folder)
            translate(folder, order.called)
            continue
        config = home / f"{name} {number}.json"
        config.write_text(json.dumps(nested({"name": "case", **settings, **fixed}, called)))
        ltjax.run_experiment(ltjax.load_experiment(config), folder, quiet=True)
        if number < last:
            shutil.copytree(folder, home / begun)


def configurations(names: Iterable[str], order: Order) -> dict[str, Any]:
    """Every setting of the named experiments, under the first revision's names of them."""
    import ltjax

    found = {}
    for name in names:
        try:
            found[name] = plain(ltjax.load_experiment(order.experiments.get(name, name)))
        except Exception as error:
            found[name] = {"error": str(error)}
    return found


def main() -> None:
    """Do what is ordered; a case that fails leaves the error in place of its run."""
    order = Order(**json.loads(sys.argv[1]))
    own_experiments(Path(order.tree))
    import ltjax

    if not Path(ltjax.__file__).is_relative_to(order.tree):
        sys.exit(f"ltjax was imported from {ltjax.__file__}, not from {order.tree}.")
    home = Path(order.home)
    if order.before:
        said = json.loads((Path(order.before) / "names.json").read_text())
    else:
        named = sys.modules[ltjax.load_experiment.__module__].experiments()
        said = {"registries": registries(), "experiments": list(named), "settings": known()}
        write_starts(Path())
        if "ticket" in known():
            write_source(order.whole)
    (home / "names.json").write_text(json.dumps(said))
    (home / "experiments.json").write_text(json.dumps(configurations(said["experiments"], order)))
    colours()
    fixed = {name: BEFORE[name] for name in {*known()} - {*said["settings"]} if name in BEFORE}
    fixed |= {name: ALWAYS[name] for name in ALWAYS if name in known()}
    for name, stages in cases(said["registries"], said["settings"]).items():
        if not order.only or name in order.only:
            print(f"{home.name} revision: {name}", file=sys.stderr, flush=True)
            try:
                run(name, stages, order, fixed)
            except Exception as error:
                (home / f"{name}.failed").write_text(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
