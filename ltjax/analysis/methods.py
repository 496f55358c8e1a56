"""Methods of pruning beside one another: runs that differ in nothing else, named by what differs there."""

from collections.abc import Callable, Collection, Sequence
from functools import cached_property
from string import Formatter
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ltjax.analysis.results import RUN, Absent, Results, Study, told, varying
from ltjax.core.choices import Choice
from ltjax.core.texts import written
from ltjax.lanes.history import LANE
from ltjax.lottery.arms import in_order
from ltjax.settings.fields import choices_of, parameters_of
from ltjax.settings.schema import Experiment

SETTLED = ("value", "shape")
"""The roles of settings that say what is trained; the others say how much of it, where and by what."""

PRUNE, CRITERION = "prune.", "prune.criterion"

METHOD = ("prune", "evolve", "scheme")
"""The settings that make a method, each with all that lies in it."""

TRAINED = ("train.optimizer", "train.learning_rate", "train.schedule", "train.weight_decay")
"""These make it too where runs train other numbers than weights: what moves one well does not the other."""

POOLED = ("seed", "prune.schedule.dense")
"""Settings in which the runs of one method may differ: each seed has trials of its own, and whether the dense
network is trained beside says nothing of how it is pruned."""

SIZE, FLOPS = "percent_remaining", "training_flops"

WORDS = {
    ("structure", "layer"): "per layer", ("structure", "n_of_m"): "N:{m}",
    ("densities", "rates"): "by rate", ("densities", "erk"): "ERK",
    ("schedule", "oneshot"): "one-shot", ("schedule", "at_init"): "at init",
    ("rewind", "original"): "rewound to θ₀", ("rewind", "step"): "rewound to step {k}",
    ("rewind", "learning_rate"): "learning-rate rewinding", ("rewind", "fine_tune"): "fine-tuned",
    ("rewind", "freeze_init"): "pruned weights at θ₀",
    ("evolve", "none"): "static", ("evolve", "set"): "SET", ("evolve", "rigl"): "RigL",
    ("scheme", "edge_popup"): "edge-popup",
}  # fmt: skip
"""What the field calls a choice, with a place for a parameter that needs no name; others go by their own."""


class Method:
    """A way of pruning: its name beside the others', and the runs of it, whose lanes are put together."""

    def __init__(self, name: str, runs: Sequence[Results]) -> None:
        self.name, self.runs = name, tuple(runs)

    @cached_property
    def arms(self) -> list[str]:
        """The arms that were trained, tickets first."""
        return in_order({arm for run in self.runs for arm in run.arms})

    @cached_property
    def lanes(self) -> pd.DataFrame:
        """The rows of all runs with their ``seed`` and ``training_flops``, each lane once.

        ``round`` is 0 of the dense network, and else counts the sizes from the largest on: rounds of several
        runs that are of one size are one.
        """
        every = pd.concat([_sized(run) for run in self.runs], ignore_index=True)
        lane = ["seed", "arm", "trial", "repeat", "round", "weights_remaining"]
        every = every.drop_duplicates(lane, ignore_index=True)
        pruned = every["round"] > 0
        place = every.loc[pruned, "size"].rank(method="dense", ascending=False).astype(int)
        return every.assign(round=place.reindex(every.index, fill_value=0)).drop(columns="size")

    def rows(self, arm: str) -> pd.DataFrame:
        """The lanes of an arm in pruned rounds."""
        return self.lanes[(self.lanes["arm"] == arm) & (self.lanes["round"] > 0)].reset_index(drop=True)


def _sized(run: Results) -> pd.DataFrame:
    """A run's rows with its seed, FLOPs, and their round's size: of the tickets, where they were trained."""
    rows = run.summary
    sizes = rows.groupby("round")[SIZE].mean()
    sizes.update(rows[rows["arm"] == "ticket"].groupby("round")[SIZE].mean())
    size = rows["round"].map(sizes).map(lambda percent: float(f"{percent:.6g}"))
    # where masks are learned round 0 is a method's as the others are, and no dense network's
    round = rows["round"] if run.experiment.trains_weights else rows["round"] + 1
    return rows.assign(round=round, seed=run.experiment.seed, size=size, **{FLOPS: training_flops(run)})


def training_flops(run: Results) -> pd.Series:
    """FLOPs of the training of each lane of a run's summary, from its start step on; NaN where not known.

    They are those of forward and backward passes over minibatches, of which a mask saves none.
    """
    each = run.learned.step_flops
    if each is None:
        return pd.Series(np.nan, run.summary.index)
    return (run.experiment.train.steps - _starts(run)) * float(each)


def _starts(run: Results) -> pd.Series:
    """The step that each lane of the summary started at: its curve's first; 0 where that was not kept."""
    lanes = run.summary[LANE]
    if run.curves is None:
        return pd.Series(0, lanes.index)
    first = run.curves.groupby(LANE, observed=True)["step"].min().rename("start").reset_index()
    return lanes.merge(first, on=LANE, how="left")["start"].fillna(0).set_axis(lanes.index)


class Group(NamedTuple):
    """Methods that are trained alike, so that their numbers can be compared.

    ``name`` tells the group from the others: network and data, and what else differs. ``runs`` are all that
    were trained so, ``methods`` those of them that prune. ``own`` has what differs between the methods, by
    dotted name, with the value of each. ``unpruned`` are the runs whose dense network is that of all methods.
    """

    name: str
    runs: tuple[Results, ...]
    methods: tuple[Method, ...]
    own: dict[str, list[Any]]
    unpruned: tuple[Results, ...]

    @property
    def ordered(self) -> bool:
        """Whether one number alone tells the methods apart; they then ascend by it."""
        return len(self.own) == 1 and all(map(_number, *self.own.values()))

    @property
    def first(self) -> Results:
        """A run, for what all have in common."""
        return self.runs[0]

    @property
    def dense(self) -> pd.DataFrame:
        """The lanes of the dense network: it is one and the same for all methods of a seed."""
        every = Method("dense", self.unpruned).lanes
        return every[(every["round"] == 0) & (every["arm"] == "ticket")].reset_index(drop=True)


def groups(study: Study) -> list[Group]:
    """The runs of a study by how they are trained, and each of these by how they are pruned.

    A method's name has the settings of ``METHOD`` in which the runs differ. Runs of one method that reach
    other sizes, or have another seed, are put together; points of sweeps count as runs.
    """
    making = _making(study)
    alike = _by(study.runs, lambda run: _training(run, making))
    every = _by([run for run in study.runs if _prunes(run)], lambda run: _pruning(run, making))
    names = dict(zip(every, _named([runs[0] for runs in every.values()], making), strict=True))
    found = []
    called = _called([runs[0] for runs in alike.values()], making)
    for name, runs in zip(called, alike.values(), strict=True):
        own = _by([run for run in runs if _prunes(run)], lambda run: _pruning(run, making))
        methods = tuple(Method(names[key], each) for key, each in own.items())
        differ = _differing([each[0] for each in own.values()], making)
        found.append(_ascending(Group(name, tuple(runs), methods, differ, _unpruned(runs))))
    return found


def _making(study: Study) -> tuple[str, ...]:
    """The settings that make a method in a study."""
    return METHOD if all(run.experiment.trains_weights for run in study.runs) else METHOD + TRAINED


def _unpruned(runs: Sequence[Results]) -> tuple[Results, ...]:
    """Of runs that are trained alike those that have one dense network: what was trained are its weights."""
    first = next((run for run in runs if run.experiment.trains_weights), runs[0])
    beside = [name for name in METHOD if name != "scheme"]
    return tuple(run for run in runs if _training(run, beside) == _training(first, beside))


def _prunes(run: Results) -> bool:
    return not run.experiment.trains_weights or bool((run.summary["round"] > 0).any())


def _ascending(group: Group) -> Group:
    if not group.ordered:
        return group
    ((setting, values),) = group.own.items()
    order = sorted(range(len(values)), key=values.__getitem__)
    methods = tuple(group.methods[at] for at in order)
    return group._replace(methods=methods, own={setting: [values[at] for at in order]})


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def compared(study: Study) -> tuple[list[Group], list[Group]]:
    """The groups in which methods stand beside one another, and those left out: of one method alone.

    A study of one group has nothing left out.

    Raises:
        Absent: nothing was pruned, or no two methods were trained alike.
    """
    every = [group for group in groups(study) if group.methods]
    if not every:
        raise Absent("no round that is pruned", f"{RUN} mnist_5k")
    several = [group for group in every if len(group.methods) > 1] or every
    if len(several) > 1 and len(several[0].methods) == 1:
        firsts, making = [group.first for group in every], _making(study)
        differ = [name for name in varying(firsts, SETTLED) if _elsewhere(name, making)]
        said = ", ".join(differ[:3]) + f" and {len(differ) - 3} more settings" * (len(differ) > 3)
        raise Absent(
            f"no two methods that are trained alike: these runs differ in {said}", "ltjax report RUN RUN"
        )
    return several, [group for group in every if group not in several]


def _by(runs: Sequence[Results], key: Callable[[Results], str]) -> dict[str, list[Results]]:
    found: dict[str, list[Results]] = {}
    for run in runs:
        found.setdefault(key(run), []).append(run)
    return found


def _pruning(run: Results, making: Collection[str]) -> str:
    settings = told(run.experiment, SETTLED)
    return repr({name: value for name, value in settings.items() if _own(name, making)})


def _training(run: Results, making: Collection[str]) -> str:
    settings = told(run.experiment, SETTLED)
    return repr([run.metric, {name: value for name, value in settings.items() if _elsewhere(name, making)}])


def _own(name: str, making: Collection[str]) -> bool:
    return name not in POOLED and _within(name, making)


def _elsewhere(name: str, making: Collection[str]) -> bool:
    return name not in POOLED and not _within(name, making)


def _within(name: str, settings: Collection[str]) -> bool:
    """Whether a dotted name is one of some settings, or lies in one."""
    return any(name == each or name.startswith(f"{each}.") for each in settings)


def _differing(runs: Sequence[Results], making: Collection[str]) -> dict[str, list[Any]]:
    return {name: values for name, values in varying(runs, SETTLED).items() if _own(name, making)}


def _called(firsts: Sequence[Results], making: Collection[str]) -> list[str]:
    """What tells groups apart: what is learned and by which network, then whatever else differs."""
    by_subject: dict[str, list[int]] = {}
    for at, run in enumerate(firsts):
        by_subject.setdefault(run.experiment.subject, []).append(at)
    found = [""] * len(firsts)
    for subject, places in by_subject.items():
        differ = varying([firsts[at] for at in places], SETTLED)
        settings = {name: values for name, values in differ.items() if _elsewhere(name, making)}
        for place, at in enumerate(places):
            more = [
                f"{name.rpartition('.')[2]} {written(values[place])}" for name, values in settings.items()
            ]
            found[at] = ", ".join([subject, *more])
    return found


def _named(firsts: Sequence[Results], making: Collection[str]) -> list[str]:
    """A name for each of several methods, by a run of each: by its choices, or else by other settings too."""
    names = names_of([run.experiment for run in firsts])
    found = []
    for run, name in zip(firsts, names, strict=True):
        rivals = [other for other, its in zip(firsts, names, strict=True) if its == name]
        chosen = choices_that_make(run.experiment)
        said = [
            f"{setting.removeprefix(PRUNE).removeprefix('train.')} {written(run.settings[setting].value)}"
            for setting in _differing(rivals, making)
            if setting in run.settings and not _within(setting, chosen)
        ]
        found.append(", ".join([name, *said]))
    return found


def choices_that_make(experiment: Experiment) -> dict[str, Choice]:
    """The choices of an experiment that make its method, by dotted name, those of how it prunes first.

    Example:
        >>> list(choices_that_make(Experiment()))[:2]
        ['prune.criterion', 'prune.structure']
    """
    found = {name: each for name, each in choices_of(experiment).items() if _within(name, METHOD)}
    return dict(sorted(found.items(), key=lambda each: not each[0].startswith(PRUNE)))


def names_of(experiments: Sequence[Experiment]) -> list[str]:
    """What several methods are called beside one another, by their choices that differ.

    Where that tells them apart, the criterion is told of each, and of the others what is not the default; a
    single one goes by its criterion.

    Example:
        >>> from ltjax.settings.schema import Prune
        >>> prunes = [Prune(criterion="snip"), Prune(structure="global"), Prune(densities="erk")]
        >>> names_of([Experiment(prune=prune) for prune in prunes])
        ['snip', 'magnitude, global', 'magnitude, ERK']
        >>> names_of([Experiment(evolve=evolve) for evolve in ("none", "rigl")])
        ['static', 'RigL']
        >>> names_of([Experiment(prune=prunes[0])])
        ['snip']
    """
    every = [choices_that_make(experiment) for experiment in experiments]
    usual = choices_that_make(Experiment())
    kept = [{name: _settled(name, choice) for name, choice in each.items()} for each in every]
    differ = [name for name in usual if any(each[name] != kept[0][name] for each in kept)]
    found = []
    for each, settled in zip(every, kept, strict=True):
        unusual = [name for name in differ if settled[name] != _settled(name, usual[name])]
        telling = [name for name in differ if name == CRITERION or name in unusual] or differ
        said = [_said(name, each[name], [other[name] for other in every]) for name in telling]
        found.append(", ".join(said) or each[CRITERION].name)
    return found


def _settled(setting: str, choice: Choice) -> tuple[str, dict[str, Any]]:
    """A choice without the parameters that only say how much was run."""
    extents = [
        name for name, facts in parameters_of(choice).items() if facts.role and facts.role.name == "extent"
    ]
    return choice.name, {
        name: value for name, value in choice.parameters.items()
        if name not in extents and f"{setting}.{name}" not in POOLED
    }  # fmt: skip


def _said(setting: str, choice: Choice, every: Sequence[Choice]) -> str:
    """A choice in the field's words, with the parameters in which those of its name differ."""
    words = WORDS.get((setting.removeprefix(PRUNE), choice.name), "")
    placed = {field for _, field, _, _ in Formatter().parse(words) if field}
    if not words or placed - set(choice.parameters):  # an entry of the user's own may have such a name
        words, placed = choice.name.replace("{", "{{").replace("}", "}}"), set()
    _, own = _settled(setting, choice)
    rivals = [_settled(setting, other)[1] for other in every if other.name == choice.name]
    differ = [
        name for name in own if name not in placed and any(each.get(name) != own[name] for each in rivals)
    ]
    filled = words.format_map({name: written(choice.parameters[name]) for name in placed})
    return " ".join([filled, *(f"{name} {written(own[name])}" for name in differ)])
