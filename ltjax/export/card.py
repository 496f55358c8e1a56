"""The card of an exported lane: what it is, what is left of it, and what each of its forms takes.

The numbers are a dictionary that JSON has words for; ``card_words`` says them to people.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import jax
import numpy as np

from ltjax.core.files import write_text
from ltjax.core.types import Lane
from ltjax.core.version import __version__
from ltjax.export import latency
from ltjax.export.files import CARD, Export
from ltjax.export.latency import BATCHES
from ltjax.export.variants import compacted_logits, flops, logits_of, probes, sparse_logits
from ltjax.runs.folder import Run
from ltjax.settings.schema import OF_DATA
from ltjax.sparsity import masks
from ltjax.training.metrics import Shown
from ltjax.training.task import Task
from ltjax.training.tasks import network_of, task_of

Card: TypeAlias = dict[str, Any]

VALUES = {
    "final_test": "test, at the end of training",
    "early_stop_test": "test, at the early-stop step",
    "final_train": "train, at the end of training",
}
"""What a card has of the metric in the lane's row in ``summary.csv``: of accuracy, fractions of 1."""

NAMES = {"dense": "dense", "compacted": "compacted", "sparse": "sparse (CSR)"}

ALIKE = 1.1
"""Up to this factor two sizes or times count as the same: medians repeat to some per cent."""

AXES = {"images": "images (channels)", "flat": "flattened (pixels or features)"}


def findings(card: Card) -> list[str]:
    """Where sparsity helps and where it does not: the answer first, then what it rests on."""
    said: list[str] = []
    helps: list[str] = []
    not_: list[str] = []
    for where, ratios, tell in _compared(card):
        (helps if min(ratios.values()) * ALIKE < 1 else not_).append(where)
        told = "; ".join(f"{NAMES[form]} {tell(ratio)}" for form, ratio in ratios.items())
        said.append(f"{where[0].upper()}{where[1:]}, of the dense network: {told}.")
    answer = f"Sparsity helps {_and(helps)}" if helps else "Sparsity helps nowhere here"
    answer += f", and does not help {_and(not_)}." if helps and not_ else "."
    return [answer, *said, *_arithmetic(card), *_left_out(card)]


def _compared(card: Card) -> Iterator[tuple[str, dict[str, float], Callable[[float], str]]]:
    """Where forms are compared, the ratios of what they take to what the dense one does, and their words."""
    dense, *others = card["bytes"]
    yield "on disk", {form: card["bytes"][form] / card["bytes"][dense] for form in others}, _size
    for batch, timings in (card["latency"] or {}).items():
        ratios = {form: _ratio(timing) for form, timing in timings.items() if form != "dense"}
        if ratios:
            yield f"at batch {batch}", ratios, _speed


def _ratio(timing: Mapping[str, float]) -> float:
    """How long a form takes, of the dense one's time; 1 where turns do not agree on which is faster."""
    return timing["ratio"] if timing["low"] > 1 or timing["high"] < 1 else 1.0


def _size(ratio: float) -> str:
    return f"{ratio:.2f} of the bytes"


def _speed(ratio: float) -> str:
    """A ratio of times.

    Example:
        >>> _speed(0.5), _speed(1.02), _speed(3.0)
        ('2.0 times as fast', 'as fast', '3.0 times as slow')
    """
    if ratio * ALIKE < 1:
        return f"{1 / ratio:.1f} times as fast"
    return f"{ratio:.1f} times as slow" if ratio > ALIKE else "as fast"


def _arithmetic(card: Card) -> list[str]:
    if not card["flops"]:
        return []
    sparse, whole = (100 * card["flops"][form] / card["flops"]["dense"] for form in ("sparse", "compacted"))
    return [
        f"Of the weights {card['weights']['percent']:.1f}% survive, and {sparse:.1f}% of the arithmetic with "
        f"them; compaction, which leaves out whole units alone, leaves {whole:.1f}% of it."
    ]


def _left_out(card: Card) -> list[str]:
    reason = card["not_compacted"]
    return [f"Not compacted, because {reason}."] * bool(reason) + [
        f"{NAMES[form]} was not timed: it gives other logits than the dense network."
        for form in card["other_logits"]
    ]


def _and(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def rows(card: Card) -> list[list[str]]:
    """The table of forms: a heading, then bytes, arithmetic and times; a dash is what there is not."""
    found = [["", *NAMES.values()], ["bytes on disk", *_cells(card["bytes"], "{:,}".format)]]
    if card["flops"]:
        found.append(["FLOPs an example", *_cells(card["flops"], "{:,}".format)])
    for batch, timings in (card["latency"] or {}).items():
        found.append([f"time at batch {batch}", *_cells(timings, _time)])
    return found


def _cells(numbers: Mapping[str, Any], tell: Callable[[Any], str]) -> list[str]:
    return [tell(numbers[form]) if form in numbers else "–" for form in NAMES]


def _time(timing: Mapping[str, float]) -> str:
    return seconds(timing["median"])


def seconds(time: float) -> str:
    """A time in three digits.

    Example:
        >>> seconds(0.0000712), seconds(0.0432), seconds(12)
        ('71.2 µs', '43.2 ms', '12 s')
    """
    for unit, size in (("s", 1), ("ms", 1e-3)):
        if time >= size:
            return f"{time / size:.3g} {unit}"
    return f"{time / 1e-6:.3g} µs"


def markdown(card: Card) -> str:
    """The card for people."""
    lane = f"{card['arm']}, trial {card['trial']}, repeat {card['repeat']}, round {card['round']}"
    weights = card["weights"]
    parts = [
        f"# {card['experiment']}: {lane}",
        f"{_trained(card)} by ltjax {card['ltjax']}. "
        f"{weights['remaining']:,} of {weights['total']:,} weights survive, {weights['percent']:.2f}%.",
        _table([[Shown(**card["metric"]).called, ""], *_values(card)]),
        "## What it takes",
        _table(rows(card)),
        _measured(card),
        "\n".join(f"- {sentence}" for sentence in card["findings"]),
        "## What is left",
        _table([["layer", "weights", "of", "units", "of"], *map(list, _layers(card))]),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _trained(card: Card) -> str:
    if card["task"] not in OF_DATA:
        return f"The network of the task `{card['task']}`, trained"
    return f"The network `{card['network']}` trained on `{card['data']}`"


def _values(card: Card) -> Iterator[list[str]]:
    shown = Shown(**card["metric"])
    for name, words in VALUES.items():
        value = card[shown.name][f"{name}_{shown.name}"]
        yield [words, "–" if value is None else shown.told(shown.factor * value) + "%" * shown.percent]


def _layers(card: Card) -> Iterator[list[str]]:
    for name, left in card["layers"].items():
        numbers = [f"{number:,}" for kind in ("weights", "units") for number in left.get(kind, [])]
        before = [] if "weights" in left else ["", ""]
        yield [*[AXES.get(name, name), *before, *numbers], "", ""][:5]


def _measured(card: Card) -> str:
    """What the times are of."""
    machine = card["machine"]
    if not machine:
        return "Times were not measured."
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    busy = "" if machine["load"] is None else f", load average {machine['load']:.1f} when it began"
    return (
        f"Median times of a call, by turns, on {machine['processor']}, {machine['cores']} cores{busy}; "
        f"{versions}. Dense and compacted are compiled by JAX for its device ({machine['device']}), in "
        "float32, their images there already; CSR is SciPy's, on one core of the CPU. A form is called "
        f"faster or slower where it is so by a factor above {ALIKE} and in three quarters of the turns."
    )


def _table(found: Sequence[Sequence[str]]) -> str:
    heading, *others = (f"| {' | '.join(row)} |" for row in found)
    rule = "|" + "|".join(["---"] + ["---:"] * (len(found[0]) - 1)) + "|"
    return "\n".join([heading, rule, *others])


FORMS = ("dense", "compacted", "sparse")

FILES = {
    "dense": ("final", "collections"),
    "compacted": ("compacted",),
    "sparse": ("sparse", "collections"),
}
"""Of which files each form can be run."""


def make_card(run: Run, round: int, lane: Lane, folder: Path, exported: Export, measure: bool) -> Card:
    """The numbers of an exported lane.

    Args:
        run: the run it is of.
        round: the round it is of.
        lane: the lane.
        folder: where it was exported to; the sizes are of the files there.
        exported: what ``export`` found.
        measure: whether to time its forms.
    """
    task = task_of(run.experiment)
    remaining, total = masks.count(exported.outcome.mask, task.kinds)
    shown = task.measured.shown
    card = {
        "ltjax": __version__, "experiment": run.experiment.name,
        "task": run.experiment.task.name, "network": run.experiment.model.name,
        "data": run.experiment.data.name, "round": round,
        **lane._asdict(), "metric": shown._asdict(), shown.name: _measured_of(run, round, lane, shown),
        "weights": {"remaining": remaining, "total": total, "percent": 100 * remaining / total},
        "layers": _kept(exported), "not_compacted": exported.reason,
        "bytes": _bytes(folder, exported),
        "flops": flops(exported.forms, task.data.seen.shape) if exported.forms else None,
        "latency": None, "machine": None, "other_logits": [],
    }  # fmt: skip
    if measure:
        card["machine"] = latency.machine()
        card["latency"], card["other_logits"] = _latency(run, exported, task)
    return {**card, "findings": findings(card)}


def _measured_of(run: Run, round: int, lane: Lane, shown: Shown) -> dict[str, float | None]:
    rows = run.summary()
    for name, value in {**lane._asdict(), "round": round}.items():
        rows = rows[rows[name] == value]
    names = [f"{name}_{shown.name}" for name in VALUES]
    found = {name: float(rows.iloc[0][name]) for name in (*names, "early_stop_step")}
    return {name: value if math.isfinite(value) else None for name, value in found.items()}


def _kept(exported: Export) -> dict[str, dict[str, list[int]]]:
    """By layer, and for the two axes of inputs: [left, of how many] ``weights`` and ``units``."""
    found: dict[str, dict[str, list[int]]] = {}
    if exported.forms:
        wiring, whole, (_, units) = exported.forms
        for step in wiring.layers:
            source = wiring.steps[step.sources[0]]
            if source.op in ("images", "flatten"):
                of = whole.layers[step.name].kernel.shape[-2]
                found[source.name] = {"units": [len(units[source.name]), of]}
    for path, leaf in masks.kernels(exported.outcome.mask).items():
        name = path.removesuffix("/kernel")
        found[name] = {"weights": [int(np.count_nonzero(leaf)), leaf.size]}
        if exported.forms:
            found[name]["units"] = [len(units[name]), leaf.shape[-1]]
    return found


def _bytes(folder: Path, exported: Export) -> dict[str, int]:
    sizes = {path.stem: path.stat().st_size for path in folder.glob("*.safetensors")}
    forms = FORMS if exported.forms else ("dense", "sparse")
    return {form: sum(sizes.get(name, 0) for name in FILES[form]) for form in forms}


def _latency(run: Run, exported: Export, task: Task) -> tuple[dict[str, Any], list[str]]:
    """Timings by batch size and form, and the forms that gave other logits than the dense one."""
    found, experiment = exported.outcome, run.experiment
    # in float32 whatever it was trained in, as the other forms are
    plain = replace(experiment, model=replace(experiment.model, precision="float32"))
    forms = {"dense": logits_of(network_of(plain), found.trained, found.collections)}
    if exported.forms:
        forms["compacted"] = compacted_logits(exported.forms)
        forms["sparse"] = sparse_logits(exported.forms)
    timings, wrong = {}, set()
    for batch in BATCHES:
        images = probes(task.data.seen, batch)
        given = {form: images if form == "sparse" else jax.device_put(images) for form in forms}
        measured, others = latency.measure(forms, given)
        timings[str(batch)] = {form: timing._asdict() for form, timing in measured.items()}
        wrong |= set(others)
    return timings, sorted(wrong)


def write(folder: Path, card: Card) -> list[Path]:
    """Write a card for people and for programs; returns the files.

    Raises:
        OSError: they cannot be written.
    """
    texts = zip(CARD, (markdown(card), json.dumps(card, indent=2) + "\n"), strict=True)
    for name, text in texts:
        write_text(folder / name, text)
    return [folder / name for name in CARD]
