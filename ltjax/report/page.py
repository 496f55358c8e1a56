"""The page put together: facts, figures, verdicts and curves into one HTML text."""

import base64
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from ltjax.analysis.results import RUN, Study
from ltjax.plots.style import STYLE
from ltjax.report import barriers, facts, layers, lines, methods
from ltjax.studies import NETWORKS, Drawn, Verdict, elsewhere, picture

HERE = Path(__file__).parent

FIRST = ("4a", "4b", "untrained")
"""The figures that come first, after the one that answers the study; the others follow in their order."""

METHODS = "methods"
"""The figure that stands beside the table of methods, where the page has one."""

SENTENCES = 5
"""Most runs whose findings lead the page; those of the others stand above their tables."""

SIGNS = {"reproduced": ("✓", "good"), "not reproduced": ("✗", "bad")}
"""A verdict's sign and the class that colours it; neither is alone, the word stands beside them."""

LARGE = 400_000
"""Bytes of an SVG from which on the PNG goes into the page instead."""


@dataclass(frozen=True)
class Group:
    """Figures or claims that lack the same thing."""

    names: list[str]
    missing: str
    command: str


def render(
    study: Study, drawn: Sequence[Drawn], verdicts: Sequence[Verdict], *, figures: Path, again: str
) -> str:
    """The page of a study, self-contained: it needs no other file and no network.

    Args:
        study: the runs.
        drawn: what became of every figure.
        verdicts: on every claim.
        figures: the folder of the drawn figures' files.
        again: the command that makes the page.

    Raises:
        OSError: a drawn figure cannot be read.
    """
    sheets = facts.sheets(study)
    curves, uncurved = lines.explorable(
        [(f"{sheet.name} {run.point}".strip(), run) for sheet in sheets for run in sheet.runs]
    )
    judged = [verdict for verdict in verdicts if verdict.status != "not run"]
    compared = methods.sheets(study)
    beside = next((each for each in drawn if compared and each.name == METHODS and each.stem), None)
    lead, *others = in_reading_order([each for each in drawn if each is not beside], picture(study))
    return _templates().get_template("page.html").render(
        title=", ".join(sheet.name for sheet in sheets) if len(sheets) <= 3 else f"{len(sheets)} runs",
        sheets=sheets, most=SENTENCES, rounds=facts.rounds, columns=facts.columns, again=again,
        layers=layers.layers,
        measure=" or ".join(dict.fromkeys(run.metric.called for sheet in sheets for run in sheet.runs)),
        judged=[claim(verdict) for verdict in judged],
        reproduced=sum(verdict.status == "reproduced" for verdict in judged),
        open=unjudged(study, verdicts),
        lead=_figure(lead, figures) if lead else None,
        connected=barriers.sheets(study), compared=compared,
        beside=_figure(beside, figures) if beside else None,
        figures=[_figure(each, figures) for each in others if each],
        skipped=grouped((each.name, each.missing, each.command) for each in drawn if not each.stem),
        listed=listed,
        curves=embedded(curves) if curves else None, uncurved=uncurved,
        css=_text("page.css"), js=_text("page.js"), plotly=_script(get_plotlyjs()) if curves else None,
    )  # fmt: skip


def in_reading_order(drawn: Sequence[Drawn], answer: str) -> list[Drawn | None]:
    """What was drawn: the figure that answers the study, or None, then ``FIRST``, then the others."""
    there = {each.name: each for each in drawn if each.stem}
    lead = there.pop(answer, None)
    return [lead, *(there.pop(name) for name in FIRST if name in there), *there.values()]


def _templates() -> jinja2.Environment:
    """Jinja that escapes all it is given: names of experiments and arms are a user's own words."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip


def grouped(entries: Iterable[tuple[str, str, str]]) -> list[Group]:
    """(Name, what is missing, command) entries with the last two in common put together, in order.

    Example:
        >>> lacks = [("3", "no x", "run"), ("4", "no x", "run"), ("5", "no y", "")]
        >>> [group.names for group in grouped(lacks)]
        [['3', '4'], ['5']]
    """
    groups: dict[tuple[str, str], list[str]] = {}
    for name, missing, command in entries:
        groups.setdefault((missing, command), []).append(name)
    return [Group(names, *lack) for lack, names in groups.items()]


def unjudged(study: Study, verdicts: Sequence[Verdict]) -> list[Group]:
    """The claims not run: those of the runs' own networks by what they lack, then one line per network."""
    away = elsewhere(verdicts, study, NETWORKS)
    far = {verdict.claim.id for each in away.values() for verdict in each}
    near = [v for v in verdicts if v.status == "not run" and v.claim.id not in far]
    return grouped((v.claim.id, v.missing, v.command) for v in near) + [
        Group([NETWORKS[name].name], counted(each), f"{RUN} {NETWORKS[name].experiment}")
        for name, each in away.items()
    ]


def counted(verdicts: Sequence[Verdict]) -> str:
    """How many claims were not run: ``1 claim``, ``14 claims``."""
    return f"{len(verdicts)} claim{'s' * (len(verdicts) > 1)}"


def label(figure: str) -> str:
    """What a figure is called: the paper's number, or its name.

    Example:
        >>> label("3"), label("pixels")
        ('Figure 3', 'Pixels')
    """
    return f"Figure {figure}" if figure[:1].isdigit() else figure.replace("_", " ").capitalize()


def listed(figures: Sequence[str]) -> str:
    """What several figures are called.

    Example:
        >>> listed(["4a", "12", "pixels"]), listed(["3"])
        ('Figures 4a, 12, Pixels', 'Figure 3')
    """
    if len(figures) == 1:
        return label(figures[0])
    names = [name if name[:1].isdigit() else label(name) for name in figures]
    return f"Figures {', '.join(names)}" if figures[0][:1].isdigit() else ", ".join(names)


def claim(verdict: Verdict) -> dict[str, Any]:
    """A judged claim in the words of its table row.

    ``spread`` has the least and the greatest trial of what was measured, where they differ.
    """
    told, (sign, tone) = verdict.claim, SIGNS[verdict.status]
    low, high = _three_digits(verdict.minimum), _three_digits(verdict.maximum)
    return {
        "id": told.id, "figure": label(told.figure), "paper": told.paper, "measured": told.measured,
        "tolerance": told.tolerance, "ours": verdict.ours, "quantity": told.quantity,
        "spread": f"{low} to {high}" if low != high else "",
        "trials": f"{verdict.trials} trial{'s' * (verdict.trials != 1)}",
        "status": verdict.status, "sign": sign, "tone": tone,
    }  # fmt: skip


def _three_digits(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _figure(drawn: Drawn, folder: Path) -> dict[str, Any]:
    """A figure as its page needs it: the SVG, sharp at any size, or the PNG where that would be large."""
    png, kind = (folder / f"{drawn.stem}.png").read_bytes(), "svg+xml"
    inches = int.from_bytes(png[16:20]) / STYLE["savefig.dpi"]  # a PNG's header has its width there
    file = (folder / f"{drawn.stem}.svg").read_bytes()
    if len(file) > LARGE:
        file, kind = png, "png"
    content = base64.b64encode(file).decode()
    source = Markup(f"data:image/{kind};base64,{content}")  # base64 has nothing to escape
    return {"label": label(drawn.name), "title": drawn.title, "source": source, "inches": inches}


def embedded(data: Any) -> Markup:
    """Data as JSON that no content of it can leave its script element by."""
    return Markup(json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c"))


def _script(text: str) -> Markup:
    return Markup(text.replace("</script", "<\\/script"))


def _text(name: str) -> Markup:
    return Markup((HERE / name).read_text())
