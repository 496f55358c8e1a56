"""The card of an exported lane: what it is, what is left of it, and what each of its forms takes.

The numbers are a dictionary that JSON has words for; ``card_words`` says them to people.
"""

import json
import math
from pathlib import Path
from typing import Any

import jax
import numpy as np

from ltjax import card_words, latency, masks
from ltjax.card_words import ACCURACIES, Card
from ltjax.data import DATASETS
from ltjax.exporting import CARD, Export
from ltjax.files import write_text
from ltjax.forms import compacted_logits, dense_logits, flops, probes, sparse_logits
from ltjax.latency import BATCHES
from ltjax.runs import Run
from ltjax.types import Lane
from ltjax.version import __version__

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
    image = DATASETS.find(run.experiment.data.name).image
    remaining, total = masks.count(exported.outcome.mask)
    card = {
        "ltjax": __version__, "experiment": run.experiment.name,
        "network": run.experiment.model.name, "data": run.experiment.data.name, "round": round,
        **lane._asdict(), "accuracy": _accuracy(run, round, lane),
        "weights": {"remaining": remaining, "total": total, "percent": 100 * remaining / total},
        "layers": _layers(exported), "not_compacted": exported.reason,
        "bytes": _bytes(folder, exported), "flops": flops(exported.forms, image) if exported.forms else None,
        "latency": None, "machine": None, "other_logits": [],
    }  # fmt: skip
    if measure:
        card["machine"] = latency.machine()
        card["latency"], card["other_logits"] = _latency(run, exported, image)
    return {**card, "findings": card_words.findings(card)}


def _accuracy(run: Run, round: int, lane: Lane) -> dict[str, float | None]:
    rows = run.summary()
    for name, value in {**lane._asdict(), "round": round}.items():
        rows = rows[rows[name] == value]
    found = {name: float(rows.iloc[0][name]) for name in (*ACCURACIES, "early_stop_step")}
    return {name: value if math.isfinite(value) else None for name, value in found.items()}


def _layers(exported: Export) -> dict[str, dict[str, list[int]]]:
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


def _latency(run: Run, exported: Export, image: tuple[int, ...]) -> tuple[dict[str, Any], list[str]]:
    """Timings by batch size and form, and the forms that gave other logits than the dense one."""
    classes, found = DATASETS.find(run.experiment.data.name).classes, exported.outcome
    forms = {"dense": dense_logits(run.experiment.model, image, classes, found.trained, found.collections)}
    if exported.forms:
        forms["compacted"] = compacted_logits(exported.forms)
        forms["sparse"] = sparse_logits(exported.forms)
    timings, wrong = {}, set()
    for batch in BATCHES:
        images = probes(image, batch)
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
    texts = zip(CARD, (card_words.markdown(card), json.dumps(card, indent=2) + "\n"), strict=True)
    for name, text in texts:
        write_text(folder / name, text)
    return [folder / name for name in CARD]
